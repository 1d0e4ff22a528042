//! The seven fields, and the ways to merge two sets of them.

use serde::{Deserialize, Serialize};

use super::cores;

/// Resources of one container or sandbox; a field is `None` if no source states it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceInfo {
    /// Upper limit of CPU use, in cores.
    pub cpu_limit: Option<f64>,
    /// Requested CPU, in cores.
    pub cpu_request: Option<f64>,
    /// Upper limit of memory use, in bytes.
    pub memory_limit: Option<u64>,
    /// Requested memory, in bytes.
    pub memory_request: Option<u64>,
    /// Upper limit of processes and threads.
    pub pid_limit: Option<u64>,
    /// Upper limit of local ephemeral storage, in bytes.
    pub storage_limit: Option<u64>,
    /// Network bandwidth, in bits per second.
    pub network_bandwidth: Option<u64>,
}

impl ResourceInfo {
    /// Returns, for each field, the value of `self`, or else the value of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.zip(other, |_, a, b| a.or(b), |_, a, b| a.or(b))
    }

    /// Returns the sum for each field; `None` only if neither states a value.
    ///
    /// CPU is exact to the nanocore; a sum that overflows stays at the maximum.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(
            other,
            |_, a, b| either(a, b, cores::sum),
            |_, a, b| either(a, b, u64::saturating_add),
        )
    }

    /// Returns the resources with `overhead` on top: on every request, and on the limits that
    /// are stated (`PodRequests` and `PodLimits` in `k8s.io/component-helpers/resource`).
    #[must_use]
    pub(super) fn with_overhead(self, overhead: Self) -> Self {
        fn merged<T: Copy>(
            kind: Kind,
            own: Option<T>,
            overhead: Option<T>,
            sum: impl Fn(T, T) -> T,
        ) -> Option<T> {
            match (kind, own) {
                (Kind::Limit, None) => None,
                _ => either(own, overhead, sum),
            }
        }
        self.zip(
            overhead,
            |kind, a, b| merged(kind, a, b, cores::sum),
            |kind, a, b| merged(kind, a, b, u64::saturating_add),
        )
    }

    /// Returns whether no field states a value.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Merges field by field.
    pub(super) fn zip(
        self,
        other: Self,
        cores: impl Fn(Kind, Option<f64>, Option<f64>) -> Option<f64>,
        count: impl Fn(Kind, Option<u64>, Option<u64>) -> Option<u64>,
    ) -> Self {
        use Kind::{Limit, Request};
        Self {
            cpu_limit: cores(Limit, self.cpu_limit, other.cpu_limit),
            cpu_request: cores(Request, self.cpu_request, other.cpu_request),
            memory_limit: count(Limit, self.memory_limit, other.memory_limit),
            memory_request: count(Request, self.memory_request, other.memory_request),
            pid_limit: count(Limit, self.pid_limit, other.pid_limit),
            storage_limit: count(Limit, self.storage_limit, other.storage_limit),
            network_bandwidth: count(Limit, self.network_bandwidth, other.network_bandwidth),
        }
    }
}

/// Kind of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An upper bound: without a value there is none.
    Limit,
    /// An amount that is set aside: without a value it is nothing.
    Request,
}

pub(super) fn either<T: Copy>(a: Option<T>, b: Option<T>, both: impl Fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: ResourceInfo = ResourceInfo {
        cpu_limit: Some(2.0),
        cpu_request: Some(1.0),
        memory_limit: Some(2_147_483_648),
        memory_request: Some(1_073_741_824),
        pid_limit: Some(1000),
        storage_limit: None,
        network_bandwidth: None,
    };

    #[test]
    fn json_has_exactly_the_seven_keys_with_null_for_unstated_fields() {
        assert_eq!(
            serde_json::to_string(&EXAMPLE).unwrap(),
            concat!(
                r#"{"cpu_limit":2.0,"cpu_request":1.0,"memory_limit":2147483648,"#,
                r#""memory_request":1073741824,"pid_limit":1000,"storage_limit":null,"#,
                r#""network_bandwidth":null}"#
            )
        );
    }

    #[test]
    fn debug_shows_every_field() {
        assert_eq!(
            format!("{EXAMPLE:?}"),
            "ResourceInfo { cpu_limit: Some(2.0), cpu_request: Some(1.0), \
             memory_limit: Some(2147483648), memory_request: Some(1073741824), \
             pid_limit: Some(1000), storage_limit: None, network_bandwidth: None }"
        );
    }

    #[test]
    fn sums_show_no_rounding_of_binary_fractions() {
        let of = |cores| ResourceInfo {
            cpu_limit: Some(cores),
            ..ResourceInfo::default()
        };
        let json = serde_json::to_string(&of(0.1).plus(of(0.2))).unwrap();
        assert!(json.starts_with(r#"{"cpu_limit":0.3,"#), "{json}");
    }

    #[test]
    fn sums_stop_at_the_maximum() {
        let most = ResourceInfo {
            memory_limit: Some(u64::MAX),
            ..ResourceInfo::default()
        };
        assert_eq!(most.plus(EXAMPLE).memory_limit, Some(u64::MAX));
    }

    #[test]
    fn a_zero_is_not_empty() {
        let zero = ResourceInfo {
            cpu_request: Some(0.0),
            ..ResourceInfo::default()
        };
        assert!(!zero.is_empty());
        assert!(ResourceInfo::default().is_empty());
    }

    fn cores() -> impl Strategy<Value = Option<f64>> {
        // Up to half a million, so that three of them still sum up exactly.
        option::of((0..=500_000_000_000_000_u128).prop_map(|n| cores::from_nanos(n).unwrap()))
    }

    fn count() -> impl Strategy<Value = Option<u64>> {
        option::of(prop_oneof![0..=1_u64 << 40, any::<u64>()])
    }

    pub(crate) fn infos() -> impl Strategy<Value = ResourceInfo> {
        let counts = (count(), count(), count(), count(), count());
        (cores(), cores(), counts).prop_map(|(limit, request, counts)| ResourceInfo {
            cpu_limit: limit,
            cpu_request: request,
            memory_limit: counts.0,
            memory_request: counts.1,
            pid_limit: counts.2,
            storage_limit: counts.3,
            network_bandwidth: counts.4,
        })
    }

    proptest! {
        #[test]
        fn json_comes_back(info in infos()) {
            let json = serde_json::to_string(&info).unwrap();
            prop_assert_eq!(serde_json::from_str::<ResourceInfo>(&json).unwrap(), info);
        }

        #[test]
        fn or_has_an_identity_and_prefers_the_first(a in infos(), b in infos()) {
            prop_assert_eq!(a.or(ResourceInfo::default()), a);
            prop_assert_eq!(ResourceInfo::default().or(a), a);
            prop_assert_eq!(a.or(a), a);
            let both = a.or(b);
            prop_assert_eq!(both.cpu_limit, a.cpu_limit.or(b.cpu_limit));
            prop_assert_eq!(both.cpu_request, a.cpu_request.or(b.cpu_request));
            prop_assert_eq!(both.memory_limit, a.memory_limit.or(b.memory_limit));
            prop_assert_eq!(both.memory_request, a.memory_request.or(b.memory_request));
            prop_assert_eq!(both.pid_limit, a.pid_limit.or(b.pid_limit));
            prop_assert_eq!(both.storage_limit, a.storage_limit.or(b.storage_limit));
            prop_assert_eq!(both.network_bandwidth, a.network_bandwidth.or(b.network_bandwidth));
        }

        #[test]
        fn or_is_associative(a in infos(), b in infos(), c in infos()) {
            prop_assert_eq!(a.or(b).or(c), a.or(b.or(c)));
        }

        #[test]
        fn plus_is_commutative_and_associative(a in infos(), b in infos(), c in infos()) {
            prop_assert_eq!(a.plus(b), b.plus(a));
            prop_assert_eq!(a.plus(b).plus(c), a.plus(b.plus(c)));
            prop_assert_eq!(a.plus(ResourceInfo::default()), a);
        }

        #[test]
        fn a_sum_states_what_either_states(a in infos(), b in infos()) {
            let sum = a.plus(b);
            prop_assert_eq!(sum.pid_limit.is_some(), a.pid_limit.is_some() || b.pid_limit.is_some());
            prop_assert_eq!(sum.is_empty(), a.is_empty() && b.is_empty());
        }
    }
}
