//! The one way in which a slot changes.
//!
//! A change goes through these steps under the slot's lock: the slot decides on it, the
//! journal records it, the slot is changed, and the effects of that are carried out. The
//! journal's order is therefore the slot's order, and a failed append leaves the slot as
//! it was. A creation goes the same way; the reservation of the id stands for the check.

use std::sync::Arc;

use containerd_sandbox::server::Permit;
use containerd_sandbox::{Key, Result};

use super::core::Core;
use super::effects::{self, Audience, Effects, Freed, ViewChange};
use super::exit_notice::ExitNotice;
use super::live_slot::{Inner, LiveSlot};
use crate::refuse;
use crate::simulate::behaviour::PodBehaviour;
use slot::{Change, Exit, Moment, NewSandbox, Origin, Slot};
use views::Ack;

/// A change that was made in memory and is on its way to the disk.
#[must_use]
pub(super) struct Committed {
    /// Number of the journal's record.
    seq: u64,
    /// Views that the reply waits for.
    views: Vec<Ack>,
    exit_notice: ExitNotice,
}

impl Committed {
    /// Returns the exit of a process, if this change ended it.
    pub(super) fn exit_of(&self, pid: u32) -> Option<Exit> {
        self.exit_notice.exit_of(pid)
    }
}

impl Core {
    /// Makes one change of a live slot: checks it, appends it to the journal, applies it
    /// and carries out its effects. The append is one `write(2)` to the page cache.
    ///
    /// # Errors
    /// The slot's refusal or the journal's error; nothing has changed then.
    pub(super) fn commit(
        self: &Arc<Self>,
        live: &Arc<LiveSlot>,
        inner: &mut Inner,
        change: Change,
    ) -> Result<Committed> {
        let transition = inner.slot.prepare(change).map_err(refuse::change)?;
        let before = Some(transition.slot());
        let (seq, at) = self.record(before, &live.key, transition.change())?;
        let audience = self.audience(transition.slot());
        let effects = effects::make(&live.key, transition, at, audience);
        Ok(self.carry_out(live, inner, seq, effects))
    }

    /// Creates a slot under a key that the caller has reserved, and publishes it under
    /// the key.
    ///
    /// # Errors
    /// The journal's error; nothing has changed then.
    pub(super) fn create(
        self: &Arc<Self>,
        key: &Key,
        new: NewSandbox,
        permit: Permit,
        behaviour: Option<Box<PodBehaviour>>,
    ) -> Result<(Arc<LiveSlot>, Committed)> {
        let (seq, at) = self.record(None, key, &Change::Create(new.clone()))?;
        let slot = Slot::new(new, at.wall());
        let effects = effects::of_creation(self.audience(&slot));
        let live = Arc::new(LiveSlot::new(key.clone(), slot, permit, behaviour));
        let committed = {
            let mut inner = live.lock()?;
            self.carry_out(&live, &mut inner, seq, effects)
        };
        self.sandboxes.publish(key, Arc::clone(&live));
        Ok((live, committed))
    }

    /// Appends a change of a slot to the journal, and returns the number and the time of its
    /// record.
    fn record(&self, before: Option<&Slot>, key: &Key, change: &Change) -> Result<(u64, Moment)> {
        let at = self.now();
        let seq = self.journal.append_to(before, key, at, change)?;
        Ok((seq, at))
    }

    /// Returns the parties that are told of the slot's changes: containerd of sandboxes
    /// that came through its API, the observer of those that came through CRI.
    fn audience(&self, slot: &Slot) -> Audience {
        Audience {
            events: self.publisher_of(slot).is_some(),
            steps: slot.sandbox.origin() == Origin::Cri && self.observer.get().is_some(),
        }
    }

    /// Carries out the effects of a change of a slot that is still locked.
    fn carry_out(
        self: &Arc<Self>,
        live: &Arc<LiveSlot>,
        inner: &mut Inner,
        seq: u64,
        effects: Effects,
    ) -> Committed {
        for ended in &effects.ended {
            inner.attachments.hold_back(ended.pid);
        }
        if let Some(publisher) = &self.publisher {
            for event in effects.events {
                publisher.post(event);
            }
        }
        if let Some(observer) = self.observer.get() {
            for seen in &effects.steps {
                observer(&live.key, &inner.slot, seen);
            }
        }
        if let (true, Some(watch)) = (effects.alters_ports, self.port_watch.get()) {
            watch(&live.key);
        }
        let views = self.submit(effects.views);
        self.free(live, inner, effects.freed, &views);
        let sandbox = effects.exit.map(|exit| inner.pending_exit(exit));
        Committed {
            seq,
            views,
            exit_notice: ExitNotice::new(self, live, sandbox, effects.ended),
        }
    }

    /// Hands changes of views to their writer, and returns those to wait for.
    fn submit(&self, changes: [Option<ViewChange>; 2]) -> Vec<Ack> {
        let mut awaited = Vec::new();
        for change in changes.into_iter().flatten() {
            if change.is_awaited {
                awaited.push(self.views.submit(change.op));
            } else {
                self.views.submit_lazily(change.op);
            }
        }
        awaited
    }

    /// Takes ids out of the tables. The removal of a view must be submitted before, or it could
    /// remove the view of the id's next owner: the parameter `_submitted` requires that order.
    fn free(&self, live: &LiveSlot, inner: &mut Inner, freed: Freed, _submitted: &[Ack]) {
        match freed {
            Freed::Nothing => {}
            Freed::Container(key) => self.containers.remove(&key),
            Freed::Sandbox => {
                inner.close();
                for container in &inner.slot.containers {
                    if let Ok(key) = live.key.sibling(&container.id) {
                        self.containers.remove(&key);
                    }
                }
                self.sandboxes.remove(&live.key);
            }
        }
    }

    /// Waits until a change is as durable as was asked for, and its views are written if
    /// views are written through.
    ///
    /// # Errors
    /// If durability failed. A view that could not be written is retried by its writer,
    /// because the journal has the contents.
    pub(super) async fn settled(&self, mut committed: Committed) -> Result<()> {
        self.journal.durable(committed.seq).await?;
        committed.exit_notice.set_durable();
        for view in committed.views {
            if let Err(e) = view.done().await {
                tracing::debug!("a view is late: {e}");
            }
        }
        Ok(())
    }
}
