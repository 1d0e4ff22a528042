//! Pods with their nodes as traces of `loadgen`, one for each node, so that a replay of each trace
//! against the runtime of its node makes the placement happen.
//!
//! The format is that of `loadgen replay`, written here without code of `loadgen`: a head, then one
//! pod a line. Times of all traces count from one moment, the first arrival on any node.

mod laid;
mod nodes;
mod scenario;
mod timeline;
mod trace;

pub use nodes::{ByNode, PlacementError, by_node};
pub use scenario::scenario;
pub use timeline::Timeline;
pub use trace::{Trace, TraceSummary};
