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

    /// Returns the resources of two containers that run at the same time: the sum of each field.
    /// Of requests the stated ones count; a limit holds for both only if both have one.
    #[must_use]
    pub fn beside(self, other: Self) -> Self {
        self.joined(other, |a, b| a + b, u64::saturating_add)
    }

    /// Returns the resources of two containers that run one after the other: the larger of each
    /// field, with the same rule for missing values as [`beside`](Self::beside).
    #[must_use]
    pub fn in_turn(self, other: Self) -> Self {
        self.joined(other, f64::max, u64::max)
    }

    fn joined(
        self,
        other: Self,
        cores: impl Fn(f64, f64) -> f64,
        count: impl Fn(u64, u64) -> u64,
    ) -> Self {
        let limit = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| count(a, b));
        Self {
            cpu_limit: self
                .cpu_limit
                .zip(other.cpu_limit)
                .map(|(a, b)| cores(a, b)),
            cpu_request: either(self.cpu_request, other.cpu_request, &cores),
            memory_limit: limit(self.memory_limit, other.memory_limit),
            memory_request: either(self.memory_request, other.memory_request, &count),
            pid_limit: limit(self.pid_limit, other.pid_limit),
            storage_limit: limit(self.storage_limit, other.storage_limit),
            network_bandwidth: limit(self.network_bandwidth, other.network_bandwidth),
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

fn either<T>(a: Option<T>, b: Option<T>, both: impl Fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
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
    fn a_limit_needs_both_sides_and_a_request_one() {
        let other = ResourceInfo {
            cpu_request: None,
            memory_limit: None,
            memory_request: Some(7),
            pid_limit: Some(100),
            ..POD
        };
        let both = ResourceInfo {
            cpu_limit: Some(3.0),
            cpu_request: Some(0.25),
            memory_limit: None,
            memory_request: Some(7),
            pid_limit: Some(164),
            ..ResourceInfo::NONE
        };
        assert_eq!(POD.beside(other), both);
        let larger = ResourceInfo {
            cpu_limit: Some(1.5),
            pid_limit: Some(100),
            ..both
        };
        assert_eq!(POD.in_turn(other), larger);
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
