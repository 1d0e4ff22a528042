//! Census of slots: numbers by state and group, and sums of their resources.

use std::collections::BTreeMap;

use containerd_sandbox::Key;

use super::oldest::Oldest;
use pod_resources::ResourceInfo;
use slot::{ProcessState, SandboxState, Slot};

/// Largest number of groups that have series of their own. Further groups are counted
/// together, because their names come from clients.
pub(super) const MAX_GROUPS: usize = 250;

/// Name of the groups beyond [`MAX_GROUPS`].
const BEYOND: &str = "(others)";

/// States of a sandbox, in the order of a life cycle.
pub(super) const SANDBOX_STATES: [SandboxState; 3] = [
    SandboxState::Created,
    SandboxState::Ready,
    SandboxState::NotReady,
];

/// States of a container's first process.
pub(super) const CONTAINER_STATES: [ProcessState; 4] = [
    ProcessState::Created,
    ProcessState::Running,
    ProcessState::Paused,
    ProcessState::Stopped,
];

/// Counts of slots.
#[derive(Debug)]
pub(super) struct Census {
    /// Numbers of containers, in the order of [`CONTAINER_STATES`].
    pub(super) containers: [u64; CONTAINER_STATES.len()],
    /// Pods that have series of their own.
    pub(super) pods: Oldest,
    groups: BTreeMap<Group, ByState>,
}

/// Properties by which sandboxes are grouped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    /// Namespace of containerd.
    pub(super) containerd_namespace: String,
    /// Namespace of Kubernetes; empty if none was stated.
    pub(super) namespace: String,
    /// Runtime handler of CRI, or the runtime that containerd records; empty for none.
    pub(super) handler: String,
}

/// Totals in the order of [`SANDBOX_STATES`].
pub(super) type ByState = [Total; SANDBOX_STATES.len()];

/// Total over some sandboxes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Total {
    /// Number of sandboxes.
    pub(super) sandboxes: u64,
    /// Sum of their resources.
    pub(super) info: ResourceInfo,
}

impl Total {
    fn plus(self, other: Self) -> Self {
        Self {
            sandboxes: self.sandboxes + other.sandboxes,
            info: self.info.plus(other.info),
        }
    }
}

impl Census {
    /// Returns an empty census that keeps at most `max_pods` pods.
    pub(super) fn new(max_pods: usize) -> Self {
        Self {
            containers: [0; CONTAINER_STATES.len()],
            pods: Oldest::new(max_pods),
            groups: BTreeMap::new(),
        }
    }

    /// Counts a slot.
    pub(super) fn add(&mut self, key: &Key, slot: &Slot) {
        for container in &slot.containers {
            let state = container.init.state;
            if let Some(count) = of_state(&mut self.containers, &CONTAINER_STATES, state) {
                *count += 1;
            }
        }
        let one = Total {
            sandboxes: 1,
            info: slot.resource_info(),
        };
        let totals = self.groups.entry(Group::of(key, slot)).or_default();
        if let Some(total) = of_state(totals, &SANDBOX_STATES, slot.state) {
            *total = total.plus(one);
        }
        self.pods.add(key, slot, one.info);
    }

    /// Returns the totals over all sandboxes.
    pub(super) fn total(&self) -> ByState {
        sum(self.groups.values())
    }

    /// Returns totals by group: the first [`MAX_GROUPS`] groups in the order of their
    /// names, and all others as one.
    pub(super) fn groups(&self) -> Vec<(Group, ByState)> {
        let groups = self.groups.iter();
        let mut named: Vec<(Group, ByState)> = groups
            .take(MAX_GROUPS)
            .map(|(group, totals)| (group.clone(), *totals))
            .collect();
        if self.groups.len() > MAX_GROUPS {
            let beyond = self.groups.values().skip(MAX_GROUPS);
            named.push((Group::beyond(), sum(beyond)));
        }
        named
    }
}

fn sum<'a>(all: impl Iterator<Item = &'a ByState>) -> ByState {
    let mut sum = ByState::default();
    for totals in all {
        for (sum, total) in sum.iter_mut().zip(totals) {
            *sum = sum.plus(*total);
        }
    }
    sum
}

/// Returns the number that belongs to a state.
fn of_state<'a, S: PartialEq + Copy, T>(
    numbers: &'a mut [T],
    states: &[S],
    state: S,
) -> Option<&'a mut T> {
    let place = states.iter().position(|one| *one == state)?;
    numbers.get_mut(place)
}

impl Group {
    fn of(key: &Key, slot: &Slot) -> Self {
        let sandbox = &slot.sandbox;
        Self {
            containerd_namespace: key.namespace().to_owned(),
            namespace: sandbox
                .pod
                .as_ref()
                .map_or_else(String::new, |pod| pod.namespace.clone()),
            handler: sandbox.handler().to_owned(),
        }
    }

    fn beyond() -> Self {
        Self {
            containerd_namespace: BEYOND.to_owned(),
            namespace: BEYOND.to_owned(),
            handler: BEYOND.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::Timestamp;
    use slot::{Change, NewContainer, NewSandbox, Pod, ProcessId};

    fn slot(namespace: &str, pids: u64) -> Slot {
        let sandbox = NewSandbox {
            pod: Some(Pod {
                namespace: namespace.to_owned(),
                ..Pod::default()
            }),
            info: ResourceInfo {
                pid_limit: Some(pids),
                ..ResourceInfo::default()
            },
            ..NewSandbox::default()
        };
        Slot::new(sandbox, Timestamp::default())
    }

    fn key(id: &str) -> Key {
        Key::new("k8s.io", id).unwrap()
    }

    #[test]
    fn every_state_is_counted() {
        let mut census = Census::new(0);
        let mut slot = slot("default", 3);
        census.add(&key("a"), &slot);
        slot.apply(Change::Start, Timestamp::default()).unwrap();
        for id in ["c", "d"] {
            let new = NewContainer {
                id: id.to_owned(),
                ..NewContainer::default()
            };
            slot.apply(Change::CreateContainer(new), Timestamp::default())
                .unwrap();
        }
        census.add(&key("b"), &slot);
        let start = Change::StartProcess(ProcessId::init("c"));
        slot.apply(start, Timestamp::default()).unwrap();
        census.add(&key("c"), &slot);
        slot.apply(Change::Stop(0), Timestamp::default()).unwrap();
        census.add(&key("d"), &slot);
        assert_eq!(census.total().map(|total| total.sandboxes), [1, 2, 1]);
        assert_eq!(
            census.total().map(|total| total.info.pid_limit),
            [Some(3), Some(6), Some(3)]
        );
        assert_eq!(census.containers, [3, 1, 0, 2]);
    }

    #[test]
    fn groups_beyond_the_limit_are_counted_together() {
        let mut census = Census::new(0);
        for number in 0..MAX_GROUPS + 3 {
            census.add(&key("a"), &slot(&format!("n{number:04}"), 1));
        }
        let groups = census.groups();
        assert_eq!(groups.len(), MAX_GROUPS + 1);
        assert_eq!(groups[0].0.namespace, "n0000");
        let (beyond, totals) = &groups[MAX_GROUPS];
        assert_eq!(*beyond, Group::beyond());
        assert_eq!(
            (totals[0].sandboxes, totals[0].info.pid_limit),
            (3, Some(3))
        );
        assert_eq!(census.total()[0].sandboxes, MAX_GROUPS as u64 + 3);
    }
}
