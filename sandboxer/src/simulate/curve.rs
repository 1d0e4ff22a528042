//! Usage curves: shares of a request over time.

use std::f64::consts::TAU;

use super::random::Random;
use slot::Curve;

/// Valid values, for messages.
pub(crate) const RIGHT: &str = "a share such as 0.5, or ramp 0.1 0.9 60s (from, to, over), sine 0.5 0.2 30s \
     (mean, amplitude, period), walk 0.5 0.2 (mean, amplitude), with shares from 0 to 100 and no \
     amplitude beyond the mean";

/// Highest share that can be stated.
const MAX_SHARE: f64 = 100.0;

/// Length of a stretch of a random walk, in steps of one second. A walk is back at its mean
/// after each stretch; a second stretch mirrors the first, so that every pair of stretches
/// has used the mean.
const STRETCH: u16 = 64;

/// Parses a curve as annotations state it.
pub(crate) fn parse(text: &str) -> Option<Curve> {
    let share = |text: &str| {
        let share: f64 = text.parse().ok()?;
        (0.0..=MAX_SHARE).contains(&share).then_some(share)
    };
    let time = |text: &str| {
        let time = humantime::parse_duration(text).ok()?;
        (!time.is_zero()).then_some(time)
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [constant] | ["constant", constant] => Some(Curve::Constant(share(constant)?)),
        ["ramp", from, to, over] => Some(Curve::Ramp {
            from: share(from)?,
            to: share(to)?,
            over: time(over)?,
        }),
        ["sine", mean, amplitude, period] => {
            let (mean, amplitude) = (share(mean)?, share(amplitude)?);
            let period = time(period)?;
            (amplitude <= mean).then_some(Curve::Sine {
                mean,
                amplitude,
                period,
            })
        }
        ["walk", mean, amplitude] => {
            let (mean, amplitude) = (share(mean)?, share(amplitude)?);
            (amplitude <= mean).then_some(Curve::Walk { mean, amplitude })
        }
        _ => None,
    }
}

/// Returns the share at `seconds` from the start.
pub(crate) fn at(curve: Curve, seed: u64, seconds: f64) -> f64 {
    match curve {
        Curve::Constant(share) => share,
        Curve::Ramp { from, to, over } => {
            let part = (seconds / over.as_secs_f64()).clamp(0.0, 1.0);
            from + (to - from) * part
        }
        Curve::Sine {
            mean,
            amplitude,
            period,
        } => mean + amplitude * (TAU * seconds / period.as_secs_f64()).sin(),
        Curve::Walk { mean, amplitude } => {
            let (stretch, into) = stretch(seconds);
            let steps = walk(seed, stretch);
            // Steps are below 2 * STRETCH, and never negative.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let step = (into as usize).min(steps.len() - 1);
            mean + amplitude * steps[step]
        }
    }
}

/// Returns the usage from the start until `seconds`, in seconds of a share of one.
pub(crate) fn used(curve: Curve, seed: u64, seconds: f64) -> f64 {
    match curve {
        Curve::Constant(share) => share * seconds,
        Curve::Ramp { from, to, over } => {
            let over = over.as_secs_f64();
            let rising = seconds.min(over);
            let average = from + (to - from) * rising / over / 2.0;
            average * rising + to * (seconds - rising)
        }
        Curve::Sine {
            mean,
            amplitude,
            period,
        } => {
            let turns = TAU / period.as_secs_f64();
            mean * seconds + amplitude * (1.0 - (turns * seconds).cos()) / turns
        }
        Curve::Walk { mean, amplitude } => {
            let (stretch, into) = stretch(seconds);
            let mut left = into;
            let mut sum = 0.0;
            for step in walk(seed, stretch) {
                let part = left.clamp(0.0, 1.0);
                sum += step * part;
                left -= part;
            }
            mean * seconds + amplitude * sum
        }
    }
}

/// Returns the number of the pair of stretches at a time, and the seconds into the pair.
fn stretch(seconds: f64) -> (u64, f64) {
    let length = f64::from(2 * STRETCH);
    // Running times are far below 2^52 seconds, and never negative.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let number = (seconds / length) as u64;
    (number, seconds - number as f64 * length)
}

/// Returns the steps of a pair of stretches, each from -1 to 1: a walk that is bent back to
/// its beginning, and its mirror image.
fn walk(seed: u64, number: u64) -> Vec<f64> {
    let mut random = Random::of(seed, &["walk", &number.to_string()]);
    let mut height = 0.0;
    let mut steps: Vec<f64> = (0..STRETCH)
        .map(|_| {
            height += random.normal();
            height
        })
        .collect();
    let slope = height / f64::from(STRETCH);
    let mut highest = f64::MIN_POSITIVE;
    for (n, step) in (1..=STRETCH).zip(&mut steps) {
        *step -= slope * f64::from(n);
        highest = highest.max(step.abs());
    }
    for step in &mut steps {
        *step /= highest;
    }
    let mirrored: Vec<f64> = steps.iter().map(|step| -step).collect();
    steps.extend(mirrored);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CURVES: [&str; 4] = [
        "0.5",
        "ramp 0.1 0.9 60s",
        "sine 0.5 0.2 30s",
        "walk 0.5 0.4",
    ];

    #[test]
    fn usage_is_the_area_under_the_curve() {
        for text in CURVES {
            let curve = parse(text).unwrap();
            let step = 0.01;
            let mut area = 0.0;
            for n in 0..40_000 {
                let seconds = f64::from(n) * step;
                area += at(curve, 3, seconds + step / 2.0) * step;
                let used = used(curve, 3, seconds + step);
                assert!(
                    (area - used).abs() < 1e-3,
                    "{text} at {seconds}: {area} {used}"
                );
            }
        }
    }

    #[test]
    fn a_walk_wanders_around_its_mean_within_its_amplitude_and_by_its_seed() {
        let curve = parse("walk 0.5 0.4").unwrap();
        let walk = |seed| -> Vec<f64> { (0..256).map(|s| at(curve, seed, f64::from(s))).collect() };
        let one = walk(1);
        assert_eq!(one, walk(1));
        assert_ne!(one, walk(2));
        assert!(one.iter().all(|share| (share - 0.5).abs() < 0.4 + 1e-9));
        let highest = one.iter().copied().fold(0.0, f64::max);
        assert!(highest > 0.85, "{highest}");
        let mean = one.iter().sum::<f64>() / 256.0;
        assert!((mean - 0.5).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn an_invalid_curve_is_refused() {
        for wrong in [
            "",
            "much",
            "-1",
            "NaN",
            "101",
            "ramp 1 2",
            "ramp 1 2 0s",
            "sine 0.1 0.2 1s",
            "walk 0.1 0.2",
            "constant",
            "step 1 2",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_was_used_never_falls(which in 0..CURVES.len(), from in 0.0..1e6_f64, more in 0.0..1e3_f64) {
            let curve = parse(CURVES[which]).unwrap();
            prop_assert!(used(curve, 9, from) <= used(curve, 9, from + more) + 1e-6);
        }
    }
}
