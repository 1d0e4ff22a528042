//! Verdict on a ratio from its interval.

use serde::{Deserialize, Serialize};

use crate::stats::Interval;

/// Verdict on a ratio.
///
/// The whole interval decides, not its middle. One in twenty 95 % intervals misses the
/// true ratio, but hardly any lies wholly beyond the minimum effect without a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval is better by the minimum effect or more.
    Faster,
    /// The whole interval is worse by the minimum effect or more.
    Slower,
    /// The whole interval is within the minimum effect to both sides.
    Same,
    /// The interval is too wide for a verdict.
    Undecided,
    /// There is no interval: a run was too short, lacks the figure, or has no log of its
    /// latencies.
    TooShort,
}

impl Verdict {
    /// Returns the verdict on the interval of a ratio.
    pub fn of(interval: Option<Interval>, more_is_better: bool, min_effect: f64) -> Self {
        let Some(Interval { low, high }) = interval else {
            return Self::TooShort;
        };
        // Factors of longer times, or of lower rates.
        let (low, high) = if more_is_better {
            (1.0 / high, 1.0 / low)
        } else {
            (low, high)
        };
        let most = 1.0 + min_effect;
        if low >= most {
            Self::Slower
        } else if high <= 1.0 / most {
            Self::Faster
        } else if low > 1.0 / most && high < most {
            Self::Same
        } else {
            Self::Undecided
        }
    }

    /// Returns the words in tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "SLOWER",
            Self::Same => "same",
            Self::Undecided => "undecided",
            Self::TooShort => "undecided: too short",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_interval_decides() {
        for (low, high, times, rates) in [
            (1.06, 1.2, Verdict::Slower, Verdict::Faster),
            (1.04, 1.2, Verdict::Undecided, Verdict::Undecided),
            (0.97, 1.04, Verdict::Same, Verdict::Same),
            (0.90, 1.0, Verdict::Undecided, Verdict::Undecided),
            (0.80, 0.90, Verdict::Faster, Verdict::Slower),
            (0.5, 2.0, Verdict::Undecided, Verdict::Undecided),
        ] {
            let interval = Some(Interval { low, high });
            assert_eq!(Verdict::of(interval, false, 0.05), times, "{low} {high}");
            assert_eq!(Verdict::of(interval, true, 0.05), rates, "{low} {high}");
        }
    }

    #[test]
    fn without_an_interval_the_verdict_is_too_short() {
        assert_eq!(Verdict::of(None, false, 0.05), Verdict::TooShort);
        let none = Interval {
            low: 0.0,
            high: f64::INFINITY,
        };
        assert_eq!(Verdict::of(Some(none), false, 0.05), Verdict::Undecided);
    }
}
