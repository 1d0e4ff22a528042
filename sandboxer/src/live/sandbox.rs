//! One sandbox: containers come and go.

use std::collections::HashMap;
use std::sync::Arc;

use containerd_sandbox::{
    Any, Container as _, ContainerOptions, Deleted, Error, ExitSignal, Key, Result, Sandbox,
    SandboxStatus,
};
use oci_spec::runtime::LinuxResources;
use serde::Serialize;
use tracing::{debug, warn};

use super::container::ResourceSlotContainer;
use super::convert;
use super::core::{Core, LiveSlot};
use super::decode;
use super::process;
use crate::refuse;
use crate::simulate::{stdio, usage};
use pod_resources::ResourceInfo;
use slot::Timestamp;
use slot::{Change, NewContainer, NewProcess, Pod, ProcessId, ProcessState, SandboxState, Slot};
use views::ViewOp;

/// A handle on one sandbox.
#[derive(Clone)]
pub struct ResourceSlotSandbox {
    pub(super) core: Arc<Core>,
    pub(super) live: Arc<LiveSlot>,
}

/// The keys of a verbose status: the one whose value crictl shows as JSON, and one of
/// our own, as containerd 2.3 puts a document of its own under the first.
const INFO: &str = "info";
const OWN_INFO: &str = "resource_slot";

/// What a verbose status shows as JSON.
#[derive(Serialize)]
struct VerboseInfo<'a> {
    sandbox_id: &'a str,
    namespace: &'a str,
    state: SandboxState,
    pod: Option<&'a Pod>,
    resource_info: ResourceInfo,
    containers: Vec<ContainerInfo<'a>>,
}

#[derive(Serialize)]
struct ContainerInfo<'a> {
    id: &'a str,
    state: ProcessState,
    pid: u32,
    resource_info: ResourceInfo,
}

fn verbose(key: &Key, slot: &Slot) -> Result<HashMap<String, String>> {
    let info = VerboseInfo {
        sandbox_id: key.id(),
        namespace: key.namespace(),
        state: slot.state,
        pod: slot.sandbox.pod.as_ref(),
        resource_info: slot.resource_info(),
        containers: slot
            .containers
            .iter()
            .map(|container| ContainerInfo {
                id: &container.id,
                state: container.init.state,
                pid: container.init.spec.pid,
                resource_info: container.info,
            })
            .collect(),
    };
    let json = serde_json::to_string(&info)
        .map_err(|e| Error::internal(format!("encode sandbox info: {e}")))?;
    Ok(HashMap::from([
        (INFO.to_owned(), json.clone()),
        (OWN_INFO.to_owned(), json),
    ]))
}

impl ResourceSlotSandbox {
    /// Adds a container, all or nothing, and returns its process id.
    pub(super) async fn append(&self, new: NewContainer) -> Result<u32> {
        let key = self.live.key.sibling(&new.id)?;
        let (info, pid) = (new.info, new.process.pid);
        debug!("Extracted resource info: {info:?}");
        let change = Change::CreateContainer(new);
        if !self.core.containers.reserve(&key) {
            return Err(Error::already_exists(format!(
                "container {key} already exists"
            )));
        }
        let mut undo = Undo {
            sandbox: self,
            key: &key,
            committed: None,
            armed: true,
        };
        // The view first: if there is no room for it, nothing has happened yet.
        // Under the slot's lock, so that the removal of the sandbox comes after it.
        let view = {
            let inner = self.live.lock()?;
            inner.slot.check(&change).map_err(refuse::change)?;
            self.core.views.submit(ViewOp::Put {
                key: self.live.key.clone(),
                container: Some(key.id().to_owned()),
                info,
            })
        };
        view.done().await?;
        let committed = {
            let mut inner = self.live.lock()?;
            let committed = self.core.commit(&self.live, &mut inner, change)?;
            self.core.containers.publish(&key, Arc::clone(&self.live));
            undo.committed = Some(pid);
            committed
        };
        self.core.settled(committed).await?;
        undo.armed = false;
        debug!(
            "Created container {} in sandbox {}",
            key.id(),
            self.live.key
        );
        Ok(pid)
    }
}

/// Takes a container back whose creation failed half-way or was abandoned.
struct Undo<'a> {
    sandbox: &'a ResourceSlotSandbox,
    key: &'a Key,
    /// Its process id once it is in the slot; until then only the key is reserved.
    committed: Option<u32>,
    armed: bool,
}

impl Undo<'_> {
    fn undo(&self) -> Result<()> {
        let ResourceSlotSandbox { core, live } = self.sandbox;
        // With the sandbox, all that was in it is gone, and its views are.
        let inner = live.lock();
        let Some(pid) = self.committed else {
            if inner.is_ok() {
                core.views.submit_lazily(ViewOp::Remove {
                    key: live.key.clone(),
                    container: Some(self.key.id().to_owned()),
                });
            }
            core.containers.remove(self.key);
            return Ok(());
        };
        let Ok(mut inner) = inner else { return Ok(()) };
        match inner.slot.container(self.key.id()) {
            Ok(container) if container.init.spec.pid == pid => {
                let id = ProcessId::init(self.key.id());
                process::delete(core, live, &mut inner, id).map(drop)
            }
            // Somebody else's by now.
            _ => Ok(()),
        }
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        debug!("taking back container {}", self.key);
        if let Err(e) = self.undo() {
            warn!("cannot take back container {}: {e}", self.key);
        }
    }
}

impl Sandbox for ResourceSlotSandbox {
    type Container = ResourceSlotContainer;

    fn status(&self, details: bool) -> Result<SandboxStatus> {
        let inner = self.live.lock()?;
        let slot = &inner.slot;
        Ok(SandboxStatus {
            pid: slot.sandbox.pid,
            ready: slot.state == SandboxState::Ready,
            created_at: slot.created_at.into(),
            exit: slot.exit.map(convert::api_exit),
            info: if details {
                verbose(&self.live.key, slot)?
            } else {
                HashMap::new()
            },
        })
    }

    fn ping(&self) -> Result<()> {
        self.live.lock().map(drop)
    }

    fn container(&self, id: &str) -> Result<ResourceSlotContainer> {
        self.live
            .lock()?
            .slot
            .container(id)
            .map_err(refuse::change)?;
        Ok(ResourceSlotContainer {
            core: Arc::clone(&self.core),
            live: Arc::clone(&self.live),
            id: ProcessId::init(id),
        })
    }

    async fn append_container(&self, id: &str, options: ContainerOptions) -> Result<u32> {
        let _pass = self.core.gate.enter()?;
        let info = decode::container(id, &options, self.core.settings.on_invalid)?;
        let args = options
            .spec
            .process
            .map_or(Vec::new(), |process| process.args);
        let life = self.life_of(&options.spec.annotations, args, &[id])?;
        let new = NewContainer {
            id: id.to_owned(),
            bundle: options.bundle,
            info,
            process: NewProcess {
                pid: self.core.pids.next(),
                stdio: convert::slot_stdio(options.stdio),
                planned_exit: life.course.planned_exit,
                command: life.course.command,
            },
            behaviour: life.conduct,
            ..NewContainer::default()
        };
        stdio::check(&new.process.stdio)?;
        self.append(new).await
    }

    async fn update_container(&self, id: &str, resources: &LinuxResources) -> Result<()> {
        self.container(id)?.update(resources).await
    }

    async fn remove_container(&self, id: &str) -> Result<Deleted> {
        self.container(id)?.delete(None).await
    }

    fn exit_signal(&self) -> Result<Arc<ExitSignal>> {
        Ok(self.live.lock()?.exit_signal())
    }

    fn stats(&self) -> Result<Any> {
        usage::of_sandbox(&self.live.lock()?.slot, Timestamp::now())
    }
}
