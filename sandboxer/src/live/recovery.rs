//! Recovery at a start: fills the tables with the journal's slots, and derives the state
//! beside each slot anew.

use std::sync::Arc;

use containerd_sandbox::Key;
use tracing::warn;

use super::core::Core;
use super::live_slot::LiveSlot;
use super::{decode, fault_injection};
use crate::simulate::behaviour::PodBehaviour;
use journal::Slots;
use slot::NewSandbox;

/// Puts recovered slots into the tables.
pub(super) fn populate(core: &Core, slots: Slots) -> Vec<Arc<LiveSlot>> {
    let mut all = Vec::with_capacity(slots.len());
    for (key, slot) in slots {
        let behaviour = behaviour(core, &key, &slot.sandbox);
        let containers: Vec<Key> = slot
            .containers
            .iter()
            .filter_map(|container| key.sibling(&container.id).ok())
            .collect();
        let permit = core.count.force_acquire();
        let live = Arc::new(LiveSlot::new(key.clone(), *slot, permit, behaviour));
        for container in containers {
            core.containers.publish(&container, Arc::clone(&live));
        }
        core.sandboxes.publish(&key, Arc::clone(&live));
        all.push(live);
    }
    all
}

/// Returns the behaviour that a recovered pod's annotations state. They were valid when
/// the pod was created, so only annotations of another version can be refused here.
fn behaviour(core: &Core, key: &Key, pod: &NewSandbox) -> Option<Box<PodBehaviour>> {
    let drawn = decode::recorded_annotations(pod)
        .and_then(|annotations| fault_injection::draw(core, key, pod, annotations));
    drawn.unwrap_or_else(|e| {
        warn!("sandbox {key}: its annotations are ignored: {e}");
        None
    })
}
