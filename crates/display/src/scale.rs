//! Maps values to positions on an axis.

/// Mapping from values to positions on an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Linear from 0 to this value.
    Linear(f64),
    /// Linear from the first to the second value, with 0 between them.
    Span(f64, f64),
    /// Logarithmic from the first to the second value, both above 0.
    Log(f64, f64),
}

impl Scale {
    /// Returns a linear scale that contains the largest of these values, with a margin
    /// above it.
    pub fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let largest = finite(values).fold(0.0, f64::max);
        Self::Linear(if largest > 0.0 { largest * 1.08 } else { 1.0 })
    }

    /// Returns a linear scale that contains these values and 0, with a margin at both ends.
    pub fn span(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = finite(values).fold((0.0_f64, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let margin = (high - low) * 0.08;
        if margin > 0.0 {
            Self::Span(low - margin, high + margin)
        } else {
            Self::Span(-1.0, 1.0)
        }
    }

    /// Returns a logarithmic scale that contains these values, except for those that are
    /// not above 0.
    pub fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let positive = finite(values).filter(|value| *value > 0.0);
        let (least, largest) = positive
            .fold((f64::INFINITY, 0.0_f64), |(least, largest), value| {
                (least.min(value), largest.max(value))
            });
        if largest <= 0.0 {
            return Self::Log(1.0, 10.0);
        }
        // The scale spans at least a factor of three, so that it has ticks.
        let air = (largest / least).powf(0.04).max(1.05);
        let (least, largest) = (least / air, largest * air);
        let widen = (3.0 / (largest / least)).max(1.0).sqrt();
        Self::Log(least / widen, largest * widen)
    }

    /// Returns the position of a value, from 0 to 1. Values outside of the scale are at
    /// its ends; `None` for a value that is no number.
    pub fn place(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear(largest) => value / largest,
            Self::Span(low, high) => (value - low) / (high - low),
            Self::Log(least, largest) => (value / least).ln() / (largest / least).ln(),
        };
        // The logarithm of 0 is infinite and has the lowest position.
        (!place.is_nan()).then(|| place.clamp(0.0, 1.0))
    }

    /// Returns round values for about `most` marks, or a few more.
    pub fn ticks(self, most: u32) -> Vec<f64> {
        match self {
            Self::Linear(largest) => linear_ticks(largest, most),
            Self::Span(low, high) => span_ticks(low, high, most),
            Self::Log(least, largest) => log_ticks(least, largest, most),
        }
    }
}

/// Removes values that cannot be drawn. No measurement comes near these bounds.
fn finite(values: impl IntoIterator<Item = f64>) -> impl Iterator<Item = f64> {
    let drawable = |value: &f64| *value == 0.0 || (1e-30..1e30).contains(&value.abs());
    values.into_iter().filter(drawable)
}

/// Returns a round distance between marks, of which about `most` have room on this length.
fn round_step(length: f64, most: u32) -> f64 {
    let rough = length / f64::from(most.max(1));
    let magnitude = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * magnitude);
    let found = steps.into_iter().find(|step| *step >= rough);
    found.unwrap_or(rough)
}

fn span_ticks(low: f64, high: f64, most: u32) -> Vec<f64> {
    let step = round_step(high - low, most);
    let side = |sign: f64, end: f64| {
        let marks = (1..=most).map(move |number| sign * f64::from(number) * step);
        marks.take_while(move |tick| tick.abs() <= end)
    };
    let mut below: Vec<f64> = side(-1.0, -low).collect();
    below.reverse();
    below
        .into_iter()
        .chain([0.0])
        .chain(side(1.0, high))
        .collect()
}

fn linear_ticks(largest: f64, most: u32) -> Vec<f64> {
    let step = round_step(largest, most);
    (0..=most)
        .map(|number| f64::from(number) * step)
        .take_while(|tick| *tick <= largest)
        .collect()
}

fn log_ticks(least: f64, largest: f64, most: u32) -> Vec<f64> {
    let decades = (largest / least).log10();
    let mantissas: &[f64] = if decades * 3.0 <= f64::from(most) {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    let every = (decades / f64::from(most)).ceil().max(1.0);
    let mut exponent = least.log10().floor();
    let mut ticks = Vec::new();
    while exponent <= largest.log10() {
        let power = 10_f64.powf(exponent);
        let marks = mantissas.iter().map(|mantissa| mantissa * power);
        ticks.extend(marks.filter(|tick| *tick >= least && *tick <= largest));
        exponent += every;
    }
    ticks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(found: Option<f64>, expected: f64) -> bool {
        (found.unwrap() - expected).abs() < 1e-9
    }

    #[test]
    fn values_are_between_the_ends() {
        assert!(close(Scale::Linear(10.0).place(2.5), 0.25));
        assert!(close(Scale::Log(1.0, 100.0).place(10.0), 0.5));
        assert!(close(Scale::Log(1.0, 100.0).place(0.0), 0.0));
        assert!(close(Scale::Linear(10.0).place(1e9), 1.0));
        assert_eq!(Scale::Linear(10.0).place(f64::NAN), None);
    }

    #[test]
    fn a_span_has_room_on_both_sides_of_zero() {
        let scale = Scale::span([-2.0, 8.0]);
        assert_eq!(scale.ticks(6), [-2.0, 0.0, 2.0, 4.0, 6.0, 8.0]);
        let places = [-2.0, 0.0, 8.0].map(|value| scale.place(value).unwrap());
        assert!(places[0] > 0.0 && places[0] < places[1] && places[2] < 1.0);
        assert_eq!(Scale::span([]), Scale::Span(-1.0, 1.0));
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            Scale::Linear(108.0).ticks(6),
            [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
        );
        assert_eq!(Scale::Log(0.9, 120.0).ticks(6), [1.0, 10.0, 100.0]);
        assert_eq!(Scale::Log(0.9, 6.0).ticks(6), [1.0, 2.0, 5.0]);
    }

    proptest! {
        #[test]
        fn any_values_have_a_scale_with_some_ticks(
            values in proptest::collection::vec(any::<f64>(), 0..5),
            most in 1..12_u32,
        ) {
            let scales = [Scale::linear, Scale::span, Scale::log].map(|of| of(values.clone()));
            for scale in scales {
                let ticks = scale.ticks(most);
                prop_assert!(ticks.len() <= 700);
                for value in values.iter().chain(&ticks) {
                    if let Some(place) = scale.place(*value) {
                        prop_assert!((0.0..=1.0).contains(&place));
                    }
                }
            }
        }
    }
}
