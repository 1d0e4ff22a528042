//! Amounts that VPA recommends for an aggregation.

use serde::Serialize;

use super::amount::{scaled, whole};
use super::container::Aggregation;
use super::float::power;
use crate::resources::Resources;

/// Part of an amount that is added to it (`--recommendation-margin-fraction`).
const MARGIN: f64 = 0.15;
/// CPU of a pod in millicores at least (`--pod-recommendation-min-cpu-millicores`).
const MINIMUM_MILLICORES: f64 = 25.0;
/// Memory of a pod in MiB at least (`--pod-recommendation-min-memory-mb`).
const MINIMUM_MIB: f64 = 250.0;
/// Nanoseconds, and minutes, of history that count as confidence 1 (`--confidence-interval-cpu`,
/// `--confidence-interval-memory`).
const CONFIDENCE_NANOS: f64 = 86_400e9;
const CONFIDENCE_MINUTES: f64 = 1_440.0;

/// Percentile and multiplier of one kind of amount (`CreatePodResourceRecommender`).
struct Rule {
    percentile: f64,
    /// Number that is divided by the confidence and added to 1, and the power of the sum.
    confidence: Option<(f64, i32)>,
}

const TARGET: Rule = Rule {
    percentile: 0.9,
    confidence: None,
};
const LOWER: Rule = Rule {
    percentile: 0.5,
    confidence: Some((0.001, -2)),
};
const UPPER: Rule = Rule {
    percentile: 0.95,
    confidence: Some((1.0, 1)),
};

/// Recommendation for one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Amounts to request.
    pub target: Resources,
    /// Amounts below which VPA would replace the pod.
    pub lower_bound: Resources,
    /// Amounts above which VPA would replace the pod.
    pub upper_bound: Resources,
}

impl Estimate {
    /// Computes the recommendation for a container of pods with `containers` containers, among
    /// which VPA divides the minimum of a pod (`GetRecommendedPodResources`).
    pub fn of(aggregation: &Aggregation, containers: usize) -> Self {
        let least = minimum_for(containers);
        let by = |rule: &Rule| amounts(aggregation, rule, least);
        Self {
            target: by(&TARGET),
            lower_bound: by(&LOWER),
            upper_bound: by(&UPPER),
        }
    }
}

/// Returns the least that VPA recommends for each of some containers of a pod.
pub fn minimum_for(containers: usize) -> Resources {
    let part = 1.0 / containers as f64;
    let millicores = whole(MINIMUM_MILLICORES * 0.001 * 1000.0);
    let bytes = whole(MINIMUM_MIB * 1024.0 * 1024.0);
    Resources {
        cpu_millicores: scaled(millicores, part),
        memory_bytes: scaled(bytes, part),
    }
}

fn amounts(aggregation: &Aggregation, rule: &Rule, least: Resources) -> Resources {
    let factor = rule
        .confidence
        .map(|(multiplier, exponent)| power(1.0 + multiplier / confidence(aggregation), exponent));
    let amount = |usage: f64, least: i64| {
        let base = whole(usage);
        let with_margin = base.saturating_add(scaled(base, MARGIN));
        let amount = factor.map_or(with_margin, |factor| scaled(with_margin, factor));
        amount.max(least)
    };
    let cores = aggregation.cpu_percentile(rule.percentile);
    let bytes = aggregation.memory_percentile(rule.percentile);
    Resources {
        cpu_millicores: amount(cores * 1000.0, least.cpu_millicores),
        memory_bytes: amount(bytes, least.memory_bytes),
    }
}

/// Returns the days of history, or the days that the samples would take at one a minute if these
/// are fewer (`getConfidence`).
fn confidence(aggregation: &Aggregation) -> f64 {
    let lifespan = aggregation.last().since(aggregation.first()) as f64 / CONFIDENCE_NANOS;
    let samples = aggregation.cpu_samples() as f64 / CONFIDENCE_MINUTES;
    lifespan.min(samples)
}
