//! Decisions of a Kubernetes API server on pods that are created, without an API server.
mod limit_range;
mod quota;
mod resources;
mod scope;
mod typed;

#[doc(hidden)]
pub fn typed_pod(json: &serde_json::Value) -> cel::Value {
    typed::typed("Pod", json)
}

pub use limit_range::{LimitRange, LimitRangeItem, LimitRangeSpec, refusal};
pub use quota::{Ledger, ResourceQuota, ResourceQuotaSpec, Share, Usage};
pub use resources::set_resource_defaults;
pub use scope::{ScopeError, ScopeRequirement, ScopeSelector};
