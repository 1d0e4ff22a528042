//! Figures of a comparison: their ratios, intervals and verdicts.

use serde::{Deserialize, Serialize};

use super::seconds::Within;
use super::side::Side;
use super::verdict::{Limits, Rule, Verdict};
use crate::result::RunResult;
use crate::result::key_figure::KeyFigure;
use crate::result::key_figures;
use crate::result::machine_spread::{FigureSpread, MachineSpread};
use crate::stats::{CONFIDENCE, Interval, TwoSamples, median, permutation};

/// Highest probability that any of the deciding figures is called slower without a
/// difference, and the same for faster.
pub const ALPHA: f64 = 0.05;

/// Source of the intervals of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The spread between the runs of each side, with an exact test of the deciding figures.
    Runs,
    /// The run-to-run spread that a calibration of the machine measured, because the runs are
    /// too few for the test.
    Calibration,
    /// The spread between the runs, which are too few for the test. Nothing is decided.
    FewRuns,
    /// The seconds inside the only run of each side. Nothing is decided.
    Seconds,
}

impl Basis {
    /// Returns the basis of a comparison of these runs.
    pub fn of(a: &Side, b: &Side) -> Self {
        let (in_a, in_b) = (a.runs.len(), b.runs.len());
        if is_tested(in_a, in_b) {
            Self::Runs
        } else if calibrations(a, b).next().is_some() {
            Self::Calibration
        } else if in_a + in_b > 2 {
            Self::FewRuns
        } else {
            Self::Seconds
        }
    }

    /// Returns whether verdicts are possible.
    pub fn decides(self) -> bool {
        matches!(self, Self::Runs | Self::Calibration)
    }
}

/// Returns whether the exact test can reach its level with so many runs: from three a side.
pub fn is_tested(in_a: usize, in_b: usize) -> bool {
    let divisions = permutation::divisions(in_a, in_b);
    1.0 / divisions as f64 <= ALPHA
}

/// Figure of both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Name of the figure.
    #[serde(flatten)]
    pub name: KeyFigure,
    /// Whether the figure decides the comparison; other figures are only shown.
    pub decides: bool,
    /// Median over the runs of A, in the unit of the statistic; `None` if A lacks it.
    pub a: Option<f64>,
    /// Median over the runs of B, in the unit of the statistic; `None` if B lacks it.
    pub b: Option<f64>,
    /// B divided by A: for several runs the median of the ratios of all pairs; `None` unless
    /// every run has the figure.
    pub ratio: Option<f64>,
    /// For the CPU time of a process under test: the same ratio of the figure divided by the
    /// CPU time of loadgen in the same run; `None` for other figures. A machine that is slower
    /// for all programs does not move it.
    pub relative: Option<f64>,
    /// 95 % confidence interval of the ratio; of the `relative` one if there is one and the runs are
    /// the basis. `None` if there is no source for it.
    pub interval: Option<Interval>,
    /// Probability, without a difference, that any of the deciding figures is this much worse
    /// in B; `None` for other figures, and without the exact test.
    pub p_slower: Option<f64>,
    /// Probability, without a difference, that any of the deciding figures is this much better
    /// in B; `None` like `p_slower`.
    pub p_faster: Option<f64>,
    /// Verdict.
    pub verdict: Verdict,
}

/// Values of one figure.
#[derive(Clone)]
struct Values {
    name: KeyFigure,
    a: Vec<f64>,
    b: Vec<f64>,
    /// Whether every run has the figure.
    whole: bool,
}

/// Returns all figures of two sides, first the deciding ones.
pub fn all(a: &Side, b: &Side, basis: Basis, limits: Limits) -> Vec<Figure> {
    let values = values(a, b);
    let client = values
        .iter()
        .find(|one| one.name.is_cpu_of_client() && one.whole);
    // With several runs a side, the CPU time of a process under test is judged relative to that of
    // loadgen, which does the same work in each run: both change with the speed of the machine, and
    // most of the spread between runs is that.
    let judged: Vec<Values> = values
        .iter()
        .map(|one| match client {
            Some(client) if basis == Basis::Runs && one.whole && one.name.is_cpu_under_test() => {
                one.relative_to(client)
            }
            _ => one.clone(),
        })
        .collect();
    let chances = Chances::of(&judged, basis);
    let deciding = values.iter().filter(|one| one.whole && one.name.decides());
    // With a calibration each figure is judged on its own, so the intervals share the level.
    let together = 1.0 - 2.0 * ALPHA / deciding.count().max(1) as f64;
    let source = Source {
        basis,
        within: (basis == Basis::Seconds)
            .then(|| Within::of(a, b))
            .flatten(),
        known: calibrations(a, b).collect(),
        confidence: CONFIDENCE.max(together),
    };
    let mut figures: Vec<Figure> = values
        .iter()
        .zip(&judged)
        .map(|(one, judged)| {
            let ratio = one.whole.then(|| one.ratio());
            let interval = ratio.and_then(|ratio| source.interval(judged, ratio));
            let client = client.filter(|_| one.whole && one.name.is_cpu_under_test());
            let relative = client.map(|client| one.relative_to(client).ratio());
            let chance = chances.of_figure(&one.name);
            let rule = Rule {
                basis_decides: basis.decides(),
                decides: one.name.decides(),
                more_is_better: one.name.statistic.more_is_better(),
                min_effect: limits.of(one.name.statistic),
                alpha: ALPHA,
            };
            let middle = |values: &[f64]| (!values.is_empty()).then(|| median(values.to_vec()));
            Figure {
                name: one.name.clone(),
                decides: one.name.decides(),
                a: middle(&one.a),
                b: middle(&one.b),
                ratio,
                relative,
                interval,
                p_slower: chance.map(|chance| chance.higher),
                p_faster: chance.map(|chance| chance.lower),
                verdict: rule.verdict(ratio, relative, interval, chance),
            }
        })
        .collect();
    figures.sort_by_key(|figure| (!figure.decides, !figure.name.is_cpu_under_test()));
    figures
}

fn calibrations<'a>(a: &'a Side, b: &'a Side) -> impl Iterator<Item = &'a MachineSpread> {
    let first = |side: &'a Side| side.runs.first()?.calibration.as_ref();
    first(a).into_iter().chain(first(b))
}

fn values(a: &Side, b: &Side) -> Vec<Values> {
    let figures = |side: &Side| -> Vec<Vec<(KeyFigure, f64)>> {
        side.runs.iter().map(key_figures::of).collect()
    };
    let (of_a, of_b) = (figures(a), figures(b));
    let mut names: Vec<&KeyFigure> = Vec::new();
    for (name, _) in of_a.iter().chain(&of_b).flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let named = |runs: &[Vec<(KeyFigure, f64)>], name: &KeyFigure| -> Vec<f64> {
        let found = runs.iter().flatten().filter(|(known, _)| known == name);
        found.map(|(_, value)| *value).collect()
    };
    names
        .into_iter()
        .map(|name| {
            let (in_a, in_b) = (named(&of_a, name), named(&of_b, name));
            let is_whole = |values: &[f64], runs: &[RunResult]| {
                values.len() == runs.len() && values.iter().all(|value| *value > 0.0)
            };
            Values {
                name: name.clone(),
                whole: is_whole(&in_a, &a.runs) && is_whole(&in_b, &b.runs),
                a: in_a,
                b: in_b,
            }
        })
        .collect()
}

impl Values {
    fn samples(&self) -> TwoSamples {
        TwoSamples::of(logs(&self.a), logs(&self.b))
    }

    /// Returns the values of the runs, each divided by that of another figure.
    fn relative_to(&self, other: &Self) -> Self {
        let divided = |one: &[f64], other: &[f64]| {
            let pairs = one.iter().zip(other);
            pairs.map(|(one, other)| one / other).collect()
        };
        Self {
            name: self.name.clone(),
            a: divided(&self.a, &other.a),
            b: divided(&self.b, &other.b),
            whole: self.whole && other.whole,
        }
    }

    fn ratio(&self) -> f64 {
        match (&self.a[..], &self.b[..]) {
            ([a], [b]) => b / a,
            _ => self.samples().difference().exp(),
        }
    }
}

fn logs(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.ln()).collect()
}

/// Source of the intervals.
struct Source<'a> {
    basis: Basis,
    within: Option<Within<'a>>,
    known: Vec<&'a MachineSpread>,
    /// Level of the intervals from a calibration.
    confidence: f64,
}

impl Source<'_> {
    fn interval(&self, values: &Values, ratio: f64) -> Option<Interval> {
        let samples = values.samples();
        let freedom = (values.a.len() + values.b.len()).saturating_sub(2) as f64;
        let logs = match self.basis {
            Basis::Seconds => return self.within.as_ref()?.interval(&values.name, ratio),
            Basis::Runs if values.a.len().min(values.b.len()) > 1 => samples.interval(CONFIDENCE),
            // One of the sides has a single run, with the spread of the other.
            Basis::Runs | Basis::FewRuns => {
                samples.predicted(samples.deviation()?, freedom, CONFIDENCE)
            }
            Basis::Calibration => {
                let (known, runs) = self.known(&values.name)?;
                // Runs that vary more than those of the calibration show that it is no longer
                // true.
                let deviation = known.spread.max(samples.deviation().unwrap_or(0.0));
                samples.predicted(deviation, runs - 1.0, self.confidence)
            }
        };
        Some(Interval {
            low: logs.low.exp(),
            high: logs.high.exp(),
        })
        .filter(|interval| interval.high.is_finite())
    }

    /// Returns the larger spread of a figure in the calibrations, and its number of runs.
    fn known(&self, name: &KeyFigure) -> Option<(&FigureSpread, f64)> {
        self.known
            .iter()
            .filter_map(|machine| Some((machine.of(name)?, machine.runs as f64)))
            .max_by(|(one, _), (other, _)| one.spread.total_cmp(&other.spread))
    }
}

/// P-values of the deciding figures.
struct Chances(Vec<(KeyFigure, permutation::Chance)>);

impl Chances {
    fn of(values: &[Values], basis: Basis) -> Self {
        let decide = |values: &&Values| values.whole && values.name.decides();
        let deciding: Vec<&Values> = values.iter().filter(decide).collect();
        if basis != Basis::Runs || deciding.is_empty() {
            return Self(Vec::new());
        }
        // Higher is worse in all of them.
        let of_run = |values: &[f64], run: usize, name: &KeyFigure| {
            let log = values[run].ln();
            if name.statistic.more_is_better() {
                -log
            } else {
                log
            }
        };
        let runs = |pick: fn(&Values) -> &Vec<f64>| -> Vec<Vec<f64>> {
            let count = pick(deciding[0]).len();
            let run = |run| {
                deciding
                    .iter()
                    .map(|v| of_run(pick(v), run, &v.name))
                    .collect()
            };
            (0..count).map(run).collect()
        };
        let chances = permutation::chances(&runs(|v| &v.a), &runs(|v| &v.b));
        let names = deciding.iter().map(|values| values.name.clone());
        Self(names.zip(chances).collect())
    }

    fn of_figure(&self, name: &KeyFigure) -> Option<permutation::Chance> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, chance)| *chance)
    }
}
