//! Kubernetes' arithmetic of resources.
//!
//! - `quantity`: quantities, as `k8s.io/apimachinery/pkg/api/resource` reads and writes them.
//! - `oom`: the memory request that an OOM score adjustment stands for.
//!
//! The crate is pure: it reads no file, no clock and no network.

mod oom;
mod quantity;

pub use oom::{MemoryRequest, oom_memory_request};
pub use quantity::{Format, Quantity, QuantityError};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
