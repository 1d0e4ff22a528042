//! Memory request of a container as its OOM score adjustment shows it.
//!
//! A kubelet tells a runtime no memory request. It does tell the OOM score adjustment, which it
//! computes from the request and the memory of the node (`GetContainerOOMScoreAdjust` in
//! `pkg/kubelet/qos/policy.go`). With the memory of the node the formula can be inverted, to
//! within a thousandth of that memory.

/// OOM score adjustment of a container in a Guaranteed pod, and of one in a node-critical pod.
const GUARANTEED: i64 = -997;
/// OOM score adjustment of a container in a `BestEffort` pod.
const BEST_EFFORT: i64 = 1000;
/// Lowest adjustment of a container in a Burstable pod.
const LOWEST_BURSTABLE: i64 = 1000 + GUARANTEED;

/// Memory request of a container, as far as its OOM score adjustment shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryRequest {
    /// The container requests no memory: its pod is `BestEffort`.
    Nothing,
    /// The request equals the limit: the pod is Guaranteed. A node-critical pod without a
    /// limit has the same adjustment and shows nothing.
    Limit,
    /// The request lies in a range: the pod is Burstable.
    Between {
        /// Smallest request with this adjustment, in bytes.
        least: u64,
        /// Largest request with this adjustment, in bytes.
        most: u64,
    },
    /// No kubelet computed the adjustment.
    Unknown,
}

impl MemoryRequest {
    /// Returns the value of the request in bytes that is at most half of the range off; `None` if
    /// nothing is requested or known. `limit` is the container's memory limit in bytes.
    pub fn estimate(self, limit: Option<u64>) -> Option<u64> {
        match self {
            Self::Nothing | Self::Unknown => None,
            Self::Limit => limit,
            Self::Between { least, most } => {
                let most = limit.map_or(most, |limit| limit.clamp(least, most));
                Some(least + (most - least) / 2)
            }
        }
    }
}

/// Returns the memory request that has this OOM score adjustment on a node with `node_bytes`
/// bytes of memory (`MemTotal` of `/proc/meminfo`).
///
/// The range of a sidecar begins at the smallest request of the regular containers, because
/// a kubelet gives a sidecar no higher adjustment than any of them.
///
/// ```
/// use kube_resources::{MemoryRequest, oom_memory_request};
///
/// let range = oom_memory_request(938, 16 << 30);
/// let MemoryRequest::Between { least, most } = range else { panic!("{range:?}") };
/// assert!((least..=most).contains(&(1 << 30)));
/// assert_eq!(oom_memory_request(-997, 16 << 30), MemoryRequest::Limit);
/// ```
pub fn oom_memory_request(adjustment: i64, node_bytes: u64) -> MemoryRequest {
    match adjustment {
        GUARANTEED => MemoryRequest::Limit,
        BEST_EFFORT => MemoryRequest::Nothing,
        LOWEST_BURSTABLE..BEST_EFFORT if node_bytes > 0 => {
            // adjustment = 1000 - 1000 * request / node, rounded towards the adjustment.
            let thousandths = u64::try_from(BEST_EFFORT - adjustment).unwrap_or(0);
            let part = |thousandths: u64| {
                let bytes = (u128::from(node_bytes) * u128::from(thousandths)).div_ceil(1000);
                u64::try_from(bytes).unwrap_or(u64::MAX)
            };
            let least = if adjustment == BEST_EFFORT - 1 {
                // A Burstable container is kept below a BestEffort one, whatever it requests.
                0
            } else {
                part(thousandths)
            };
            let most = if adjustment == LOWEST_BURSTABLE {
                node_bytes
            } else {
                part(thousandths + 1).saturating_sub(1)
            };
            MemoryRequest::Between { least, most }
        }
        _ => MemoryRequest::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The formula of a kubelet for a regular container of a Burstable pod.
    fn adjustment(request: u64, node: u64) -> i64 {
        let share = u128::from(request) * 1000 / u128::from(node);
        (1000 - i64::try_from(share).unwrap()).clamp(3, 999)
    }

    #[test]
    fn adjustments_that_no_kubelet_computes_show_nothing() {
        for other in [-1000, -998, -1, 0, 2, 1001] {
            assert_eq!(oom_memory_request(other, 1 << 34), MemoryRequest::Unknown);
        }
        assert_eq!(oom_memory_request(500, 0), MemoryRequest::Unknown);
    }

    #[test]
    fn the_estimate_is_the_middle_of_the_range_and_at_most_the_limit() {
        let node = 16 << 30;
        let range = oom_memory_request(938, node);
        let middle = range.estimate(None).unwrap();
        assert!(middle.abs_diff(1 << 30) < node / 1000, "{middle}");
        assert!(range.estimate(Some(1 << 30)).unwrap() <= 1 << 30);
        assert_eq!(MemoryRequest::Limit.estimate(Some(7)), Some(7));
        assert_eq!(MemoryRequest::Limit.estimate(None), None);
        assert_eq!(MemoryRequest::Nothing.estimate(Some(7)), None);
    }

    proptest! {
        #[test]
        fn the_range_contains_the_request(request in 0..=1_u64 << 40, node in 1_u64 << 20..1 << 40) {
            let request = request.min(node);
            let range = oom_memory_request(adjustment(request, node), node);
            let MemoryRequest::Between { least, most } = range else {
                return Err(TestCaseError::fail(format!("{range:?}")));
            };
            prop_assert!((least..=most).contains(&request), "{least} {request} {most}");
        }
    }
}
