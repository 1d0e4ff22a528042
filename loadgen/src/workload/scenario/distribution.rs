//! Draws from distributions, with the same results on every machine.
//!
//! Logarithms and powers come from the library `libm`, because the last bit differs
//! between the libraries of platforms. Addition, multiplication, division and square
//! roots are exact by IEEE 754.

use super::Distribution;
use crate::workload::draw::Draw;

/// Number of draws before a value out of range is clamped to the nearer end. If one
/// draw in a hundred is in range, the least that a scenario may have, clamping
/// happens once in 20,000 times.
const TRIES: u32 = 1000;

impl Distribution {
    /// Draws one value.
    pub fn draw(&self, draw: &mut Draw) -> u64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform(min, max) => draw.uniform(&(*min..=*max)),
            Self::LogUniform(min, max) => draw.log_uniform(&(*min..=*max)),
            Self::Normal { mean, sd, min, max } => within(*min, *max, || mean + sd * draw.normal()),
            Self::LogNormal {
                median,
                sigma,
                min,
                max,
            } => within(*min, *max, || median * libm::exp(sigma * draw.normal())),
            Self::Exponential { mean, max } => rounded(mean * draw.exponential()).min(*max),
            Self::Zipf { exponent, values } => {
                let weight = |rank: usize| libm::pow(rank as f64 + 1.0, -exponent);
                let weights = (0..values.len()).map(weight);
                let mut left = draw.unit() * weights.clone().sum::<f64>();
                let place = weights.take_while(|weight| {
                    left -= weight;
                    left > 0.0
                });
                values[place.count().min(values.len() - 1)]
            }
            Self::Choice(choices) => {
                let all = choices.iter().map(|(_, weight)| u64::from(*weight)).sum();
                let mut left = draw.below(all);
                let found = choices.iter().find(|(_, weight)| {
                    let here = left < u64::from(*weight);
                    left = left.saturating_sub(u64::from(*weight));
                    here
                });
                found.map_or(0, |(value, _)| *value)
            }
        }
    }

    /// Returns the lowest and the highest possible value.
    pub fn range(&self) -> (u64, u64) {
        let over = |values: &mut dyn Iterator<Item = u64>| {
            values.fold((u64::MAX, 0), |(min, max), value| {
                (value.min(min), value.max(max))
            })
        };
        match self {
            Self::Constant(value) => (*value, *value),
            Self::Uniform(min, max)
            | Self::LogUniform(min, max)
            | Self::Normal { min, max, .. }
            | Self::LogNormal { min, max, .. } => (*min, *max),
            Self::Exponential { max, .. } => (0, *max),
            Self::Zipf { values, .. } => over(&mut values.iter().copied()),
            Self::Choice(choices) => over(&mut choices.iter().map(|(value, _)| *value)),
        }
    }
}

fn within(min: u64, max: u64, mut draw: impl FnMut() -> f64) -> u64 {
    let mut last = min;
    for _ in 0..TRIES {
        let value = draw();
        last = rounded(value);
        if value > -0.5 && (min..=max).contains(&last) {
            return last;
        }
    }
    last.clamp(min, max)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, as intended"
)]
fn rounded(value: f64) -> u64 {
    libm::round(value) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn many(distribution: &Distribution) -> Vec<u64> {
        let mut draw = Draw::new(11, 0);
        (0..20_000).map(|_| distribution.draw(&mut draw)).collect()
    }

    fn mean(values: &[u64]) -> f64 {
        values.iter().map(|value| *value as f64).sum::<f64>() / values.len() as f64
    }

    fn share(values: &[u64], is: impl Fn(u64) -> bool) -> f64 {
        values.iter().filter(|value| is(**value)).count() as f64 / values.len() as f64
    }

    fn close(found: f64, expected: f64, by: f64) {
        assert!((found - expected).abs() <= by, "{found}, not {expected}");
    }

    #[test]
    fn a_normal_distribution_has_its_mean_and_deviation() {
        let values = many(&Distribution::Normal {
            mean: 1000.0,
            sd: 100.0,
            min: 0,
            max: 10_000,
        });
        close(mean(&values), 1000.0, 3.0);
        close(
            share(&values, |value| value.abs_diff(1000) <= 100),
            0.6827,
            0.015,
        );
    }

    #[test]
    fn a_log_normal_distribution_has_its_median() {
        let values = many(&Distribution::LogNormal {
            median: 500.0,
            sigma: 0.5,
            min: 1,
            max: 1_000_000,
        });
        close(share(&values, |value| value < 500), 0.5, 0.015);
        // exp(0.5) of the median is one deviation up.
        close(share(&values, |value| value > 824), 0.1587, 0.01);
    }

    #[test]
    fn an_exponential_distribution_has_its_mean_and_is_cut() {
        let values = many(&Distribution::Exponential {
            mean: 1000.0,
            max: 100_000,
        });
        close(mean(&values), 1000.0, 30.0);
        close(share(&values, |value| value > 1000), 0.3679, 0.015);
        let cut = Distribution::Exponential {
            mean: 1000.0,
            max: 500,
        };
        assert_eq!(many(&cut).iter().max(), Some(&500));
    }

    #[test]
    fn zipf_prefers_the_first() {
        let values = many(&Distribution::Zipf {
            exponent: 1.0,
            values: vec![7, 8, 9],
        });
        for (value, expected) in [(7, 6.0 / 11.0), (8, 3.0 / 11.0), (9, 2.0 / 11.0)] {
            close(share(&values, |found| found == value), expected, 0.015);
        }
    }

    #[test]
    fn choices_come_by_their_weights() {
        let values = many(&Distribution::Choice(vec![(1, 1), (5, 0), (9, 3)]));
        close(share(&values, |value| value == 9), 0.75, 0.015);
        assert!(!values.contains(&5));
    }

    #[test]
    fn a_distribution_hardly_ever_in_range_is_clamped() {
        let far = Distribution::Normal {
            mean: 0.0,
            sd: 0.1,
            min: 50,
            max: 60,
        };
        let mut draw = Draw::new(11, 0);
        assert!((0..50).all(|_| far.draw(&mut draw) == 50));
    }

    #[test]
    fn a_distribution_in_range_once_in_a_hundred_draws_does_not_pile_up_at_an_end() {
        // 2.33 deviations from the mean is the last hundredth.
        let rare = Distribution::Normal {
            mean: 0.0,
            sd: 1000.0,
            min: 2326,
            max: 1_000_000,
        };
        let mut draw = Draw::new(11, 0);
        let values: Vec<_> = (0..2000).map(|_| rare.draw(&mut draw)).collect();
        assert!(share(&values, |value| value == 2326) < 0.01);
        // Half of the values beyond 2.33 deviations are beyond 2.58.
        close(share(&values, |value| value > 2576), 0.5, 0.05);
    }

    /// A change here means that plans are no longer the same.
    #[test]
    fn the_first_draws_are_known() {
        let mut draw = Draw::new(42, 7);
        let normal = Distribution::Normal {
            mean: 1e6,
            sd: 1e5,
            min: 0,
            max: u64::MAX,
        };
        let log_normal = Distribution::LogNormal {
            median: 1e6,
            sigma: 1.0,
            min: 0,
            max: u64::MAX,
        };
        let exponential = Distribution::Exponential {
            mean: 1e6,
            max: u64::MAX,
        };
        let drawn = [normal, log_normal, exponential].map(|d| d.draw(&mut draw));
        assert_eq!(drawn, [882_402, 754_923, 1_474_374]);

        let mut draw = Draw::new(42, 8);
        let others = [
            Distribution::Uniform(0, 1_000_000),
            Distribution::LogUniform(1, 1_000_000),
            Distribution::Zipf {
                exponent: 1.1,
                values: (0..1000).collect(),
            },
            Distribution::Choice((0..1000).map(|value| (value, 1)).collect()),
        ];
        let drawn: Vec<_> = others
            .map(|d| [d.draw(&mut draw), d.draw(&mut draw)])
            .into();
        assert_eq!(drawn, [[385_081, 972_701], [6, 43], [4, 91], [491, 415]]);
    }

    proptest! {
        #[test]
        fn draws_stay_in_range(
            seed: u64,
            min in 1..1000_u64,
            width in 0..1000_u64,
            mean in 0.0..2000.0_f64,
            spread in 0.0..500.0_f64,
        ) {
            let max = min + width;
            let all = [
                Distribution::Constant(min),
                Distribution::Uniform(min, max),
                Distribution::LogUniform(min, max),
                Distribution::Normal { mean, sd: spread, min, max },
                Distribution::LogNormal { median: mean + 1.0, sigma: spread / 100.0, min, max },
                Distribution::Exponential { mean, max },
                Distribution::Zipf { exponent: spread / 100.0 + 0.1, values: vec![min, max] },
                Distribution::Choice(vec![(min, 1), (max, 2)]),
            ];
            let mut draw = Draw::new(seed, 1);
            for distribution in all {
                let (least, most) = distribution.range();
                let value = distribution.draw(&mut draw);
                prop_assert!((least..=most).contains(&value), "{distribution:?} {value}");
            }
        }
    }
}
