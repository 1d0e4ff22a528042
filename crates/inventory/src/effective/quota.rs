//! Amounts that a `ResourceQuota` counts for a pod.

use kube_resources::{Format, Quantity};

use crate::ResourceName;
use crate::api::{PodSpec, Quantities};

use super::sums::{Parts, pod_limits, pod_requests};
use super::{defaulted, is_huge_page};

/// Returns the amounts that a quota counts for a pod that has not ended (`PodUsageFunc` in
/// `pkg/quota/v1/evaluator/core/pods.go`), by the names that a quota limits.
pub fn quota_usage(spec: &PodSpec) -> Quantities {
    const BOTH: [&str; 3] = [
        ResourceName::CPU,
        ResourceName::MEMORY,
        ResourceName::EPHEMERAL_STORAGE,
    ];
    let spec = defaulted(spec);
    let one = Quantity::from_nanos(1_000_000_000, Format::DecimalSi);
    let mut usage = Quantities::from([
        ("count/pods".to_owned(), one),
        (ResourceName::PODS.to_owned(), one),
    ]);
    for (name, request) in pod_requests(&spec, Parts::ALL) {
        let is_plain = BOTH.contains(&name.as_str()) || is_huge_page(&name);
        if is_plain || is_extended(&name) {
            usage.insert(format!("requests.{name}"), request);
        }
        if is_plain {
            usage.insert(name, request);
        }
    }
    for (name, limit) in pod_limits(&spec, Parts::ALL) {
        if BOTH.contains(&name.as_str()) {
            usage.insert(format!("limits.{name}"), limit);
        }
    }
    usage
}

/// Returns whether a resource is one of a device plug-in or device class
/// (`IsDRAExtendedResourceName`): its name has a domain, which is not that of Kubernetes.
fn is_extended(name: &str) -> bool {
    let of_plugin =
        name.contains('/') && !name.contains("kubernetes.io/") && !name.starts_with("requests.");
    of_plugin || name.starts_with("deviceclass.resource.kubernetes.io/")
}
