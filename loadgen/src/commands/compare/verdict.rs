//! Verdict on a figure, and the outcome of a comparison.

use serde::{Deserialize, Serialize};

use super::figure::Figure;
use crate::result::key_figure::Statistic;
use crate::stats::Interval;
use crate::stats::permutation::Chance;

/// Smallest differences that count, as shares: 0.05 for 5 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// For CPU time per pod.
    pub cpu: f64,
    /// For latencies and rates.
    pub latency: f64,
}

impl Limits {
    /// Returns the smallest difference of a statistic that counts.
    pub fn of(self, statistic: Statistic) -> f64 {
        match statistic {
            Statistic::Cpu => self.cpu,
            Statistic::P50 | Statistic::P99 | Statistic::Mean | Statistic::Rate => self.latency,
        }
    }
}

/// Verdict on a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// B is better beyond chance, and by the minimum effect or more.
    Faster,
    /// B is worse beyond chance, and by the minimum effect or more.
    Slower,
    /// The whole interval is within the minimum effect to both sides.
    Same,
    /// The interval excludes equality, and the ratio is beyond the minimum effect. The figure
    /// decides nothing, or the runs cannot tell a program from the machine.
    Differs,
    /// The interval is too wide for a verdict.
    Undecided,
    /// There is no interval: a run was too short, lacks the figure, or has no log of its
    /// latencies.
    TooShort,
}

impl Verdict {
    /// Returns the words in tables.
    pub fn words(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "SLOWER",
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Undecided => "undecided",
            Self::TooShort => "undecided: no interval",
        }
    }
}

/// Rule for the verdict on one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Whether the runs can tell a program from the machine.
    pub basis_decides: bool,
    /// Whether the figure decides.
    pub decides: bool,
    /// Whether a higher value is better.
    pub more_is_better: bool,
    /// Smallest difference that counts, as a share.
    pub min_effect: f64,
    /// Highest p-value of a difference beyond chance.
    pub alpha: f64,
}

impl Rule {
    /// Returns the verdict on the ratio B/A of a figure.
    ///
    /// A difference counts if the interval excludes equality, the p-values of all deciding
    /// figures together allow it, and the ratio is at least the minimum effect, as is the one
    /// `relative` to the client, if there is one. The figure is the same if the interval and both
    /// ratios are within the minimum effect. So a machine or a client that has changed leaves the
    /// figure undecided.
    pub fn verdict(
        self,
        ratio: Option<f64>,
        relative: Option<f64>,
        interval: Option<Interval>,
        chance: Option<Chance>,
    ) -> Verdict {
        let (Some(ratio), Some(Interval { low, high })) = (ratio, interval) else {
            return Verdict::TooShort;
        };
        // Factors of longer times, or of lower rates.
        let (worse, low, high) = if self.more_is_better {
            (1.0 / ratio, 1.0 / high, 1.0 / low)
        } else {
            (ratio, low, high)
        };
        let most = 1.0 + self.min_effect;
        let relative = relative.unwrap_or(worse);
        let is_slower = low > 1.0 && worse.min(relative) >= most;
        let is_faster = high < 1.0 && worse.max(relative) <= 1.0 / most;
        if is_slower || is_faster {
            let p = chance.map_or(0.0, |c| if is_slower { c.higher } else { c.lower });
            return match (self.basis_decides && self.decides, p <= self.alpha) {
                (false, _) => Verdict::Differs,
                (true, false) => Verdict::Undecided,
                (true, true) if is_slower => Verdict::Slower,
                (true, true) => Verdict::Faster,
            };
        }
        let is_within = |ratio: f64| ratio > 1.0 / most && ratio < most;
        let both_within = is_within(worse) && is_within(relative);
        if self.basis_decides && both_within && low > 1.0 / most && high < most {
            Verdict::Same
        } else {
            Verdict::Undecided
        }
    }
}

/// Outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A deciding figure is slower.
    Slower,
    /// B is not slower.
    Same,
    /// Neither is shown.
    Undecided,
}

impl Outcome {
    /// Returns the outcome from the figures.
    ///
    /// B is not slower if the CPU time per pod of each process under test is the same or
    /// faster, and no other deciding figure looks slower by its minimum effect, because
    /// latencies vary too much on most machines to be shown the same. Without a CPU time the
    /// other deciding figures must be the same or faster.
    pub fn of(figures: &[Figure], limits: Limits) -> Self {
        let deciding = || figures.iter().filter(|figure| figure.decides);
        if deciding().any(|figure| figure.verdict == Verdict::Slower) {
            return Self::Slower;
        }
        let is_shown = |figure: &Figure| matches!(figure.verdict, Verdict::Same | Verdict::Faster);
        let has_cpu = deciding().any(|figure| figure.name.is_cpu_under_test());
        let looks_well = |figure: &Figure| {
            let most = 1.0 + limits.of(figure.name.statistic);
            let is_measured = figure.interval.is_some();
            is_measured && figure.ratio.is_some_and(|ratio| ratio < most)
        };
        let is_well = |figure: &Figure| {
            is_shown(figure) || has_cpu && !figure.name.is_cpu_under_test() && looks_well(figure)
        };
        if deciding().next().is_some() && deciding().all(is_well) {
            Self::Same
        } else {
            Self::Undecided
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        basis_decides: true,
        decides: true,
        more_is_better: false,
        min_effect: 0.05,
        alpha: 0.05,
    };

    fn verdict(rule: Rule, (low, ratio, high): (f64, f64, f64), p: f64) -> Verdict {
        let chance = Chance {
            higher: p,
            lower: p,
        };
        rule.verdict(
            Some(ratio),
            None,
            Some(Interval { low, high }),
            Some(chance),
        )
    }

    #[test]
    fn interval_ratio_and_chance_decide_together() {
        let rates = Rule {
            more_is_better: true,
            ..RULE
        };
        for (within, p, times, of_rates) in [
            ((1.06, 1.1, 1.2), 0.01, Verdict::Slower, Verdict::Faster),
            (
                (1.06, 1.1, 1.2),
                0.06,
                Verdict::Undecided,
                Verdict::Undecided,
            ),
            (
                (1.01, 1.04, 1.07),
                0.01,
                Verdict::Undecided,
                Verdict::Undecided,
            ),
            ((0.97, 1.0, 1.04), 0.5, Verdict::Same, Verdict::Same),
            (
                (0.99, 1.1, 1.2),
                0.01,
                Verdict::Undecided,
                Verdict::Undecided,
            ),
            ((0.80, 0.85, 0.90), 0.01, Verdict::Faster, Verdict::Slower),
            (
                (0.5, 1.0, 2.0),
                0.01,
                Verdict::Undecided,
                Verdict::Undecided,
            ),
        ] {
            assert_eq!(verdict(RULE, within, p), times, "{within:?} {p}");
            assert_eq!(verdict(rates, within, p), of_rates, "{within:?} {p}");
        }
    }

    #[test]
    fn figures_and_runs_that_decide_nothing_differ_at_most() {
        let (slower, same) = ((1.06, 1.1, 1.2), (0.98, 1.0, 1.02));
        let shown = Rule {
            decides: false,
            ..RULE
        };
        assert_eq!(verdict(shown, slower, 0.01), Verdict::Differs);
        assert_eq!(verdict(shown, same, 0.5), Verdict::Same);
        let of_seconds = Rule {
            basis_decides: false,
            ..RULE
        };
        assert_eq!(verdict(of_seconds, slower, 0.01), Verdict::Differs);
        assert_eq!(verdict(of_seconds, same, 0.5), Verdict::Undecided);
    }

    #[test]
    fn a_difference_counts_only_relative_to_the_client_as_well() {
        let within = Some(Interval {
            low: 1.06,
            high: 1.2,
        });
        let verdict = |relative| RULE.verdict(Some(1.1), Some(relative), within, None);
        assert_eq!(verdict(1.08), Verdict::Slower);
        assert_eq!(verdict(1.01), Verdict::Undecided);
        assert_eq!(verdict(0.9), Verdict::Undecided);
    }

    #[test]
    fn without_an_interval_there_is_no_verdict() {
        assert_eq!(RULE.verdict(Some(2.0), None, None, None), Verdict::TooShort);
        assert_eq!(RULE.verdict(None, None, None, None), Verdict::TooShort);
    }
}
