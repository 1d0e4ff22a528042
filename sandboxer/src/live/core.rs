//! What all sandboxes share, and the one way in which a slot changes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::{Error, ExitSignal, Key, Result};
use parking_lot::{Mutex, MutexGuard};

use super::attached::Attachments;
use super::table::Table;
use crate::resource::OnInvalid;
use crate::simulate::pids::Pids;
use crate::slot::{Change, Exit, ProcessId, Slot};
use crate::store::{Ack, Journal, ViewOp, Views};
use crate::time::Timestamp;

/// How the sandboxer behaves where a user can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What becomes of a resource value that cannot be read.
    pub on_invalid: OnInvalid,
    /// How long after the signal a process is seen to end: containerd wants the
    /// reply to Kill before the one to Wait.
    pub exit_delay: Duration,
}

/// Shared by all sandboxes.
pub(super) struct Core {
    pub(super) sandboxes: Table<LiveSlot>,
    /// The task service names a container only: where it is.
    pub(super) containers: Table<LiveSlot>,
    pub(super) journal: Journal,
    pub(super) views: Views,
    pub(super) pids: Pids,
    pub(super) settings: Settings,
}

/// One sandbox: its slot, and what the living hang on it.
pub(super) struct LiveSlot {
    pub(super) key: Key,
    inner: Mutex<Inner>,
}

pub(super) struct Inner {
    pub(super) slot: Slot,
    pub(super) attachments: Attachments,
    signal: Option<Arc<ExitSignal>>,
    gone: bool,
}

impl LiveSlot {
    pub(super) fn new(key: Key, slot: Slot) -> Self {
        Self {
            key,
            inner: Mutex::new(Inner {
                slot,
                attachments: Attachments::default(),
                signal: None,
                gone: false,
            }),
        }
    }

    /// The slot, if it is still there.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Inner>> {
        let inner = self.inner.lock();
        if inner.gone {
            return Err(self.not_found());
        }
        Ok(inner)
    }

    pub(super) fn not_found(&self) -> Error {
        sandbox_not_found(&self.key)
    }
}

pub(super) fn sandbox_not_found(key: &Key) -> Error {
    Error::not_found(format!("sandbox {key} not found"))
}

impl Inner {
    /// The signal of the sandbox's end.
    pub(super) fn exit_signal(&mut self) -> Arc<ExitSignal> {
        let signal = Arc::clone(self.signal.get_or_insert_default());
        if let Some(exit) = self.slot.exit {
            signal.fire(exit.into());
        }
        signal
    }
}

/// A change that was made and is on its way to the disk.
#[must_use]
#[derive(Default)]
pub(super) struct Committed {
    seq: u64,
    views: Vec<Ack>,
}

impl Committed {
    /// With one more view to wait for.
    pub(super) fn and(mut self, view: Ack) -> Self {
        self.views.push(view);
        self
    }
}

impl Core {
    pub(super) fn slot(&self, key: &Key) -> Result<Arc<LiveSlot>> {
        self.sandboxes
            .get(key)
            .ok_or_else(|| sandbox_not_found(key))
    }

    /// Makes one change: checks it, appends it to the journal, applies it. The
    /// slot's own lock is held throughout, so the journal's order is the
    /// slot's order, and a failed append leaves the slot as it was. An append
    /// is one `write(2)` to the page cache.
    ///
    /// # Errors
    /// Why the slot refuses it, or why the journal failed; then nothing has changed.
    pub(super) fn commit(
        self: &Arc<Self>,
        live: &Arc<LiveSlot>,
        inner: &mut Inner,
        change: Change,
    ) -> Result<Committed> {
        inner.slot.check(&change)?;
        let at = Timestamp::now();
        let seq = self.journal.append(&live.key, at, &change)?;
        let before = inner.slot.resource_info();
        let change_is_delete = matches!(change, Change::Delete);
        let ended = inner.slot.apply(change, at)?;
        for process in ended {
            self.release_later(live, inner, &process);
        }
        if let (Some(signal), Some(exit)) = (&inner.signal, inner.slot.exit) {
            signal.fire(exit.into());
        }
        let mut views = Vec::new();
        if change_is_delete {
            inner.gone = true;
            for container in &inner.slot.containers {
                if let Ok(key) = live.key.sibling(&container.id) {
                    self.containers.remove(&key);
                }
            }
            views.push(self.views.submit(ViewOp::Remove {
                key: live.key.clone(),
                container: None,
            }));
            self.sandboxes.remove(&live.key);
        } else if inner.slot.resource_info() != before {
            views.push(self.views.submit(ViewOp::Put {
                key: live.key.clone(),
                container: None,
                info: inner.slot.resource_info(),
            }));
        }
        Ok(Committed { seq, views })
    }

    /// Waits until a change is as durable as was asked for, and its views are
    /// where they were promised to be.
    ///
    /// # Errors
    /// If durability failed. A view that could not be written is retried by its
    /// writer: the journal holds the truth.
    pub(super) async fn settled(&self, committed: Committed) -> Result<()> {
        self.journal.durable(committed.seq).await?;
        for view in committed.views {
            if let Err(e) = view.done().await {
                tracing::debug!("a view is late: {e}");
            }
        }
        Ok(())
    }

    /// Lets those who wait for a process go, and closes its streams, once the
    /// reply to what ended it is on its way.
    fn release_later(self: &Arc<Self>, live: &Arc<LiveSlot>, inner: &Inner, process: &ProcessId) {
        let Ok(process) = inner.slot.process(process) else {
            return;
        };
        let (pid, Some(exit)) = (process.spec.pid, process.exit) else {
            return;
        };
        if !inner.attachments.has(pid) {
            return;
        }
        let live = Arc::clone(live);
        let delay = self.settings.exit_delay;
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            live.release(pid, exit);
        });
    }

    /// How many sandboxes are live.
    pub(super) fn len(&self) -> usize {
        self.sandboxes.len()
    }
}

impl LiveSlot {
    /// Works on a deleted sandbox, too: its waiters have a right to the end.
    fn release(&self, pid: u32, exit: Exit) {
        if let Some(signal) = self.inner.lock().attachments.release(pid) {
            signal.fire(exit.into());
        }
    }
}

/// Puts recovered slots into the tables.
pub(super) fn populate(core: &Core, slots: HashMap<Key, Slot>) -> Vec<Arc<LiveSlot>> {
    let mut all = Vec::with_capacity(slots.len());
    for (key, slot) in slots {
        let containers: Vec<Key> = slot
            .containers
            .iter()
            .filter_map(|container| key.sibling(&container.id).ok())
            .collect();
        let live = Arc::new(LiveSlot::new(key.clone(), slot));
        for container in containers {
            core.containers.publish(&container, Arc::clone(&live));
        }
        core.sandboxes.publish(&key, Arc::clone(&live));
        all.push(live);
    }
    all
}
