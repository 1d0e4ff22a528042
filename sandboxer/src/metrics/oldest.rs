//! The oldest pods, of which there are series of their own.

use std::collections::BTreeMap;

use containerd_sandbox::Key;

use pod_resources::ResourceInfo;
use slot::Slot;
use slot::Timestamp;

/// So many of the pods that were created first: what was shown stays until it is gone,
/// however many others come.
#[derive(Debug)]
pub(super) struct Oldest {
    at_most: usize,
    pods: BTreeMap<(Timestamp, Key), Pod>,
    left_out: u64,
}

/// One pod.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pod {
    /// Its sandbox.
    pub(super) key: Key,
    /// Kubernetes' namespace.
    pub(super) namespace: String,
    /// Kubernetes' name.
    pub(super) name: String,
    /// How many containers are in it.
    pub(super) containers: usize,
    /// What it asks for.
    pub(super) info: ResourceInfo,
}

impl Oldest {
    /// Keeps at most so many.
    pub(super) fn new(at_most: usize) -> Self {
        Self {
            at_most,
            pods: BTreeMap::new(),
            left_out: 0,
        }
    }

    /// A pod that asks for this.
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

    /// Those that are kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values()
    }

    /// How many are not.
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
    fn none_are_kept_where_none_are_wanted() {
        let mut oldest = Oldest::new(0);
        let slot = Slot::new(NewSandbox::default(), Timestamp::default());
        let key = Key::new("k8s.io", "a").unwrap();
        oldest.add(&key, &slot, ResourceInfo::default());
        assert_eq!((oldest.kept().count(), oldest.left_out()), (0, 1));
    }
}
