//! Values of each figure over the points, and the changes of its level.

use std::collections::BTreeMap;

use serde::Serialize;

use super::points::Point;
use crate::commands::export::measure::{Measure, Unit};
use crate::record::operation::Operation;
use crate::stats::change_points::{self, change_points};
use crate::stats::median;

/// Seed of the random orders, the same in every trend: the same results give the same changes.
const SEED: u64 = 1;

/// Value of the field `schema`.
const SCHEMA: &str = "resource-slot.loadgen.trend";
/// Value of the field `schema_version`.
const SCHEMA_VERSION: u32 = 1;

/// Changes that count, and the errors that a trend may make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Smallest change that counts, as a share: 0.03 for 3 %.
    pub min_effect: f64,
    /// Highest probability that any change is found if nothing has changed.
    pub alpha: f64,
    /// Whether every figure is tested.
    pub tests_all: bool,
}

/// Figures of all points, and their changes: the document of a trend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// Kind of the document.
    pub schema: &'static str,
    /// Version of its form.
    pub schema_version: u32,
    /// Smallest change that counts, as a share.
    pub min_effect: f64,
    /// Highest probability that any change is found if nothing has changed.
    pub alpha: f64,
    /// Points, in the order of their times.
    pub points: Vec<NamedPoint>,
    /// Figures, those that are tested first.
    pub figures: Vec<Series>,
    /// Differences between the machines of two points, in words.
    pub notes: Vec<String>,
}

/// A point without its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedPoint {
    /// Name of its directory, such as a commit or a day.
    pub label: String,
    /// Beginning of its first result (RFC 3339, UTC).
    pub started_at: String,
    /// Number of its results.
    pub results: usize,
}

/// Values of a figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Series {
    /// Name: scenario, driver and subject.
    pub name: String,
    /// Kind of the figure, in lower case with hyphens.
    pub kind: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// Whether a higher value is better.
    pub more_is_better: bool,
    /// Whether the figure was tested for changes.
    pub tested: bool,
    /// Value at each point, the median of its results; absent where no result has the figure.
    pub values: Vec<Option<f64>>,
    /// Changes, in the order of their points.
    pub changes: Vec<Change>,
    #[serde(skip)]
    measured: Unit,
}

/// A change of the level of a figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Number of the first point with the new level, from 0.
    pub point: usize,
    /// Label of this point.
    pub at: String,
    /// Label of the last point with the old level.
    pub after: String,
    /// Median from the change before to this one.
    pub old: f64,
    /// Median from this change to the next one.
    pub new: f64,
    /// Change of the median, as a share; absent if the old one is 0.
    pub change: Option<f64>,
    /// Whether the figure became worse.
    pub worse: bool,
    /// Probability of so clear a change if nothing has changed, for this figure alone.
    pub p: f64,
}

impl Trend {
    /// Finds the changes of the figures over these points.
    pub fn of(points: &[Point], terms: Terms) -> Self {
        let mut figures: Vec<Series> = series(points, terms.tests_all);
        let tested = figures.iter().filter(|series| series.tested).count();
        // By Bonferroni's inequality over the figures. The test needs a thousandth at least.
        let level = (terms.alpha / tested.max(1) as f64).max(0.001);
        for series in figures.iter_mut().filter(|series| series.tested) {
            series.changes = changes(series, points, level, terms.min_effect);
        }
        Self {
            schema: SCHEMA,
            schema_version: SCHEMA_VERSION,
            min_effect: terms.min_effect,
            alpha: terms.alpha.max(0.001 * tested as f64),
            points: points
                .iter()
                .map(|point| NamedPoint {
                    label: point.label.clone(),
                    started_at: point.started_at.clone(),
                    results: point.results.len(),
                })
                .collect(),
            figures,
            notes: notes(points),
        }
    }

    /// Returns all changes with their figures.
    pub fn changes(&self) -> impl Iterator<Item = (&Series, &Change)> {
        let of = |series| std::iter::repeat(series);
        let figures = self.figures.iter();
        figures.flat_map(move |series| of(series).zip(&series.changes))
    }

    /// Returns whether a figure became worse at any point.
    pub fn is_worse(&self) -> bool {
        self.changes().any(|(_, change)| change.worse)
    }
}

impl Series {
    /// Formats a value with its unit.
    pub fn shown(&self, value: f64) -> String {
        match self.measured {
            Unit::Nanoseconds => display::human::duration(value),
            Unit::Milliseconds => format!("{value:.3} ms"),
            Unit::PodsPerSecond => display::human::rate(value),
            Unit::Bytes | Unit::Number => format!("{value:.1} {}", self.unit).trim_end().to_owned(),
            Unit::Percent => format!("{value:+.1} %"),
        }
    }

    /// Returns the name with the kind of the figure.
    pub fn title(&self) -> String {
        format!("{}, {}", self.name, self.kind.replace('-', " "))
    }
}

/// Returns whether a figure decides a comparison: the median latency of a pod, the CPU time per pod
/// of a tested process, and the results of other commands than `run`.
fn decides(measure: &Measure) -> bool {
    match measure.kind {
        "latency-p50" => measure.what == Operation::Pod.name(),
        "cpu-per-pod" => measure.what != "loadgen",
        "latency" | "latency-p99" => false,
        "throughput" => measure.what != "pods",
        _ => true,
    }
}

/// Returns the values of all figures over the points.
fn series(points: &[Point], tests_all: bool) -> Vec<Series> {
    type Key = (bool, String, &'static str);
    let mut found: BTreeMap<Key, (Measure, Vec<Vec<f64>>)> = BTreeMap::new();
    for (number, point) in points.iter().enumerate() {
        for measure in point.results.iter().flatten() {
            let tested = tests_all || decides(measure);
            // Tested figures come first.
            let key = (!tested, measure.benchmark(), measure.kind);
            let new = || (measure.clone(), vec![Vec::new(); points.len()]);
            let (_, values) = found.entry(key).or_insert_with(new);
            values[number].push(measure.value);
        }
    }
    let of = |((shown_only, name, kind), (measure, values)): (Key, (Measure, Vec<Vec<f64>>))| {
        let values = values.into_iter();
        let values = values.map(|all| (!all.is_empty()).then(|| median(all)));
        Series {
            name,
            kind,
            unit: measure.unit.symbol(),
            more_is_better: measure.more_is_better,
            tested: !shown_only,
            values: values.collect(),
            changes: Vec::new(),
            measured: measure.unit,
        }
    };
    found.into_iter().map(of).collect()
}

fn changes(series: &Series, points: &[Point], level: f64, min_effect: f64) -> Vec<Change> {
    let present: Vec<(usize, f64)> = series
        .values
        .iter()
        .enumerate()
        .filter_map(|(number, value)| Some((number, (*value)?)))
        .collect();
    let values: Vec<f64> = present.iter().map(|(_, value)| *value).collect();
    // Shares are differences of logarithms, where there are logarithms.
    let scaled: Vec<f64> = if values.iter().all(|value| *value > 0.0) {
        values.iter().map(|value| value.ln()).collect()
    } else {
        values.clone()
    };
    let found = change_points(&scaled, level, SEED);
    let begins = |number: usize| match number.checked_sub(1) {
        Some(before) => found[before].at,
        None => 0,
    };
    let ends = |number: usize| found.get(number).map_or(values.len(), |next| next.at);
    let change = |(number, found): (usize, &change_points::ChangePoint)| {
        let old = median(values[begins(number)..found.at].to_vec());
        let new = median(values[found.at..ends(number + 1)].to_vec());
        let change = (old != 0.0).then(|| new / old - 1.0);
        let is_large = change.is_none_or(|change| change.abs() >= min_effect);
        let at = present[found.at].0;
        let last = present[found.at - 1].0;
        is_large.then(|| Change {
            point: at,
            at: points[at].label.clone(),
            after: points[last].label.clone(),
            old,
            new,
            change,
            worse: (new < old) == series.more_is_better,
            p: found.p,
        })
    };
    found.iter().enumerate().filter_map(change).collect()
}

/// Tells of each point whose machine is another one than that of the point before.
fn notes(points: &[Point]) -> Vec<String> {
    let pairs = points.windows(2).filter_map(|pair| {
        let differences = pair[0].environment.differences(&pair[1].environment);
        (!differences.is_empty()).then(|| {
            format!(
                "the machine of {} is not that of {}: {}",
                pair[1].label,
                pair[0].label,
                differences.join("; ")
            )
        })
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::any_result::AnyResult;
    use crate::commands::export::measure;
    use crate::result::fixture::example;

    const TERMS: Terms = Terms {
        min_effect: 0.03,
        alpha: 0.01,
        tests_all: false,
    };

    /// Points with the figures of a run, of which the CPU time has these factors.
    fn points(factors: &[f64]) -> Vec<Point> {
        let run = AnyResult::Run(Box::new(example()));
        let point = |(number, factor): (usize, &f64)| {
            let mut measures = measure::of(&run);
            for measure in &mut measures {
                if measure.kind == "cpu-per-pod" && measure.what == "sandboxer" {
                    measure.value *= factor;
                }
            }
            Point {
                label: format!("c{number}"),
                started_at: format!("2026-01-01T00:00:{number:02}Z"),
                environment: example().environment,
                results: vec![measures],
            }
        };
        factors.iter().enumerate().map(point).collect()
    }

    /// Factors around 1 without any pattern.
    fn factors(count: usize, step: usize, by: f64) -> Vec<f64> {
        let noise = [0.01, -0.006, 0.0, 0.008, -0.011, 0.003, -0.004];
        let factor = |at: usize| (1.0 + noise[at * 5 % 7]) * if at < step { 1.0 } else { by };
        (0..count).map(factor).collect()
    }

    #[test]
    fn a_change_names_its_points_and_its_direction() {
        let trend = Trend::of(&points(&factors(24, 14, 1.1)), TERMS);
        let changes: Vec<_> = trend.changes().collect();
        let [(series, change)] = changes[..] else {
            panic!("{changes:?}");
        };
        assert_eq!(series.name, "churn ttrpc sandboxer");
        assert_eq!(
            (&*change.after, &*change.at, change.point),
            ("c13", "c14", 14)
        );
        assert!((change.change.unwrap() - 0.1).abs() < 0.02 && change.worse);
        assert!(trend.is_worse());
        let better = Trend::of(&points(&factors(24, 14, 0.9)), TERMS);
        assert!(better.changes().count() == 1 && !better.is_worse());
    }

    #[test]
    fn a_small_change_and_no_change_are_not_told() {
        for by in [1.0, 1.02] {
            let trend = Trend::of(&points(&factors(24, 14, by)), TERMS);
            assert_eq!(trend.changes().count(), 0, "{by}");
        }
    }

    #[test]
    fn several_results_of_a_point_have_their_median_and_gaps_stay() {
        let mut points = points(&factors(3, 9, 1.0));
        let mut far = points[1].results[0].clone();
        for measure in &mut far {
            measure.value *= 3.0;
        }
        let near = points[1].results[0].clone();
        points[1].results.extend([far, near]);
        points[2].results.clear();
        let trend = Trend::of(&points, TERMS);
        let cpu = trend
            .figures
            .iter()
            .find(|s| s.name.ends_with("sandboxer"))
            .unwrap();
        assert!(cpu.tested && (cpu.values[1].unwrap() / cpu.values[0].unwrap() - 1.0).abs() < 0.05);
        assert_eq!(cpu.values[2], None);
        assert_eq!(trend.points[1].results, 3);
    }

    #[test]
    fn another_machine_is_noted() {
        let mut points = points(&factors(3, 9, 1.0));
        points[2].environment.cores += 1;
        let notes = Trend::of(&points, TERMS).notes;
        assert!(
            notes.len() == 1 && notes[0].starts_with("the machine of c2 is not that of c1: cores")
        );
    }
}
