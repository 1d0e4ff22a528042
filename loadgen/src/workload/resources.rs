//! Resources of a pod as expected, and their comparison with a sandboxer's answer.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Tolerated difference between numbers of cores, in cores: a hundredth of a
/// millicore.
///
/// Sandboxers round cores in different places; no rounding may lose as much as this.
pub const CORES_TOLERANCE: f64 = 1e-5;

/// The seven fields of `resource_info.json`; `None` if no source states the value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ResourceInfo {
    /// CPU limit, in cores.
    pub cpu_limit: Option<f64>,
    /// CPU request, in cores.
    pub cpu_request: Option<f64>,
    /// Memory limit, in bytes.
    pub memory_limit: Option<u64>,
    /// Memory request, in bytes.
    pub memory_request: Option<u64>,
    /// Limit of processes and threads.
    pub pid_limit: Option<u64>,
    /// Limit of local storage, in bytes.
    pub storage_limit: Option<u64>,
    /// Network bandwidth, in bits per second.
    pub network_bandwidth: Option<u64>,
}

/// Field with different values.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    field: &'static str,
    expected: String,
    found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            expected,
            found,
        } = self;
        write!(f, "{field} is {found}, not {expected}")
    }
}

impl ResourceInfo {
    /// Resources without any stated value.
    pub const NONE: Self = Self {
        cpu_limit: None,
        cpu_request: None,
        memory_limit: None,
        memory_request: None,
        pid_limit: None,
        storage_limit: None,
        network_bandwidth: None,
    };

    /// Adds field by field; a sum is `None` only if neither side states the value.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            cpu_limit: sum(self.cpu_limit, other.cpu_limit, |a, b| a + b),
            cpu_request: sum(self.cpu_request, other.cpu_request, |a, b| a + b),
            memory_limit: sum(self.memory_limit, other.memory_limit, u64::saturating_add),
            memory_request: sum(
                self.memory_request,
                other.memory_request,
                u64::saturating_add,
            ),
            pid_limit: sum(self.pid_limit, other.pid_limit, u64::saturating_add),
            storage_limit: sum(self.storage_limit, other.storage_limit, u64::saturating_add),
            network_bandwidth: sum(
                self.network_bandwidth,
                other.network_bandwidth,
                u64::saturating_add,
            ),
        }
    }

    /// Returns the first field in which `found` differs from `self`.
    pub fn difference(&self, found: &Self) -> Option<Difference> {
        cores("cpu_limit", self.cpu_limit, found.cpu_limit)
            .or_else(|| cores("cpu_request", self.cpu_request, found.cpu_request))
            .or_else(|| count("memory_limit", self.memory_limit, found.memory_limit))
            .or_else(|| count("memory_request", self.memory_request, found.memory_request))
            .or_else(|| count("pid_limit", self.pid_limit, found.pid_limit))
            .or_else(|| count("storage_limit", self.storage_limit, found.storage_limit))
            .or_else(|| {
                let (expected, found) = (self.network_bandwidth, found.network_bandwidth);
                count("network_bandwidth", expected, found)
            })
    }
}

fn sum<T>(a: Option<T>, b: Option<T>, add: impl Fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(add(a, b)),
        (a, b) => a.or(b),
    }
}

fn cores(field: &'static str, expected: Option<f64>, found: Option<f64>) -> Option<Difference> {
    let same = match (expected, found) {
        (Some(a), Some(b)) => (a - b).abs() <= CORES_TOLERANCE,
        (a, b) => a.is_none() && b.is_none(),
    };
    (!same).then(|| differ(field, expected, found))
}

fn count(field: &'static str, expected: Option<u64>, found: Option<u64>) -> Option<Difference> {
    (expected != found).then(|| differ(field, expected, found))
}

fn differ<T: fmt::Display>(
    field: &'static str,
    expected: Option<T>,
    found: Option<T>,
) -> Difference {
    let shown = |value: Option<T>| value.map_or_else(|| "null".to_owned(), |v| v.to_string());
    Difference {
        field,
        expected: shown(expected),
        found: shown(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: ResourceInfo = ResourceInfo {
        cpu_limit: Some(1.5),
        cpu_request: Some(0.25),
        memory_limit: Some(1 << 30),
        memory_request: None,
        pid_limit: Some(64),
        storage_limit: None,
        network_bandwidth: None,
    };

    #[test]
    fn a_sum_is_null_only_if_neither_side_states_a_value() {
        let sum = POD.plus(ResourceInfo {
            memory_request: Some(7),
            ..POD
        });
        assert_eq!(sum.cpu_limit, Some(3.0));
        assert_eq!(sum.memory_limit, Some(2 << 30));
        assert_eq!(sum.memory_request, Some(7));
        assert_eq!(sum.pid_limit, Some(128));
        assert_eq!(sum.storage_limit, None);
        assert_eq!(POD.plus(ResourceInfo::NONE), POD);
    }

    #[test]
    fn rounding_to_nanocores_is_no_difference_and_a_millicore_is() {
        let off = |by: f64| ResourceInfo {
            cpu_request: Some(0.25 + by),
            ..POD
        };
        assert_eq!(POD.difference(&off(1e-9)), None);
        let difference = POD.difference(&off(0.001)).unwrap();
        assert_eq!(difference.to_string(), "cpu_request is 0.251, not 0.25");
    }

    #[test]
    fn every_field_is_compared() {
        for field in [
            "cpu_limit",
            "cpu_request",
            "memory_limit",
            "memory_request",
            "pid_limit",
            "storage_limit",
            "network_bandwidth",
        ] {
            let mut json = serde_json::to_value(POD).unwrap();
            json[field] = 999.into();
            let other: ResourceInfo = serde_json::from_value(json).unwrap();
            let difference = POD.difference(&other).unwrap();
            assert_eq!(difference.field, field);
            assert_eq!(difference.found, "999");
        }
    }

    #[test]
    fn a_missing_value_is_a_difference() {
        let without = ResourceInfo {
            cpu_limit: None,
            ..POD
        };
        let difference = POD.difference(&without).unwrap();
        assert_eq!(difference.to_string(), "cpu_limit is null, not 1.5");
        assert!(without.difference(&POD).is_some());
    }
}
