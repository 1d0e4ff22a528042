//! Sums over slots.

use serde::{Deserialize, Serialize};

use pod_resources::ResourceInfo;
use slot::{ProcessState, SandboxState, Slot};

/// Sums over some slots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Number of slots.
    pub slots: u64,
    /// Number of containers in the slots.
    pub containers: u64,
    /// Number of containers that run or are paused.
    pub containers_running: u64,
    /// Sum of the resources that the slots ask for.
    pub resource_info: ResourceInfo,
}

/// Sums by the slots' state, and over all slots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TotalsByState {
    /// Over slots that are not started yet.
    pub created: Totals,
    /// Over slots that are started.
    pub ready: Totals,
    /// Over slots that have ended and wait to be removed.
    pub not_ready: Totals,
    /// Over all slots.
    pub all: Totals,
}

/// Returns whether a container's first process exists.
pub(super) fn is_running(state: ProcessState) -> bool {
    match state {
        ProcessState::Running | ProcessState::Paused => true,
        ProcessState::Created | ProcessState::Stopped => false,
    }
}

/// Returns the number of running containers of a slot.
pub(super) fn running(slot: &Slot) -> usize {
    let containers = slot.containers.iter();
    containers.filter(|c| is_running(c.init.state)).count()
}

impl Totals {
    fn add(&mut self, slot: &Slot) {
        self.slots += 1;
        self.containers += slot.containers.len() as u64;
        self.containers_running += running(slot) as u64;
        self.resource_info = self.resource_info.plus(slot.resource_info());
    }
}

impl TotalsByState {
    /// Sums over slots.
    pub(super) fn of<'a>(slots: impl Iterator<Item = &'a Slot>) -> Self {
        let mut totals = Self::default();
        for slot in slots {
            match slot.state {
                SandboxState::Created => totals.created.add(slot),
                SandboxState::Ready => totals.ready.add(slot),
                SandboxState::NotReady => totals.not_ready.add(slot),
            }
            totals.all.add(slot);
        }
        totals
    }
}
