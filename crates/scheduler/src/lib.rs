//! Places pods on nodes as kube-scheduler does: its filters, scores and messages.
//!
//! # Modules
//!
//! - `scoring`: scores of a node by its resources.

pub mod scoring;
