//! Delays: a time, or a distribution from which a time is drawn.

use std::str::FromStr;
use std::time::Duration;

use super::random::Random;

/// Valid values, for messages.
pub(crate) const RIGHT: &str = "a time such as 250ms, or uniform 1s 2s, normal 1s 200ms (mean, deviation), exponential 1s (mean)";

/// Distribution of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delay {
    Constant(Duration),
    /// Uniform from one time to another.
    Uniform(Duration, Duration),
    /// Normal, by mean and standard deviation; negative draws become zero.
    Normal(Duration, Duration),
    /// Exponential, by mean.
    Exponential(Duration),
}

impl FromStr for Delay {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let time = |text: &str| humantime::parse_duration(text).map_err(drop);
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["uniform", from, to] => {
                let (from, to) = (time(from)?, time(to)?);
                (from <= to).then_some(Self::Uniform(from, to)).ok_or(())
            }
            ["normal", mean, deviation] => Ok(Self::Normal(time(mean)?, time(deviation)?)),
            ["exponential", mean] => Ok(Self::Exponential(time(mean)?)),
            // A time may contain blanks.
            _ => Ok(Self::Constant(time(text)?)),
        }
    }
}

impl Delay {
    /// Draws a time.
    pub(crate) fn draw(self, random: &mut Random) -> Duration {
        let seconds = match self {
            Self::Constant(time) => return time,
            Self::Uniform(from, to) => {
                let (from, to) = (from.as_secs_f64(), to.as_secs_f64());
                from + (to - from) * random.unit()
            }
            Self::Normal(mean, deviation) => {
                mean.as_secs_f64() + deviation.as_secs_f64() * random.normal()
            }
            Self::Exponential(mean) => -mean.as_secs_f64() * (1.0 - random.unit()).ln(),
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 10_000;

    /// Returns the Kolmogorov-Smirnov distance between draws and a distribution.
    fn distance(delay: &str, below: impl Fn(f64) -> f64) -> f64 {
        let delay: Delay = delay.parse().unwrap();
        let mut drawn: Vec<f64> = (0..DRAWS)
            .map(|n| {
                let mut random = Random::of(7, &["delay", &n.to_string()]);
                delay.draw(&mut random).as_secs_f64()
            })
            .collect();
        drawn.sort_by(f64::total_cmp);
        let count = DRAWS as f64;
        let steps = drawn.iter().enumerate().map(|(n, at)| {
            let expected = below(*at);
            let step = n as f64 / count;
            (expected - step)
                .abs()
                .max((step + 1.0 / count - expected).abs())
        });
        steps.fold(0.0, f64::max)
    }

    /// Distance that one seed in a thousand exceeds if the distribution is right:
    /// sqrt(-ln(0.0005) / 2 / DRAWS).
    const CRITICAL: f64 = 0.0195;

    #[test]
    fn delays_pass_a_test_against_what_was_stated() {
        let uniform = distance("uniform 1s 3s", |at| ((at - 1.0) / 2.0).clamp(0.0, 1.0));
        assert!(uniform < CRITICAL, "{uniform}");
        let exponential = distance("exponential 2s", |at| 1.0 - (-at / 2.0).exp());
        assert!(exponential < CRITICAL, "{exponential}");
        let normal = distance("normal 100s 1s", |at| normal_below(at - 100.0));
        assert!(normal < CRITICAL, "{normal}");
    }

    #[test]
    fn the_test_rejects_another_distribution() {
        let shifted = distance("uniform 1s 3s", |at| ((at - 1.1) / 2.0).clamp(0.0, 1.0));
        assert!(shifted > CRITICAL, "{shifted}");
        let wider = distance("normal 100s 1s", |at| normal_below((at - 100.0) / 1.1));
        assert!(wider > CRITICAL, "{wider}");
    }

    /// Returns the standard normal distribution function, by Simpson's rule.
    fn normal_below(at: f64) -> f64 {
        let density = |x: f64| (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let step = at / 200.0;
        let sum: f64 = (0..100)
            .map(|n| {
                let from = f64::from(2 * n) * step;
                density(from) + 4.0 * density(from + step) + density(from + 2.0 * step)
            })
            .sum();
        0.5 + sum * step / 3.0
    }

    #[test]
    fn an_invalid_distribution_is_refused() {
        for wrong in [
            "",
            "soon",
            "uniform 1s",
            "uniform 2s 1s",
            "normal 1s",
            "poisson 1s",
            "-1s",
        ] {
            assert!(wrong.parse::<Delay>().is_err(), "{wrong}");
        }
        let constant = Delay::Constant(Duration::from_millis(61_500));
        assert_eq!("1m 1s 500ms".parse(), Ok(constant));
    }
}
