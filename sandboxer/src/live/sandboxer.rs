//! The sandboxer: creates, starts, stops and deletes sandboxes.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use containerd_sandbox::server::Limit;
use containerd_sandbox::{Code, Error, Key, Result, SandboxOptions, SandboxUpdate, Sandboxer};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

use super::commit::Committed;
use super::container::ResourceSlotContainer;
use super::core::{Core, Settings};
use super::drain::Drain;
use super::live_slot::{LiveSlot, sandbox_not_found};
use super::log_root::LogRoot;
use super::sandbox::ResourceSlotSandbox;
use super::slowdown::Slowdown;
use super::timers::Timers;
use super::volumes::Lookers;
use super::{decode, fault_injection, orphans, process, recovery};
use crate::refuse;
use crate::simulate::behaviour::PodBehaviour;
use crate::simulate::failure::Call;
use crate::simulate::pids::Pids;
use crate::undo::Undo;
use crate::upstream::{Abandoned, Publisher};
use crate::wait::wait;
use journal::{Journal, JournalStats, Slots};
use slot::Table;
use slot::{Change, KILLED, NewSandbox, ProcessId, SandboxState, Slot};
use views::{ViewOp, Views};

/// Time that a stop of the sandboxer waits for requests under way.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// A sandboxer that allocates nothing, and tracks the resources that every pod asks for.
pub struct ResourceSlotSandboxer {
    pub(super) core: Arc<Core>,
    /// Watch for sandboxes that containerd gives up.
    abandoned: Option<Abandoned>,
}

impl ResourceSlotSandboxer {
    /// Returns a sandboxer over recovered slots. Processes that ran when the daemon stopped
    /// go on: their streams are opened again, and their ends are still to come. The
    /// containerd at the socket `containerd`, if given, gets task events, and is asked for
    /// sandboxes that it may have given up.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument` for a path of containerd that cannot be connected to.
    pub fn new(
        journal: Journal,
        views: Views,
        slots: Slots,
        settings: Settings,
        containerd: Option<&Path>,
    ) -> Result<Self> {
        let last_pid = slots
            .values()
            .flat_map(|slot| {
                let processes = slot
                    .containers
                    .iter()
                    .flat_map(|c| std::iter::once(&c.init).chain(c.execs.iter().map(|(_, p)| p)))
                    .map(|process| process.spec.pid);
                processes.chain(std::iter::once(slot.sandbox.pid))
            })
            .max();
        let (timers, queue) = Timers::new();
        let core = Arc::new(Core {
            sandboxes: Table::default(),
            count: Limit::new(settings.max_sandboxes, "sandboxes").with_hint("see --max-sandboxes"),
            containers: Table::default(),
            journal,
            views,
            pids: Pids::after(last_pid),
            drain: Drain::new(Slowdown::new(settings.slowdown_percent)),
            timers,
            appender: OnceLock::new(),
            line_writer: OnceLock::new(),
            lookers: Lookers::default(),
            scripts: OnceLock::new(),
            publisher: containerd.map(Publisher::start).transpose()?,
            observer: OnceLock::new(),
            port_watch: OnceLock::new(),
            lists: Semaphore::new(Handle::current().metrics().num_workers()),
            settings,
        });
        let timed = Arc::downgrade(&core);
        tokio::spawn(queue.run(move |due| {
            if let Some(core) = timed.upgrade() {
                process::fire(&core, due);
            }
        }));
        let recovered = recovery::populate(&core, slots);
        for live in &recovered {
            process::resume_all(&core, live);
        }
        orphans::look_after(&core, &recovered);
        let abandoned = match containerd {
            Some(address) => Some(watch_over(&core, address, &recovered)?),
            None => None,
        };
        Ok(Self { core, abandoned })
    }

    /// Returns the number of sandboxes.
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Returns the directory below which alone log files are written.
    pub(crate) fn log_root(&self) -> &LogRoot {
        &self.core.settings.log_root
    }

    /// Returns whether there is no sandbox.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `look` with every slot, in no order. Slots are locked one at a time.
    pub(crate) fn each_slot(&self, mut look: impl FnMut(&Key, &Slot)) {
        for live in self.core.sandboxes.all() {
            if let Ok(inner) = live.lock() {
                look(&live.key, &inner.slot);
            }
        }
    }

    /// Returns the journal's statistics since the start.
    pub(crate) fn journal_stats(&self) -> JournalStats {
        self.core.journal.stats()
    }

    /// Returns the number of changes of views that are still to be written.
    pub(crate) fn views_backlog(&self) -> usize {
        self.core.views.backlog()
    }

    /// Refuses changes from now on, and gives those under way a moment to finish.
    pub async fn drain(&self) {
        if !self.core.drain.close(DRAIN_PATIENCE).await {
            warn!("some requests are still under way after {DRAIN_PATIENCE:?}");
        }
    }

    /// Creates a sandbox completely or not at all, and returns a handle on it.
    pub(super) async fn insert(
        &self,
        id: &Key,
        new: NewSandbox,
        behaviour: Option<Box<PodBehaviour>>,
    ) -> Result<ResourceSlotSandbox> {
        let core = &self.core;
        debug!("Extracted resource info: {:?}", new.info);
        if !core.sandboxes.reserve(id) {
            return Err(Error::already_exists(format!(
                "sandbox {id} already exists"
            )));
        }
        let reserved = Undo::new(|| {
            debug!("taking back sandbox {id}");
            core.views.submit_lazily(ViewOp::Remove {
                key: id.clone(),
                container: None,
            });
            core.sandboxes.remove(id);
        });
        let permit = core.count.acquire()?;
        // The view comes first: without room for it nothing has happened yet.
        core.views
            .submit(ViewOp::Put {
                key: id.clone(),
                container: None,
                info: new.info,
            })
            .done()
            .await?;
        let new = NewSandbox {
            pid: core.pids.next(),
            ..new
        };
        let is_recorded = is_recorded(&new);
        let (live, committed) = core.create(id, new, permit, behaviour)?;
        reserved.disarm();
        let created = Undo::new(|| take_back(core, &live));
        if let (Some(abandoned), true) = (&self.abandoned, is_recorded) {
            abandoned.watch(id);
        }
        core.settled(committed).await?;
        created.disarm();
        info!("ResourceSlot sandbox {id} created successfully");
        Ok(ResourceSlotSandbox {
            core: Arc::clone(core),
            live,
        })
    }

    /// Returns the sandbox of a request that may be a repetition. Its absence rests on its
    /// removal, so "not found" is only returned once that removal is as durable as was
    /// asked for.
    async fn existing(&self, id: &Key) -> Result<Arc<LiveSlot>> {
        match self.core.slot(id) {
            Err(not_found) => {
                self.core.settled_so_far().await?;
                Err(not_found)
            }
            found => found,
        }
    }

    /// Writes everything that is on its way to the disk. From now on every change is
    /// refused.
    ///
    /// # Errors
    /// If the last sync failed.
    pub fn close(&self) -> Result<()> {
        let journal = self.core.journal.close();
        self.core.views.flush_and_stop();
        Ok(journal?)
    }
}

/// Deletes a sandbox that a failed or abandoned call has created or started. A sandbox
/// that is gone is left alone, even if another one has its id by then.
pub(super) fn take_back(core: &Arc<Core>, live: &Arc<LiveSlot>) {
    debug!("taking back sandbox {}", live.key);
    match delete(core, live) {
        Ok(_) => {}
        Err(e) if e.code() == Code::NotFound => {}
        Err(e) => warn!("cannot take back sandbox {}: {e}", live.key),
    }
}

/// Starts to watch for sandboxes that containerd gives up, the recovered ones included, and
/// deletes them.
fn watch_over(core: &Arc<Core>, address: &Path, recovered: &[Arc<LiveSlot>]) -> Result<Abandoned> {
    let (existing, known) = (Arc::downgrade(core), Arc::downgrade(core));
    let exist = move |key: &Key| {
        let core = existing.upgrade();
        core.is_some_and(|core| core.sandboxes.get(key).is_some())
    };
    let forget = move |key: &Key| {
        let Some(core) = known.upgrade() else { return };
        match core.slot(key).and_then(|live| delete(&core, &live)) {
            Ok(_) => info!("Dropped sandbox {key}: containerd has given it up"),
            Err(e) => warn!("cannot drop sandbox {key}: {e}"),
        }
    };
    let abandoned = Abandoned::start(address, exist, forget)?;
    for live in recovered {
        if live
            .lock()
            .is_ok_and(|inner| is_recorded(&inner.slot.sandbox))
        {
            abandoned.watch(&live.key);
        }
    }
    Ok(abandoned)
}

/// Returns whether a sandbox came with containerd's record, which always names a runtime.
fn is_recorded(sandbox: &NewSandbox) -> bool {
    !sandbox.runtime.is_empty()
}

/// Ends everything that runs in the sandbox, and deletes it.
pub(super) fn delete(core: &Arc<Core>, live: &Arc<LiveSlot>) -> Result<Committed> {
    let mut inner = live.lock()?;
    core.commit(live, &mut inner, Change::Delete)
}

impl Sandboxer for ResourceSlotSandboxer {
    type Sandbox = ResourceSlotSandbox;

    async fn create(&self, id: &Key, options: SandboxOptions) -> Result<()> {
        info!("Creating ResourceSlot sandbox: {id}");
        let _pass = self.core.drain.enter()?;
        let core = &self.core;
        let (new, annotations) = decode::sandbox(id.id(), options, core.settings.rules)?;
        let behaviour = fault_injection::draw(core, id, &new, annotations)?;
        fault_injection::check_pod(core, id, &new, behaviour.as_deref(), Call::CreatePod)?;
        self.insert(id, new, behaviour).await.map(drop)
    }

    async fn start(&self, id: &Key) -> Result<()> {
        let live = self.core.slot(id)?;
        let delay = {
            let inner = live.lock()?;
            inner.slot.check(&Change::Start).map_err(refuse::change)?;
            let (pod, behaviour) = (&inner.slot.sandbox, inner.behaviour.as_deref());
            fault_injection::check_pod(&self.core, id, pod, behaviour, Call::StartPod)?;
            behaviour.map_or(Duration::ZERO, |behaviour| behaviour.start_delay)
        };
        wait(delay).await;
        let _pass = self.core.drain.enter()?;
        let committed = {
            let mut inner = live.lock()?;
            self.core.commit(&live, &mut inner, Change::Start)?
        };
        let started = Undo::new(|| take_back(&self.core, &live));
        self.core.settled(committed).await?;
        started.disarm();
        info!("ResourceSlot sandbox {id} started");
        Ok(())
    }

    async fn stop(&self, id: &Key, force: bool) -> Result<()> {
        let _pass = self.core.drain.enter()?;
        let live = self.existing(id).await?;
        let committed = {
            let mut inner = live.lock()?;
            if inner.slot.state == SandboxState::NotReady {
                None
            } else {
                let code = if force { KILLED } else { 0 };
                Some(self.core.commit(&live, &mut inner, Change::Stop(code))?)
            }
        };
        let Some(committed) = committed else {
            return self.core.settled_so_far().await;
        };
        self.core.settled(committed).await?;
        info!("ResourceSlot sandbox {id} stopped");
        Ok(())
    }

    async fn delete(&self, id: &Key) -> Result<()> {
        let _pass = self.core.drain.enter()?;
        let live = self.existing(id).await?;
        let committed = delete(&self.core, &live)?;
        self.core.settled(committed).await?;
        info!("ResourceSlot sandbox {id} deleted");
        Ok(())
    }

    async fn update(&self, id: &Key, update: SandboxUpdate) -> Result<()> {
        let _pass = self.core.drain.enter()?;
        let live = self.core.slot(id)?;
        let concerns_resources = update.fields.is_empty()
            || update
                .fields
                .iter()
                .any(|field| field.starts_with("extensions") || field.starts_with("labels"));
        if !concerns_resources {
            return live.lock().map(drop);
        }
        let rules = self.core.settings.rules;
        let (committed, info) = {
            let mut inner = live.lock()?;
            let present = &inner.slot.sandbox;
            let (info, linux) = decode::updated_record(id.id(), present, &update.record, rules)?;
            let change = match linux {
                Some(linux) => Change::UpdatePod {
                    info,
                    linux: linux.into(),
                },
                None => Change::Update(info),
            };
            (self.core.commit(&live, &mut inner, change)?, info)
        };
        self.core.settled(committed).await?;
        debug!("ResourceSlot sandbox {id} updated: {info:?}");
        Ok(())
    }

    fn sandbox(&self, id: &Key) -> Result<ResourceSlotSandbox> {
        let live = self
            .core
            .sandboxes
            .get(id)
            .ok_or_else(|| sandbox_not_found(id))?;
        Ok(ResourceSlotSandbox {
            core: Arc::clone(&self.core),
            live,
        })
    }

    fn container(&self, id: &Key) -> Result<ResourceSlotContainer> {
        let live = self
            .core
            .containers
            .get(id)
            .ok_or_else(|| Error::not_found(format!("container {id} not found")))?;
        Ok(ResourceSlotContainer {
            core: Arc::clone(&self.core),
            live,
            id: ProcessId::init(id.id()),
        })
    }
}
