//! Sums over slots.

use serde::{Deserialize, Serialize};

use pod_resources::ResourceInfo;
use slot::{ProcessState, SandboxState, Slot};

/// What some slots come to together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// How many slots.
    pub slots: u64,
    /// How many containers are in them.
    pub containers: u64,
    /// How many of those run or are paused.
    pub containers_running: u64,
    /// The sum of what the slots ask for.
    pub resource_info: ResourceInfo,
}

/// Totals by the slots' state, and of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct TotalsByState {
    /// Of those not started yet.
    pub created: Totals,
    /// Of those that are started.
    pub ready: Totals,
    /// Of those that have ended and wait to be removed.
    pub not_ready: Totals,
    /// Of all.
    pub all: Totals,
}

/// Whether a container's first process is there.
pub(super) fn is_running(state: ProcessState) -> bool {
    match state {
        ProcessState::Running | ProcessState::Paused => true,
        ProcessState::Created | ProcessState::Stopped => false,
    }
}

/// How many containers of a slot run.
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
    /// The totals of these slots.
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
