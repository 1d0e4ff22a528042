//! Access to slots for what answers on the ports of pods.

use containerd_sandbox::{Error, Key, Result};
use tracing::warn;

use super::live_slot::sandbox_not_found;
use super::observe::PortWatch;
use super::sandboxer::ResourceSlotSandboxer;
use slot::Slot;

impl ResourceSlotSandboxer {
    /// Sets the watch over changes of ports, once and for all.
    pub(crate) fn watch_ports(&self, watch: PortWatch) {
        // A second watch is an error in the wiring, and is ignored.
        if self.core.port_watch.set(watch).is_err() {
            warn!("the ports of pods are watched already");
        }
    }

    /// Returns the value of `read` for the slot of a sandbox, which is locked meanwhile.
    ///
    /// # Errors
    /// `NotFound` if the sandbox does not exist.
    pub(crate) fn read_slot<T>(&self, key: &Key, read: impl FnOnce(&Slot) -> T) -> Result<T> {
        let live = self.core.slot(key)?;
        let inner = live.lock()?;
        Ok(read(&inner.slot))
    }

    /// Counts a probe of a container, and returns its number, from 1. A restart of the daemon
    /// begins anew.
    ///
    /// # Errors
    /// `NotFound` if the sandbox or the container does not exist.
    pub(crate) fn count_probe(&self, key: &Key, container: &str) -> Result<u64> {
        let live = self.core.sandboxes.get(key);
        let live = live.ok_or_else(|| sandbox_not_found(key))?;
        let mut inner = live.lock()?;
        let inner = &mut *inner;
        if inner.slot.container(container).is_err() {
            return Err(Error::not_found(format!("container {container} not found")));
        }
        let counts = &mut inner.calls.probes;
        if !counts.contains_key(container) {
            // The numbers of containers that are gone make room for the new one.
            counts.retain(|id, _| inner.slot.container(id).is_ok());
        }
        let count = counts.entry(container.to_owned()).or_default();
        *count += 1;
        Ok(*count)
    }
}
