//! What all sandboxes share, and the one way in which a slot changes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use containerd_sandbox::server::{Limit, Permit};
use containerd_sandbox::{Error, ExitSignal, Key, Result};
use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;

use super::appender::Appender;
use super::attached::Attachments;
use super::convert;
use super::gate::Gate;
use super::observe::{self, Observer};
use super::timers::Timers;
use crate::refuse;
use crate::simulate::lives::Lives;
use crate::simulate::pids::Pids;
use crate::upstream::{self, Publisher};
use journal::{Journal, Slots};
use pod_resources::OnInvalid;
use slot::Table;
use slot::Timestamp;
use slot::{Change, Ended, Exit, Slot};
use views::{Ack, ViewOp, Views};

/// How the sandboxer behaves where a user can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How pods and containers live, and which calls fail.
    pub lives: Arc<Lives>,
    /// What becomes of a resource value that cannot be read.
    pub on_invalid: OnInvalid,
    /// How long after the signal a process is seen to end: containerd wants the
    /// reply to Kill before the one to Wait. Zero is enough on a runtime with one
    /// thread, where the task that replies to Kill comes first.
    pub exit_delay: Duration,
    /// The exit code of a command in the toy userland that is not built in.
    pub unknown_command: u8,
    /// How many sandboxes there may be.
    pub max_sandboxes: usize,
    /// For tests: how much more CPU time everything takes, in percent.
    pub slowdown_percent: u32,
}

/// Shared by all sandboxes.
pub(super) struct Core {
    pub(super) sandboxes: Table<Key, LiveSlot>,
    /// How many there are and may be.
    pub(super) count: Limit,
    /// The task service names a container only: where it is.
    pub(super) containers: Table<Key, LiveSlot>,
    pub(super) journal: Journal,
    pub(super) views: Views,
    pub(super) pids: Pids,
    pub(super) gate: Gate,
    pub(super) timers: Timers,
    /// Started when the first container writes to a log.
    pub(super) appender: OnceLock<Option<Appender>>,
    /// containerd, if it is to be told what happens.
    pub(super) publisher: Option<Publisher>,
    /// Who watches the pods of CRI's door.
    pub(super) observer: OnceLock<Observer>,
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
    pub(super) calls: Calls,
    signal: Option<Arc<ExitSignal>>,
    /// It counts as one until it is deleted.
    one: Option<Permit>,
    gone: bool,
}

/// How many containers a pod was asked to create and start, for those that are to fail.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Calls {
    pub(super) creates: u32,
    pub(super) starts: u32,
}

impl LiveSlot {
    pub(super) fn new(key: Key, slot: Slot, one: Permit) -> Self {
        Self {
            key,
            inner: Mutex::new(Inner {
                slot,
                attachments: Attachments::default(),
                calls: Calls::default(),
                signal: None,
                one: Some(one),
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
        let is_new = self.signal.is_none();
        let signal = Arc::clone(self.signal.get_or_insert_default());
        // Else whoever ended it fires the signal, once that is durable.
        if let (true, Some(exit)) = (is_new, self.slot.exit) {
            signal.fire(convert::api_exit(exit));
        }
        signal
    }
}

/// A change that was made and is on its way to the disk.
#[must_use]
pub(super) struct Committed {
    seq: u64,
    views: Vec<Ack>,
    telling: Telling,
}

impl Committed {
    /// With one more view to wait for.
    pub(super) fn and(mut self, view: Ack) -> Self {
        self.views.push(view);
        self
    }

    /// How a process ended, if this change ended it.
    pub(super) fn exit_of(&self, pid: u32) -> Option<Exit> {
        let processes = self.telling.ends.iter().flat_map(|ends| &ends.processes);
        processes
            .filter(|ended| ended.pid == pid)
            .map(|ended| ended.exit)
            .next()
    }
}

/// The ends that a change brought, still to be told to those who wait for them.
struct Ends {
    core: Arc<Core>,
    live: Arc<LiveSlot>,
    sandbox: Option<(Arc<ExitSignal>, Exit)>,
    processes: Vec<Ended>,
}

impl Ends {
    fn tell_of_sandbox(&mut self) {
        if let Some((signal, exit)) = self.sandbox.take() {
            signal.fire(convert::api_exit(exit));
        }
    }

    /// Waits until the change is surely as durable as was asked for, unless it is
    /// known to be, and tells. The ends of processes come [`Settings::exit_delay`]
    /// later, so that the reply to what ended them goes first.
    async fn tell(mut self, durable: bool) {
        if !durable {
            self.core.certain().await;
        }
        self.tell_of_sandbox();
        if self.core.settings.exit_delay.is_zero() {
            // Behind the task that answers what ended them, on the same thread.
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(self.core.settings.exit_delay).await;
        }
        for ended in &self.processes {
            self.live.release(ended);
        }
    }
}

/// Has them told, by whatever way it is dropped: the caller may be gone.
struct Telling {
    ends: Option<Ends>,
    durable: bool,
}

impl Drop for Telling {
    fn drop(&mut self) {
        let Some(mut ends) = self.ends.take() else {
            return;
        };
        if self.durable {
            ends.tell_of_sandbox();
        }
        // Without a runtime there is nobody left who could wait.
        if let (false, Ok(runtime)) = (
            ends.processes.is_empty() && ends.sandbox.is_none(),
            Handle::try_current(),
        ) {
            runtime.spawn(ends.tell(self.durable));
        }
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
        let transition = inner.slot.prepare(change).map_err(refuse::change)?;
        let (slot, change) = (transition.slot(), transition.change());
        let at = Timestamp::now();
        let seq = self.journal.append(&live.key, at, change)?;
        let before = slot.resource_info();
        let had_ended = slot.exit.is_some();
        let is_delete = matches!(change, Change::Delete);
        let is_update = matches!(change, Change::Update(_) | Change::UpdatePod { .. });
        let publisher = self.publisher_of(slot);
        let event = match publisher {
            Some(_) => upstream::of_change(&live.key, slot, change),
            None => None,
        };
        let observer = self.observer_of(slot);
        let step = observer.and_then(|_| observe::of_change(change));
        let processes = transition.apply(at);
        for ended in &processes {
            inner.attachments.hold_back(ended.pid);
        }
        if let Some(publisher) = publisher {
            let ends = processes
                .iter()
                .map(|ended| upstream::of_end(&live.key, ended));
            for event in ends.chain(event) {
                publisher.post(event);
            }
        }
        let sandbox = match inner.slot.exit {
            Some(exit) if !had_ended => {
                let signal = inner.signal.get_or_insert_default();
                Some((Arc::clone(signal), exit))
            }
            _ => None,
        };
        if let Some(observer) = observer {
            for seen in observe::of_ends(&processes, sandbox.is_some()).chain(step) {
                observer(&live.key, &inner.slot, &seen);
            }
        }
        let mut views = Vec::new();
        if is_delete {
            inner.gone = true;
            inner.one = None;
            for container in &inner.slot.containers {
                if let Ok(key) = live.key.sibling(&container.id) {
                    self.containers.remove(&key);
                }
            }
            self.views.submit_lazily(ViewOp::Remove {
                key: live.key.clone(),
                container: None,
            });
            self.sandboxes.remove(&live.key);
        } else if inner.slot.resource_info() != before {
            let put = ViewOp::Put {
                key: live.key.clone(),
                container: None,
                info: inner.slot.resource_info(),
            };
            if is_update {
                views.push(self.views.submit(put));
            } else {
                self.views.submit_lazily(put);
            }
        }
        let ends = (sandbox.is_some() || !processes.is_empty()).then(|| Ends {
            core: Arc::clone(self),
            live: Arc::clone(live),
            sandbox,
            processes,
        });
        Ok(Committed {
            seq,
            views,
            telling: Telling {
                ends,
                durable: false,
            },
        })
    }

    /// containerd, if this slot is of its making and it is to be told.
    pub(super) fn publisher_of(&self, slot: &Slot) -> Option<&Publisher> {
        self.publisher
            .as_ref()
            .filter(|_| slot.sandbox.cri.is_none())
    }

    /// Who watches this slot.
    pub(super) fn observer_of(&self, slot: &Slot) -> Option<&Observer> {
        // Of other doors nothing is watched, and this costs a look at a pointer.
        slot.sandbox.cri.as_ref()?;
        self.observer.get()
    }

    /// Waits until a change is as durable as was asked for, and its views are
    /// where they were promised to be.
    ///
    /// # Errors
    /// If durability failed. A view that could not be written is retried by its
    /// writer: the journal holds the truth.
    pub(super) async fn settled(&self, mut committed: Committed) -> Result<()> {
        self.journal.durable(committed.seq).await?;
        committed.telling.durable = true;
        for view in committed.views {
            if let Err(e) = view.done().await {
                tracing::debug!("a view is late: {e}");
            }
        }
        Ok(())
    }

    /// Waits until all that was changed so far is as durable as was asked for,
    /// for an answer that rests on it.
    ///
    /// # Errors
    /// If durability failed.
    pub(super) async fn settled_so_far(&self) -> Result<()> {
        Ok(self.journal.barrier().await?)
    }

    /// The same, however often it fails.
    pub(super) async fn certain(&self) {
        const RETRY: Duration = Duration::from_millis(200);
        while self.journal.barrier().await.is_err() {
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Who appends to logs, if the system has a thread for that.
    pub(super) fn appender(&self) -> Option<Appender> {
        let start = || match Appender::start() {
            Ok(appender) => Some(appender),
            Err(e) => {
                tracing::warn!("containers have no logs: {e}");
                None
            }
        };
        self.appender.get_or_init(start).clone()
    }

    /// How many sandboxes are live.
    pub(super) fn len(&self) -> usize {
        self.sandboxes.len()
    }
}

impl LiveSlot {
    /// Works on a deleted sandbox, too: its waiters have a right to the end.
    fn release(&self, ended: &Ended) {
        let signal = self.inner.lock().attachments.release(ended.pid);
        if let Some(signal) = signal {
            signal.fire(convert::api_exit(ended.exit));
        }
    }
}

/// Puts recovered slots into the tables.
pub(super) fn populate(core: &Core, slots: Slots) -> Vec<Arc<LiveSlot>> {
    let mut all = Vec::with_capacity(slots.len());
    for (key, slot) in slots {
        let containers: Vec<Key> = slot
            .containers
            .iter()
            .filter_map(|container| key.sibling(&container.id).ok())
            .collect();
        let live = Arc::new(LiveSlot::new(
            key.clone(),
            *slot,
            core.count.force_acquire(),
        ));
        for container in containers {
            core.containers.publish(&container, Arc::clone(&live));
        }
        core.sandboxes.publish(&key, Arc::clone(&live));
        all.push(live);
    }
    all
}
