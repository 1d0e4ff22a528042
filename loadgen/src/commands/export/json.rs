//! Formats in JSON: Bencher Metric Format (<https://bencher.dev/docs/reference/bencher-metric-format/>),
//! and the custom format of github-action-benchmark
//! (<https://github.com/benchmark-action/github-action-benchmark>).

use serde_json::{Map, Value, json};

use super::measure::Measure;

/// Returns the figures as Bencher Metric Format: an object of benchmarks, each an object of
/// measures with value and bounds.
pub fn bmf(measures: &[Measure]) -> String {
    let mut benchmarks = Map::new();
    for measure in measures {
        let mut metric = Map::new();
        metric.insert("value".to_owned(), json!(measure.value));
        for (name, bound) in [("lower_value", measure.low), ("upper_value", measure.high)] {
            metric.extend(bound.map(|bound| (name.to_owned(), json!(bound))));
        }
        let benchmark = benchmarks
            .entry(measure.benchmark())
            .or_insert_with(|| Value::Object(Map::new()));
        benchmark[measure.kind] = Value::Object(metric);
    }
    lines(&Value::Object(benchmarks))
}

/// Returns the figures of one direction as github-action-benchmark takes them, with the tool
/// `customBiggerIsBetter` or `customSmallerIsBetter`.
pub fn github_action_benchmark(measures: &[Measure], bigger_is_better: bool) -> String {
    let of_direction = measures.iter();
    let of_direction = of_direction.filter(|measure| measure.more_is_better == bigger_is_better);
    let entries = of_direction.map(|measure| {
        let mut entry = json!({
            "name": format!("{} {}", measure.benchmark(), measure.kind),
            "unit": measure.unit.symbol(),
            "value": measure.value,
        });
        if let (Some(low), Some(high)) = (measure.low, measure.high) {
            entry["range"] = json!(format!("{low:.4} to {high:.4}"));
        }
        entry
    });
    lines(&Value::Array(entries.collect()))
}

fn lines(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::export::measure::Unit;

    fn measures() -> Vec<Measure> {
        let p50 = Measure {
            scenario: "churn".to_owned(),
            target: "ttrpc".to_owned(),
            what: "pod".to_owned(),
            kind: "latency-p50",
            unit: Unit::Nanoseconds,
            value: 1500.5,
            low: Some(1400.0),
            high: Some(1600.0),
            more_is_better: false,
        };
        let rate = Measure {
            what: "pods".to_owned(),
            kind: "throughput",
            unit: Unit::PodsPerSecond,
            value: 900.0,
            low: None,
            high: None,
            more_is_better: true,
            ..p50.clone()
        };
        vec![p50, rate]
    }

    #[test]
    fn bencher_takes_a_metric_by_benchmark_and_measure() {
        let read: Value = serde_json::from_str(&bmf(&measures())).unwrap();
        let expected = json!({
            "churn ttrpc pod": {
                "latency-p50": { "value": 1500.5, "lower_value": 1400.0, "upper_value": 1600.0 }
            },
            "churn ttrpc pods": { "throughput": { "value": 900.0 } }
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn github_action_benchmark_takes_one_direction() {
        let smaller = github_action_benchmark(&measures(), false);
        let expected = json!([{
            "name": "churn ttrpc pod latency-p50",
            "unit": "ns",
            "value": 1500.5,
            "range": "1400.0000 to 1600.0000"
        }]);
        assert_eq!(serde_json::from_str::<Value>(&smaller).unwrap(), expected);
        let bigger = github_action_benchmark(&measures(), true);
        let bigger: Value = serde_json::from_str(&bigger).unwrap();
        assert_eq!(bigger[0]["name"], "churn ttrpc pods throughput");
        assert_eq!(bigger.as_array().unwrap().len(), 1);
    }
}
