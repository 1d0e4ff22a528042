//! The sandboxer: sandboxes come and go.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use containerd_sandbox::server::Limit;
use containerd_sandbox::{Code, Error, Key, Result, SandboxOptions, SandboxUpdate, Sandboxer};
use tracing::{debug, info, warn};

use super::container::ResourceSlotContainer;
use super::core::{Committed, Core, LiveSlot, Settings, populate, sandbox_not_found};
use super::decode;
use super::gate::Gate;
use super::lives;
use super::observe::{Seen, Step};
use super::sandbox::ResourceSlotSandbox;
use super::slowdown::Slowdown;
use super::timers::Timers;
use super::{orphans, process};
use crate::refuse;
use crate::simulate::failure::Call;
use crate::simulate::pids::Pids;
use crate::upstream::{Abandoned, Publisher};
use journal::{Journal, JournalStats, Slots};
use slot::Table;
use slot::Timestamp;
use slot::{Change, KILLED, NewSandbox, ProcessId, SandboxState, Slot};
use views::{ViewOp, Views};

/// How long requests under way are waited for when the sandboxer stops.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// A sandboxer that allocates nothing, and tracks what every pod asks for.
pub struct ResourceSlotSandboxer {
    pub(super) core: Arc<Core>,
    /// Watches over sandboxes that containerd may give up.
    abandoned: Option<Abandoned>,
}

impl ResourceSlotSandboxer {
    /// A sandboxer over recovered slots. Processes that were running go on: their
    /// streams are opened again and their ends are still to come. The containerd
    /// whose sandboxer it is, if its socket is given, is told of events and asked
    /// for sandboxes that it may have given up.
    ///
    /// Call it within a tokio runtime.
    ///
    /// # Errors
    /// `InvalidArgument` for a containerd that can never be connected to.
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
            gate: Gate::new(Slowdown::new(settings.slowdown_percent)),
            timers,
            appender: OnceLock::new(),
            publisher: containerd.map(Publisher::start).transpose()?,
            observer: OnceLock::new(),
            settings,
        });
        tokio::spawn(queue.run(Arc::downgrade(&core)));
        let recovered = populate(&core, slots);
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

    /// How many sandboxes there are.
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Whether there is no sandbox.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks at every slot, in no order. Each is locked meanwhile, one at a time.
    pub(crate) fn each_slot(&self, mut look: impl FnMut(&Key, &Slot)) {
        for live in self.core.sandboxes.all() {
            if let Ok(inner) = live.lock() {
                look(&live.key, &inner.slot);
            }
        }
    }

    /// What the journal has done so far.
    pub(crate) fn journal_stats(&self) -> JournalStats {
        self.core.journal.stats()
    }

    /// How many changes of views are still to be made.
    pub(crate) fn views_backlog(&self) -> usize {
        self.core.views.backlog()
    }

    /// Refuses changes from now on and gives those under way a moment to be answered.
    pub async fn drain(&self) {
        if !self.core.gate.close(DRAIN_PATIENCE).await {
            warn!("some requests are still under way after {DRAIN_PATIENCE:?}");
        }
    }

    /// Makes a sandbox, all or nothing.
    pub(super) async fn insert(&self, id: &Key, mut new: NewSandbox) -> Result<()> {
        let core = &self.core;
        debug!("Extracted resource info: {:?}", new.info);
        if !core.sandboxes.reserve(id) {
            return Err(Error::already_exists(format!(
                "sandbox {id} already exists"
            )));
        }
        let mut undo = Undo {
            core,
            key: id,
            live: None,
            armed: true,
        };
        let one = core.count.acquire()?;
        // The view first: if there is no room for it, nothing has happened yet.
        core.views
            .submit(ViewOp::Put {
                key: id.clone(),
                container: None,
                info: new.info,
            })
            .done()
            .await?;
        new.pid = core.pids.next();
        let at = Timestamp::now();
        let seq = core.journal.append(id, at, &Change::Create(new.clone()))?;
        if let (Some(abandoned), true) = (&self.abandoned, is_recorded(&new)) {
            abandoned.watch(id);
        }
        let slot = Slot::new(new, at);
        if let Some(observer) = core.observer_of(&slot) {
            observer(id, &slot, &Seen::of_pod(Step::Created));
        }
        let live = Arc::new(LiveSlot::new(id.clone(), slot, one));
        core.sandboxes.publish(id, Arc::clone(&live));
        undo.live = Some(live);
        core.journal.durable(seq).await?;
        undo.armed = false;
        info!("ResourceSlot sandbox {id} created successfully");
        Ok(())
    }

    /// The sandbox of a request that a second attempt may repeat. That it is not
    /// there rests on its removal, which then is as durable as was asked for.
    async fn existing(&self, id: &Key) -> Result<Arc<LiveSlot>> {
        match self.core.slot(id) {
            Err(not_found) => {
                self.core.settled_so_far().await?;
                Err(not_found)
            }
            found => found,
        }
    }

    /// Writes what is still on its way to the disk. From now on every change is refused.
    ///
    /// # Errors
    /// If the last sync failed.
    pub fn close(&self) -> Result<()> {
        let journal = self.core.journal.close();
        self.core.views.flush_and_stop();
        Ok(journal?)
    }
}

/// Takes a sandbox back whose creation or start failed half-way or was abandoned
/// by its caller, who will never hear of it.
struct Undo<'a> {
    core: &'a Arc<Core>,
    key: &'a Key,
    /// `None`: only the key is reserved.
    live: Option<Arc<LiveSlot>>,
    armed: bool,
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        debug!("taking back sandbox {}", self.key);
        match &self.live {
            // One that is gone meanwhile is not found, whoever has its id now.
            Some(live) => match delete(self.core, live) {
                Ok(_) => {}
                Err(e) if e.code() == Code::NotFound => {}
                Err(e) => warn!("cannot take back sandbox {}: {e}", self.key),
            },
            None => {
                self.core.views.submit_lazily(ViewOp::Remove {
                    key: self.key.clone(),
                    container: None,
                });
                self.core.sandboxes.remove(self.key);
            }
        }
    }
}

/// Has sandboxes forgotten that containerd gives up, the recovered ones among them.
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

/// Whether it came with a record of containerd's, which always names a runtime.
fn is_recorded(sandbox: &NewSandbox) -> bool {
    !sandbox.runtime.is_empty()
}

/// Ends whatever runs and forgets the sandbox.
pub(super) fn delete(core: &Arc<Core>, live: &Arc<LiveSlot>) -> Result<Committed> {
    let mut inner = live.lock()?;
    core.commit(live, &mut inner, Change::Delete)
}

impl Sandboxer for ResourceSlotSandboxer {
    type Sandbox = ResourceSlotSandbox;

    async fn create(&self, id: &Key, options: SandboxOptions) -> Result<()> {
        info!("Creating ResourceSlot sandbox: {id}");
        let _pass = self.core.gate.enter()?;
        let new = decode::sandbox(id.id(), options, self.core.settings.on_invalid)?;
        lives::check_pod(&self.core, id, &new, Call::CreatePod)?;
        self.insert(id, new).await
    }

    async fn start(&self, id: &Key) -> Result<()> {
        let live = self.core.slot(id)?;
        let delay = {
            let inner = live.lock()?;
            inner.slot.check(&Change::Start).map_err(refuse::change)?;
            lives::check_pod(&self.core, id, &inner.slot.sandbox, Call::StartPod)?.start_delay
        };
        lives::take(delay).await;
        let _pass = self.core.gate.enter()?;
        let committed = {
            let mut inner = live.lock()?;
            self.core.commit(&live, &mut inner, Change::Start)?
        };
        let mut undo = Undo {
            core: &self.core,
            key: id,
            live: Some(live),
            armed: true,
        };
        self.core.settled(committed).await?;
        undo.armed = false;
        info!("ResourceSlot sandbox {id} started");
        Ok(())
    }

    async fn stop(&self, id: &Key, force: bool) -> Result<()> {
        let _pass = self.core.gate.enter()?;
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
        let _pass = self.core.gate.enter()?;
        let live = self.existing(id).await?;
        let committed = delete(&self.core, &live)?;
        self.core.settled(committed).await?;
        info!("ResourceSlot sandbox {id} deleted");
        Ok(())
    }

    async fn update(&self, id: &Key, update: SandboxUpdate) -> Result<()> {
        let _pass = self.core.gate.enter()?;
        let live = self.core.slot(id)?;
        let concerns_resources = update.fields.is_empty()
            || update
                .fields
                .iter()
                .any(|field| field.starts_with("extensions") || field.starts_with("labels"));
        if !concerns_resources {
            return live.lock().map(drop);
        }
        let stated = decode::record(id.id(), &update.record, self.core.settings.on_invalid)?;
        let committed = {
            let mut inner = live.lock()?;
            let info = stated.or(inner.slot.sandbox.info);
            self.core.commit(&live, &mut inner, Change::Update(info))?
        };
        self.core.settled(committed).await?;
        debug!("ResourceSlot sandbox {id} updated: {stated:?}");
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
