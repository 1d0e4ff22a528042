//! Class of a pod.

use crate::ResourceName;
use crate::api::{PodSpec, Quantities, ResourceRequirements};

/// Class of a pod by what it requests (`PodQOSClass`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QosClass {
    /// Every container requests as much as its limits.
    Guaranteed,
    /// Some container requests or limits something.
    Burstable,
    /// No container requests or limits anything.
    BestEffort,
}

/// Resources that decide the class.
const COUNTED: [&str; 2] = [ResourceName::CPU, ResourceName::MEMORY];

impl QosClass {
    /// Returns the name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }

    /// Computes the class of a pod whose spec has its defaults (`ComputePodQOS`). A pod that
    /// states resources for itself, be it none, has its class by them alone.
    pub(super) fn of(spec: &PodSpec) -> Self {
        let (mut requests, mut limits) = (Quantities::new(), Quantities::new());
        let mut all_limited = true;
        let mut count = |resources: &ResourceRequirements, must_limit: bool| {
            add(&mut requests, &resources.requests);
            add(&mut limits, &resources.limits);
            let is_limited = |name| resources.limits.get(name).is_some_and(|l| !l.is_zero());
            all_limited &= !must_limit || COUNTED.into_iter().all(is_limited);
        };
        match &spec.resources {
            Some(pod) => count(pod, !pod.limits.is_empty()),
            None => {
                for container in spec.containers.iter().chain(&spec.init_containers) {
                    count(&container.resources, true);
                }
            }
        }
        if requests.is_empty() && limits.is_empty() {
            Self::BestEffort
        } else if all_limited && requests == limits {
            Self::Guaranteed
        } else {
            Self::Burstable
        }
    }
}

fn add(sum: &mut Quantities, more: &Quantities) {
    for name in COUNTED {
        if let Some(quantity) = more.get(name).filter(|quantity| !quantity.is_zero()) {
            sum.entry(name.to_owned())
                .and_modify(|sum| *sum = sum.plus(*quantity))
                .or_insert(*quantity);
        }
    }
}
