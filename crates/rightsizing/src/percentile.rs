//! Percentiles of usage over time.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Part of the time, in thousandths of a percent, above 0 and at most 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

const WHOLE: u32 = 100_000;

impl Percent {
    /// Returns a whole number of percent, at least 1 and at most 100.
    pub const fn whole(percent: u32) -> Self {
        let percent = if percent == 0 { 1 } else { percent };
        Self(if percent > 100 {
            WHOLE
        } else {
            percent * 1_000
        })
    }
}

/// Error of a text that is no percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a percentage above 0 and up to 100 with at most three digits after the point")]
pub struct PercentError;

impl FromStr for Percent {
    type Err = PercentError;

    fn from_str(text: &str) -> Result<Self, PercentError> {
        let (whole, digits) = text.split_once('.').unwrap_or((text, "0"));
        // A number of the standard library may begin with a plus.
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_plain(whole) || !is_plain(digits) {
            return Err(PercentError);
        }
        let number = |text: &str| text.parse::<u32>().map_err(|_| PercentError);
        if digits.len() > 3 {
            return Err(PercentError);
        }
        let thousandths = number(&format!("{digits:0<3}"))?;
        let percent = number(whole)?
            .checked_mul(1_000)
            .and_then(|whole| whole.checked_add(thousandths));
        match percent {
            Some(percent @ 1..=WHOLE) if !digits.is_empty() => Ok(Self(percent)),
            _ => Err(PercentError),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000, self.0 % 1_000);
        match rest {
            0 => write!(f, "{whole}"),
            rest => {
                let digits = format!("{rest:03}");
                write!(f, "{whole}.{}", digits.trim_end_matches('0'))
            }
        }
    }
}

/// Amounts, each with the time for which it held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    held: Vec<(i64, i64)>,
    nanos: i128,
    is_sorted: bool,
}

impl Distribution {
    /// Adds an amount with the nanoseconds for which it held. Negative ones are ignored.
    pub fn add(&mut self, amount: i64, nanos: i64) {
        if amount >= 0 && nanos >= 0 {
            self.held.push((amount, nanos));
            self.nanos += i128::from(nanos);
            self.is_sorted = false;
        }
    }

    /// Returns the number of amounts.
    pub fn points(&self) -> usize {
        self.held.len()
    }

    /// Returns the smallest amount that was not exceeded for a part of the time; `None` without
    /// an amount.
    pub fn percentile(&mut self, part: Percent) -> Option<i64> {
        self.sort();
        let threshold = self.nanos * i128::from(part.0);
        let mut sum = 0;
        let reached = self.held.iter().find(|(_, nanos)| {
            sum += i128::from(*nanos) * i128::from(WHOLE);
            sum >= threshold
        });
        reached.or(self.held.last()).map(|(amount, _)| *amount)
    }

    #[expect(
        clippy::stable_sort_primitive,
        reason = "the amounts from before the last call are a sorted run, which this sort keeps"
    )]
    fn sort(&mut self) {
        if !self.is_sorted {
            self.held.sort();
            self.is_sorted = true;
        }
    }

    /// Returns the percentiles that tables show; `None` without an amount.
    pub fn summary(&mut self) -> Option<Summary> {
        let mut at = |percent| self.percentile(Percent::whole(percent));
        Some(Summary {
            p50: at(50)?,
            p90: at(90)?,
            p95: at(95)?,
            p99: at(99)?,
            max: at(100)?,
            points: self.points(),
        })
    }
}

/// Percentiles of an amount over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// Number of samples.
    pub points: usize,
    /// Amount not exceeded for half of the time.
    pub p50: i64,
    /// Amount not exceeded for 90 % of the time.
    pub p90: i64,
    /// Amount not exceeded for 95 % of the time.
    pub p95: i64,
    /// Amount not exceeded for 99 % of the time.
    pub p99: i64,
    /// Largest amount.
    pub max: i64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_counts_for_the_time_that_it_held() {
        let mut usage = Distribution::default();
        for (amount, nanos) in [(10, 90), (9_000, 1), (500, 9), (-1, 50)] {
            usage.add(amount, nanos);
        }
        let summary = usage.summary().unwrap();
        assert_eq!(summary.points, 3);
        assert_eq!((summary.p50, summary.p90, summary.p95), (10, 10, 500));
        assert_eq!((summary.p99, summary.max), (500, 9_000));
        assert_eq!(usage.percentile("99.1".parse().unwrap()), Some(9_000));
        assert_eq!(Distribution::default().summary(), None);
    }

    #[test]
    fn percentages_have_three_digits() {
        for (text, shown) in [
            ("95", "95"),
            ("99.9", "99.9"),
            ("0.001", "0.001"),
            ("100", "100"),
        ] {
            assert_eq!(text.parse::<Percent>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "0",
            "100.001",
            "-5",
            "95%",
            "1.2345",
            "1.",
            "+1",
            ".5.5",
            "4294967295",
        ] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_percentile_is_the_least_amount_that_covers_its_part(
            parts in prop::collection::vec((0..1_000_i64, 1..100_i64), 1..50),
            cut in 0..50_usize,
            percent in 1..=100_000_u32,
        ) {
            let mut usage = Distribution::default();
            for (place, (amount, nanos)) in parts.iter().enumerate() {
                usage.add(*amount, *nanos);
                if place == cut {
                    usage.percentile(Percent(percent));
                }
            }
            let found = usage.percentile(Percent(percent)).unwrap();
            let total: i64 = parts.iter().map(|(_, nanos)| nanos).sum();
            let covered = |amount| -> i64 {
                parts.iter().filter(|(a, _)| *a <= amount).map(|(_, nanos)| nanos).sum()
            };
            let enough = |covered: i64| covered * 100_000 >= total * i64::from(percent);
            prop_assert!(enough(covered(found)));
            prop_assert!(!enough(covered(found - 1)));
        }
    }
}
