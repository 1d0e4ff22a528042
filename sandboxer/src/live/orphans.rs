//! Orphans: containers that a running containerd dropped while this daemon was away.
//!
//! containerd never connects to a task again: when the connection breaks it takes the
//! container for dead, removes its bundle, and cannot tell the sandboxer. A recovered
//! container whose bundle is gone is such an orphan.

use crate::refuse;
use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tracing::{info, warn};

use super::core::Core;
use super::live_slot::LiveSlot;
use super::process;
use slot::{Change, KILLED, Origin, ProcessId, ProcessState};

/// Interval between looks at recovered containers: containerd may remove a bundle some time
/// after this daemon is back, or after its own start.
const INTERVAL: Duration = Duration::from_secs(2);

/// A recovered container.
struct Recovered {
    live: Weak<LiveSlot>,
    id: String,
    pid: u32,
    bundle: String,
}

/// Watches the containers of recovered slots, for as long as there are any.
pub(super) fn look_after(core: &Arc<Core>, slots: &[Arc<LiveSlot>]) {
    let mut recovered: Vec<Recovered> = slots.iter().flat_map(containers).collect();
    let core = Arc::downgrade(core);
    tokio::spawn(async move {
        while !recovered.is_empty() {
            let Ok(looked) = tokio::task::spawn_blocking(move || look(recovered)).await else {
                return;
            };
            let (gone, kept) = looked;
            let Some(core) = core.upgrade() else { return };
            for orphan in gone {
                orphan.forget(&core);
            }
            drop(core);
            recovered = kept;
            tokio::time::sleep(INTERVAL).await;
        }
    });
}

fn containers(live: &Arc<LiveSlot>) -> Vec<Recovered> {
    let Ok(inner) = live.lock() else {
        return Vec::new();
    };
    // Containers of the CRI API never had a bundle.
    let containers = inner.slot.containers.iter();
    containers
        .filter(|container| container.origin() == Origin::SandboxApi)
        .map(|container| Recovered {
            live: Arc::downgrade(live),
            id: container.id.clone(),
            pid: container.init.spec.pid,
            bundle: container.bundle.clone(),
        })
        .collect()
}

/// Splits containers into those whose bundle is gone and those to look at again.
fn look(recovered: Vec<Recovered>) -> (Vec<Recovered>, Vec<Recovered>) {
    let known = recovered.into_iter().filter(Recovered::is_known);
    known.partition(|one| is_missing(Path::new(&one.bundle)))
}

/// Returns whether the bundle is certainly gone. A bundle that cannot be looked at, as for
/// want of a permission, counts as present.
fn is_missing(bundle: &Path) -> bool {
    std::fs::metadata(bundle).is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
}

impl Recovered {
    fn is_known(&self) -> bool {
        self.live.upgrade().is_some_and(|live| {
            live.lock().is_ok_and(|inner| {
                let container = inner.slot.container(&self.id);
                container.is_ok_and(|container| container.init.spec.pid == self.pid)
            })
        })
    }

    fn forget(&self, core: &Arc<Core>) {
        let Some(live) = self.live.upgrade() else {
            return;
        };
        let id = ProcessId::init(&self.id);
        let forgotten = live.lock().and_then(|mut inner| {
            let process = inner.slot.process(&id).map_err(refuse::change)?;
            if process.spec.pid != self.pid {
                return Ok(());
            }
            if process.state != ProcessState::Stopped {
                // The deletion that follows waits for the disk for both changes.
                drop(core.commit(&live, &mut inner, Change::Exit(id.clone(), KILLED))?);
            }
            process::delete(core, &live, &mut inner, id).map(drop)
        });
        match forgotten {
            Ok(()) => info!(
                "Dropped container {} of sandbox {}: its bundle {} is gone",
                self.id, live.key, self.bundle
            ),
            Err(e) => warn!("cannot drop container {}: {e}", self.id),
        }
    }
}
