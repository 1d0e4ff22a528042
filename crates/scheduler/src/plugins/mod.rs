//! Filters and scores that depend on the pods of nodes, one module for each plugin.

pub(crate) mod fit;
pub(crate) mod pod_affinity;
pub(crate) mod spread;
