//! Spans of the calls of a load, in its result.

mod summary;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::operation::Operation;
use crate::spans::component::Component;

pub use self::summary::summarize;

/// Time of the calls of pods by the components of the node that they passed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpansResult {
    /// Number of pods with spans.
    pub pods: u64,
    /// Number of received spans.
    pub spans: u64,
    /// Number of calls without a span of the server that answered them. They count in no figure.
    pub calls_without_spans: u64,
    /// Number of spans that outlive their call, such as those that wait for the end of a container.
    /// They count in no figure.
    pub spans_beyond_calls: u64,
    /// Self times per pod over all its calls, the greatest first.
    pub components: Vec<ComponentTime>,
    /// Figures by operation, in the order of a lifecycle.
    pub calls: Vec<CallSpans>,
    /// Spans of single pods.
    pub waterfalls: Vec<Waterfall>,
}

/// Self time of a component: the time in which a span of it was the deepest one that was open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComponentTime {
    /// The component.
    pub component: Component,
    /// Mean per pod, in milliseconds.
    pub self_ms_per_pod: f64,
    /// Lower end of the 95 % confidence interval; absent with too few pods.
    pub low: Option<f64>,
    /// Upper end of the 95 % confidence interval; absent with too few pods.
    pub high: Option<f64>,
    /// Share of the sum of all components.
    pub share: f64,
}

/// Figures of the calls of one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallSpans {
    /// The operation.
    pub operation: Operation,
    /// Number of calls.
    pub count: u64,
    /// Mean latency of a call, in milliseconds.
    pub mean_ms: f64,
    /// Self times per pod in these calls, the greatest first.
    pub components: Vec<ComponentTime>,
    /// Self times by the names of spans, the greatest first. The first level is the call itself.
    pub names: Vec<NameTime>,
}

/// Self time of the spans of one name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NameTime {
    /// Name of the spans.
    pub name: String,
    /// Component of the spans.
    pub component: Component,
    /// Mean number of such spans in a call.
    pub count_per_call: f64,
    /// Mean self time in a call, in milliseconds.
    pub self_ms_per_call: f64,
}

/// Choice of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaterfallOf {
    /// Pod with the median time in its calls.
    Median,
    /// Pod with the longest time in its calls.
    Slowest,
}

/// Spans of the calls of one pod, in the order of their beginnings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waterfall {
    /// Choice of the pod.
    pub of: WaterfallOf,
    /// Index of the pod in the plan.
    pub pod: u64,
    /// Sum of the latencies of its calls, in nanoseconds.
    pub calls_ns: u64,
    /// Calls, each followed by the spans below it.
    pub spans: Vec<WaterfallSpan>,
}

/// One span of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaterfallSpan {
    /// Name of the span.
    pub name: String,
    /// Component of the span.
    pub component: Component,
    /// Time from the beginning of the first call, in nanoseconds.
    pub from_ns: u64,
    /// Duration, in nanoseconds.
    pub took_ns: u64,
    /// Self time, in nanoseconds.
    pub self_ns: u64,
    /// Number of spans above it; 0 for a call.
    pub depth: u64,
}
