//! The document of the answer.

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::answer::Header;
use crate::commands::scheduler_options::ShownScheduler;

/// Kind and version of the document.
pub(in crate::commands) const SCHEMA: &str = "slotplan/fit/1";

/// Returns the JSON Schema of the document.
pub(in crate::commands) fn schema() -> Schema {
    crate::schema::of::<Document>(SCHEMA)
}

/// Number of further pods of one kind that fit on the nodes.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document {
    #[serde(flatten)]
    pub(super) header: Header,
    /// Scheduler that places the pods.
    pub(super) scheduler: ShownScheduler,
    /// Pod of which more are placed, as NAMESPACE/NAME.
    pub(super) pod: String,
    /// Number of pods that fit on all nodes together.
    pub(super) replicas: u64,
    /// Pods that fit on each node, in the order of the input.
    pub(super) nodes: Vec<OnNode>,
    /// Scheduler's message for the first pod that does not fit; absent if the limit was
    /// reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stop: Option<String>,
}

/// Pods that fit on one node.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct OnNode {
    /// Name of the node.
    pub(super) node: String,
    /// Number of further pods on the node.
    pub(super) replicas: u64,
}
