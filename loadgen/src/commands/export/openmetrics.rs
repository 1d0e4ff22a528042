//! Figures as OpenMetrics text
//! (<https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>), in base
//! units.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit as Base};

use super::measure::{Measure, Unit};

/// Gauges of one kind, by scenario, driver and subject.
type Gauges = Family<Vec<(&'static str, String)>, Gauge<f64, AtomicU64>>;

/// Returns the figures as gauges, one family for each kind.
///
/// # Errors
/// Errors of the encoder.
pub fn text(measures: &[Measure]) -> Result<String, fmt::Error> {
    let mut families: BTreeMap<_, (Option<Base>, Gauges)> = BTreeMap::new();
    for measure in measures {
        let (unit, factor) = base(measure.unit);
        let labels = vec![
            ("scenario", measure.scenario.clone()),
            ("target", measure.target.clone()),
            ("what", measure.what.clone()),
        ];
        let (_, gauges) = families
            .entry(measure.kind)
            .or_insert_with(|| (unit, Gauges::default()));
        gauges.get_or_create(&labels).set(measure.value * factor);
    }
    let mut registry = Registry::with_prefix("loadgen");
    for (kind, (unit, gauges)) in families {
        let (name, help) = (kind.replace('-', "_"), format!("Figure {kind} of a result"));
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, gauges),
            None => registry.register(name, help, gauges),
        }
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// Returns the base unit of a unit, and the factor to it.
fn base(unit: Unit) -> (Option<Base>, f64) {
    match unit {
        Unit::Nanoseconds => (Some(Base::Seconds), 1e-9),
        Unit::Milliseconds => (Some(Base::Seconds), 1e-3),
        Unit::PodsPerSecond => (Some(Base::Other("pods_per_second".to_owned())), 1.0),
        Unit::Bytes => (Some(Base::Bytes), 1.0),
        Unit::Percent => (Some(Base::Ratios), 1e-2),
        Unit::Number => (None, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_base_units() {
        let pod = Measure {
            scenario: "a \"b\"".to_owned(),
            target: "cri".to_owned(),
            what: "pod".to_owned(),
            kind: "latency-p50",
            unit: Unit::Nanoseconds,
            value: 2_500_000_000.0,
            low: None,
            high: None,
            more_is_better: false,
        };
        let cpu = Measure {
            what: "sandboxer".to_owned(),
            kind: "cpu-per-pod",
            unit: Unit::Milliseconds,
            value: 500.0,
            ..pod.clone()
        };
        let text = text(&[pod, cpu]).unwrap();
        for line in [
            "# TYPE loadgen_cpu_per_pod_seconds gauge",
            "# UNIT loadgen_cpu_per_pod_seconds seconds",
            r#"loadgen_cpu_per_pod_seconds{scenario="a \"b\"",target="cri",what="sandboxer"} 0.5"#,
            r#"loadgen_latency_p50_seconds{scenario="a \"b\"",target="cri",what="pod"} 2.5"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
