//! What follows from an interval.

use serde::{Deserialize, Serialize};

use crate::stats::Interval;

/// What is to be said of a ratio.
///
/// The interval as a whole decides, not its middle: of some fifty figures one or two
/// 95 % intervals do not hold the truth, but hardly any lies wholly beyond the
/// minimum effect when nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Better by the minimum effect or more, all of the interval.
    Faster,
    /// Worse by the minimum effect or more, all of the interval.
    Slower,
    /// Within the minimum effect to both sides, all of the interval.
    Same,
    /// The interval is too wide to say.
    Undecided,
    /// There is no interval: the runs were too short, or one has no such figure.
    TooShort,
}

impl Verdict {
    /// Of the interval of a ratio.
    pub fn of(interval: Option<Interval>, more_is_better: bool, min_effect: f64) -> Self {
        let Some(Interval { low, high }) = interval else {
            return Self::TooShort;
        };
        // By how much longer, or how much less of what there should be more of.
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

    /// As tables have it.
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
    fn without_an_interval_nothing_follows() {
        assert_eq!(Verdict::of(None, false, 0.05), Verdict::TooShort);
        let none = Interval {
            low: 0.0,
            high: f64::INFINITY,
        };
        assert_eq!(Verdict::of(Some(none), false, 0.05), Verdict::Undecided);
    }
}
