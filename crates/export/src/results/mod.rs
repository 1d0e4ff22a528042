//! Results of other commands: the documents that `slotplan schedule --json` and
//! `slotplan cost --json` print.
//!
//! A document may have fields that are not read here. A document of another version of its schema
//! is refused.

mod cost;
mod schedule;

use inventory::Timestamp;
use serde::Deserialize;

/// Outcome for one pod that waited for a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Node; `None` for a pod without a place.
    pub node: Option<String>,
    /// Reason in a word why the pod has no place, such as `Unschedulable`.
    pub reason: Option<String>,
    /// Reason in the words of the scheduler.
    pub message: Option<String>,
}

/// Result of `slotplan schedule`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedule {
    /// Outcome for each pod that waited, and for each that was removed and is on no node.
    pub placements: Vec<Placement>,
    /// Namespaces and names of pods that were removed from their nodes for others.
    pub evicted: Vec<(String, String)>,
}

/// Cost of one group. Money is in billionths of a currency unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostLine {
    /// Properties by which costs are grouped, separated by `/`.
    pub by: String,
    /// Values of the properties, separated by `/`, or a name such as `__idle__`.
    pub key: String,
    /// Sort of the group, such as `containers` or `idle`.
    pub kind: String,
    /// Code of the currency.
    pub currency: String,
    /// Start of the window.
    pub start: Timestamp,
    /// End of the window.
    pub end: Timestamp,
    /// Cost of the CPU, rounded.
    pub cpu_nano: i64,
    /// Cost of the memory, rounded.
    pub memory_nano: i64,
    /// Cost of graphics processors, rounded.
    pub gpu_nano: i64,
    /// Shared costs that are laid on the group, rounded.
    pub shared_nano: i64,
    /// All costs; these sum to the total of the result.
    pub total_nano: i64,
}

/// Result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// Of `slotplan schedule`.
    Schedule(Schedule),
    /// Of `slotplan cost`.
    Cost(Vec<CostLine>),
}

/// Results with their names, in the order in which they were given.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// Name and contents of each.
    pub documents: Vec<(String, Document)>,
}

impl Results {
    /// Returns all schedules, each with the name of its result.
    pub fn schedules(&self) -> impl Iterator<Item = (&str, &Schedule)> {
        self.documents
            .iter()
            .filter_map(|(name, document)| match document {
                Document::Schedule(schedule) => Some((&**name, schedule)),
                Document::Cost(_) => None,
            })
    }

    /// Returns all costs, each with the name of its result.
    pub fn costs(&self) -> impl Iterator<Item = (&str, &CostLine)> {
        let costs = self
            .documents
            .iter()
            .filter_map(|(name, document)| match document {
                Document::Cost(lines) => Some((&**name, lines)),
                Document::Schedule(_) => None,
            });
        costs.flat_map(|(name, lines)| lines.iter().map(move |line| (name, line)))
    }
}

/// Fault of a document.
#[derive(Debug, thiserror::Error)]
pub enum ResultError {
    /// The text is not JSON, has no schema, or a part is missing or wrong.
    #[error("no result of slotplan: {0}")]
    Json(#[from] serde_json::Error),
    /// The document is of a kind or version that is not read.
    #[error(
        "schema is {0:?}, not {schedule:?} or {cost:?}",
        schedule = schedule::SCHEMA,
        cost = cost::SCHEMA
    )]
    Schema(String),
    /// An amount of money beyond 64 bits.
    #[error("{part} of group {key:?} is {money}, which is beyond 64 bits in billionths")]
    Money {
        /// Name of the field.
        part: &'static str,
        /// Key of the group.
        key: String,
        /// Amount.
        money: f64,
    },
    /// A name of a pod without its namespace.
    #[error("pod {0:?} is not NAMESPACE/NAME")]
    Pod(String),
}

/// Reads the result of a command.
///
/// # Errors
/// A text that is no such document.
pub fn read_result(text: &str) -> Result<Document, ResultError> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let head: Head = serde_json::from_str(text)?;
    match head.schema.as_str() {
        schedule::SCHEMA => schedule::read(text).map(Document::Schedule),
        cost::SCHEMA => cost::read(text).map(Document::Cost),
        _ => Err(ResultError::Schema(head.schema)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_another_kind_or_version_is_refused() {
        for (text, message) in [
            ("{", "no result of slotplan: EOF"),
            ("{}", "no result of slotplan: missing field `schema`"),
            (
                r#"{"schema": "slotplan/cost/2"}"#,
                r#"schema is "slotplan/cost/2", not "slotplan/schedule/1" or "slotplan/cost/1""#,
            ),
            (
                r#"{"schema": "slotplan/schedule/1"}"#,
                "no result of slotplan: missing field `placements`",
            ),
        ] {
            let error = read_result(text).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
