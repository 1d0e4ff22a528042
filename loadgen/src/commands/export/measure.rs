//! Figures of a result in a form that every format can take.

use crate::commands::any_result::AnyResult;
use crate::commands::gate::decide::Judged;
use crate::commands::gate::result::GateResult;
use crate::commands::overhead::result::{LayerResult, OverheadResult, RoundResult};
use crate::result::density::{DensityResult, PerPod};
use crate::result::key_figure::{KeyFigure, Statistic};
use crate::result::key_figures;
use crate::result::machine_spread::FigureSpread;
use crate::result::search::SearchResult;
use crate::result::{RunResult, Scenario};

/// Kind of the figures of which more is better.
const RATE: &str = "throughput";

/// Unit of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// Milliseconds.
    Milliseconds,
    /// Pods per second.
    PodsPerSecond,
    /// Bytes.
    Bytes,
    /// Hundredths.
    Percent,
    /// A number.
    Number,
}

impl Unit {
    /// Returns the symbol.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Milliseconds => "ms",
            Self::PodsPerSecond => "pods/s",
            Self::Bytes => "B",
            Self::Percent => "%",
            Self::Number => "",
        }
    }
}

/// A figure with its name, bounds and direction.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// Name of the scenario, or of the command without one.
    pub scenario: String,
    /// Driver.
    pub target: String,
    /// Subject of the figure: an operation, a process, or words.
    pub what: String,
    /// Kind of the figure, in lower case with hyphens.
    pub kind: &'static str,
    /// Unit of value and bounds.
    pub unit: Unit,
    /// Value.
    pub value: f64,
    /// Lower bound; `None` if none is known.
    pub low: Option<f64>,
    /// Upper bound; `None` if none is known.
    pub high: Option<f64>,
    /// Whether a higher value is better.
    pub more_is_better: bool,
}

impl Measure {
    /// Returns a name that is unique in its result: scenario, driver and subject.
    pub fn benchmark(&self) -> String {
        format!("{} {} {}", self.scenario, self.target, self.what)
    }
}

/// Returns the figures of a result.
pub fn of(result: &AnyResult) -> Vec<Measure> {
    match result {
        AnyResult::Run(result) => of_run(result),
        AnyResult::Repeated(result) => of_runs(&result.scenario, &result.figures),
        AnyResult::Calibration(result) => of_runs(&result.scenario, &result.figures),
        AnyResult::Gate(result) => of_gate(result),
        AnyResult::Search(result) => of_search(result),
        AnyResult::Density(result) => of_density(result),
        AnyResult::Overhead(result) => of_overhead(result),
    }
}

fn of_key_figure(scenario: &Scenario, figure: &KeyFigure, value: f64) -> Measure {
    let (kind, unit) = match figure.statistic {
        Statistic::P50 => ("latency-p50", Unit::Nanoseconds),
        Statistic::P99 => ("latency-p99", Unit::Nanoseconds),
        Statistic::Mean => ("latency", Unit::Nanoseconds),
        Statistic::Rate => (RATE, Unit::PodsPerSecond),
        Statistic::Cpu => ("cpu-per-pod", Unit::Milliseconds),
    };
    Measure {
        what: figure.what.clone(),
        more_is_better: figure.statistic.more_is_better(),
        ..new(scenario, kind, unit, value)
    }
}

fn new(scenario: &Scenario, kind: &'static str, unit: Unit, value: f64) -> Measure {
    Measure {
        scenario: scenario.name.clone(),
        target: scenario.target.clone(),
        what: String::new(),
        kind,
        unit,
        value,
        low: None,
        high: None,
        more_is_better: false,
    }
}

fn of_run(result: &RunResult) -> Vec<Measure> {
    let figures = key_figures::of(result).into_iter();
    let measure = |(figure, value)| of_key_figure(&result.scenario, &figure, value);
    figures.map(measure).collect()
}

/// The bounds are the lowest and the highest value of the runs.
fn of_runs(scenario: &Scenario, figures: &[FigureSpread]) -> Vec<Measure> {
    let measure = |known: &FigureSpread| {
        let values = || known.values.iter().copied();
        Measure {
            low: values().reduce(f64::min),
            high: values().reduce(f64::max),
            ..of_key_figure(scenario, &known.figure, known.median)
        }
    };
    figures.iter().map(measure).collect()
}

/// The figures are increases from base to head.
fn of_gate(result: &GateResult) -> Vec<Measure> {
    let measure = |judged: &Judged| Measure {
        scenario: "gate".to_owned(),
        target: result.scenario.target.clone(),
        what: judged.metric.name().to_owned(),
        kind: "increase",
        unit: Unit::Percent,
        value: judged.change * 100.0,
        low: judged.at_least.map(|share| share * 100.0),
        high: judged.at_most.map(|share| share * 100.0),
        more_is_better: false,
    };
    result.metrics.iter().map(measure).collect()
}

/// The bounds are the highest rate that met and the lowest that missed. A search in which no rate
/// met has no figure.
fn of_search(result: &SearchResult) -> Vec<Measure> {
    let measure = |met| Measure {
        what: "highest rate that meets".to_owned(),
        low: Some(met),
        high: result.missed,
        more_is_better: true,
        ..new(&result.scenario, RATE, Unit::PodsPerSecond, met)
    };
    result.met.map(measure).into_iter().collect()
}

fn of_density(result: &DensityResult) -> Vec<Measure> {
    let of_process = |cost: &PerPod| {
        let new = |kind, unit, value| Measure {
            what: cost.role.clone(),
            ..new(&result.scenario, kind, unit, value)
        };
        let memory = Measure {
            low: cost.rss_low,
            high: cost.rss_high,
            ..new("memory-per-pod", Unit::Bytes, cost.rss_bytes)
        };
        let files = cost.fds;
        let files = files.map(|files| new("descriptors-per-pod", Unit::Number, files));
        [Some(memory), files]
    };
    result
        .per_pod
        .iter()
        .flat_map(of_process)
        .flatten()
        .collect()
}

/// The target is the name of the layer. The bounds are the lowest and the highest value of the rounds.
fn of_overhead(result: &OverheadResult) -> Vec<Measure> {
    result.layers.iter().flat_map(of_layer).collect()
}

fn of_layer(layer: &LayerResult) -> Vec<Measure> {
    let new = |what: &str, kind, unit, value, of: &dyn Fn(&RoundResult) -> f64| {
        let values = || layer.rounds.iter().map(of);
        Measure {
            scenario: "overhead".to_owned(),
            target: layer.layer.name(),
            what: what.to_owned(),
            kind,
            unit,
            value,
            low: values().reduce(f64::min),
            high: values().reduce(f64::max),
            more_is_better: kind == RATE,
        }
    };
    let p50 = layer.pod().map(|pod| {
        let of = |round: &RoundResult| round.p50_ns as f64;
        new(
            "pod",
            "latency-p50",
            Unit::Nanoseconds,
            pod.p50_ns as f64,
            &of,
        )
    });
    let rate = new(
        "pods",
        RATE,
        Unit::PodsPerSecond,
        layer.pods_per_s,
        &|round| round.pods_per_s,
    );
    let cpu = layer.processes.iter().enumerate().map(|(place, process)| {
        let of = |round: &RoundResult| round.cpu_ms_per_pod.get(place).copied().unwrap_or(f64::NAN);
        new(
            &process.role,
            "cpu-per-pod",
            Unit::Milliseconds,
            process.cpu_ms_per_pod,
            &of,
        )
    });
    p50.into_iter().chain([rate]).chain(cpu).collect()
}

/// Returns a table of comma-separated values (RFC 4180).
///
/// # Errors
/// Errors of the writer.
pub fn csv(measures: &[Measure]) -> std::io::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "scenario", "target", "what", "kind", "unit", "value", "low", "high",
    ])?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for measure in measures {
        writer.write_record([
            &measure.scenario,
            &measure.target,
            &measure.what,
            measure.kind,
            measure.unit.symbol(),
            &number(Some(measure.value)),
            &number(measure.low),
            &number(measure.high),
        ])?;
    }
    let bytes = writer
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    #[test]
    fn a_run_has_the_figures_by_which_it_is_compared() {
        let measures = of_run(&example());
        let cpu = measures.iter().find(|m| m.kind == "cpu-per-pod").unwrap();
        assert_eq!(cpu.benchmark(), "churn ttrpc sandboxer");
        assert!((cpu.value - 187.5).abs() < 1e-9);
        let rate = measures.iter().find(|m| m.kind == "throughput").unwrap();
        assert!(rate.more_is_better && !cpu.more_is_better);
    }

    #[test]
    fn a_search_in_which_no_rate_met_has_no_figure() {
        let text = include_str!("../../../../results/search/result.json");
        let mut search: SearchResult = serde_json::from_str(text).unwrap();
        assert_eq!(of_search(&search).len(), 1);
        search.met = None;
        assert_eq!(of_search(&search), []);
    }

    #[test]
    fn a_comma_in_a_name_is_quoted() {
        let measure = Measure {
            scenario: "a,b".to_owned(),
            ..of_run(&example()).remove(0)
        };
        let text = csv(&[measure]).unwrap();
        assert!(text.contains("\n\"a,b\",ttrpc,"), "{text}");
        assert!(text.ends_with(",,\n"), "{text}");
    }
}
