//! Decisions of a Kubernetes API server on pods that are created, without an API server.
//!
//! [`replay`] takes pods in the order of their arrival and asks, as an API server does,
//! `LimitRange`, `ValidatingAdmissionPolicy` and `ResourceQuota`. Messages are the API server's
//! words.
//!
//! # Modules
//!
//! - `limit_range`, `quota`, `scope`: one object each, and its rules.
//! - `resources`: sums of the resources of a pod.
//! - `policy`: ValidatingAdmissionPolicy.
//! - `object`, `typed`: the pod as expressions see it.
//! - `policies`: all policies of an input.
//! - `replay`, `books`: pods and the usage of quotas over time.
//! - `eviction`: order of eviction of a node with too little memory.

mod books;
mod eviction;
mod limit_range;
mod object;
mod policies;
mod policy;
mod quota;
mod replay;
mod resources;
mod scope;
mod typed;

pub use books::{KeyReport, QuotaReport};
pub use eviction::{Candidate, Pressure, at_peak, rank};
pub use limit_range::{LimitRange, LimitRangeItem, LimitRangeSpec, refusal};
pub use policies::{ObjectError, Policies};
pub use policy::{
    BoundPolicy, Denial, Findings, ParamObject, PodRequest, Policy, PolicyBindingObject,
    PolicyError, PolicyObject, Requester, environment,
};
pub use quota::{Ledger, ResourceQuota, ResourceQuotaSpec, Share, Usage};
pub use replay::{Decision, Plugin, Replay, replay};
pub use resources::set_resource_defaults;
pub use scope::{ScopeError, ScopeRequirement, ScopeSelector};
pub use typed::pod as typed_pod;

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
