//! Demands of a pod's spec on one node or one set of labels.

pub(crate) mod node_affinity;
pub(crate) mod ports;
pub(crate) mod selector;
pub(crate) mod taints;
