//! The oldest pods, which have series of their own.

use std::collections::BTreeMap;

use containerd_sandbox::Key;

use pod_resources::ResourceInfo;
use slot::Slot;
use slot::Timestamp;

/// Keeps a number of pods that were created first, so that a series that was shown stays
/// until its pod is gone, however many other pods come.
#[derive(Debug)]
pub(super) struct Oldest {
    at_most: usize,
    pods: BTreeMap<(Timestamp, Key), Pod>,
    left_out: u64,
}

/// A pod.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pod {
    /// Key of the pod's sandbox.
    pub(super) key: Key,
    /// Namespace of Kubernetes.
    pub(super) namespace: String,
    /// Name in Kubernetes.
    pub(super) name: String,
    /// Number of containers.
    pub(super) containers: usize,
    /// Requested resources.
    pub(super) info: ResourceInfo,
}

impl Oldest {
    /// Returns an empty set that keeps `at_most` pods.
    pub(super) fn new(at_most: usize) -> Self {
        Self {
            at_most,
            pods: BTreeMap::new(),
            left_out: 0,
        }
    }

    /// Adds a pod that asks for `info`.
    pub(super) fn add(&mut self, key: &Key, slot: &Slot, info: ResourceInfo) {
        if self.pods.len() >= self.at_most {
            self.left_out += 1;
            let youngest = self.pods.last_key_value().map(|(place, _)| place);
            if youngest.is_none_or(|(at, other)| (*at, other) <= (slot.created_at, key)) {
                return;
            }
            self.pods.pop_last();
        }
        let pod = slot.sandbox.pod.as_ref();
        let of_pod = Pod {
            key: key.clone(),
            namespace: pod.map_or_else(String::new, |pod| pod.namespace.clone()),
            name: pod.map_or_else(String::new, |pod| pod.name.clone()),
            containers: slot.containers.len(),
            info,
        };
        self.pods.insert((slot.created_at, key.clone()), of_pod);
    }

    /// Returns the pods that are kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values()
    }

    /// Returns the number of pods that are not kept.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::NewSandbox;

    #[test]
    fn the_oldest_are_kept_in_whatever_order_they_come() {
        let mut oldest = Oldest::new(2);
        for (id, at) in [("c", 3), ("a", 1), ("d", 4), ("b", 2)] {
            let key = Key::new("k8s.io", id).unwrap();
            let slot = Slot::new(NewSandbox::default(), Timestamp::from_nanos(at));
            oldest.add(&key, &slot, ResourceInfo::default());
        }
        let kept: Vec<&str> = oldest.kept().map(|pod| pod.key.id()).collect();
        assert_eq!((kept, oldest.left_out()), (vec!["a", "b"], 2));
    }

    #[test]
    fn no_pods_are_kept_with_a_limit_of_zero() {
        let mut oldest = Oldest::new(0);
        let slot = Slot::new(NewSandbox::default(), Timestamp::default());
        let key = Key::new("k8s.io", "a").unwrap();
        oldest.add(&key, &slot, ResourceInfo::default());
        assert_eq!((oldest.kept().count(), oldest.left_out()), (0, 1));
    }
}
