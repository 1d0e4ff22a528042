//! One sandbox: a handle with the operations of the sandbox API.

use std::collections::HashMap;
use std::sync::Arc;

use containerd_sandbox::{
    Any, Container as _, ContainerOptions, Deleted, Error, ExitSignal, Key, LinuxResources, Result,
    Sandbox, SandboxStatus,
};
use serde::Serialize;
use tracing::{debug, warn};

use super::container::ResourceSlotContainer;
use super::convert;
use super::core::Core;
use super::decode;
use super::live_slot::LiveSlot;
use super::meta;
use super::process;
use super::stdio;
use crate::refuse;
use crate::simulate::annotations::Annotations;
use crate::simulate::{ports, usage};
use crate::undo::Undo;
use pod_resources::ResourceInfo;
use slot::{Change, NewContainer, NewProcess, Pod, ProcessId, ProcessState, SandboxState, Slot};
use views::ViewOp;

/// A handle on one sandbox.
#[derive(Clone)]
pub struct ResourceSlotSandbox {
    pub(super) core: Arc<Core>,
    pub(super) live: Arc<LiveSlot>,
}

/// Keys of a verbose status. crictl shows the value of the first as JSON; the second is
/// this project's own, because containerd 2.3 puts a document of its own under the first.
const INFO: &str = "info";
const OWN_INFO: &str = "resource_slot";

/// Annotation in which containerd's CRI plugin gives the name of a container
/// (`internal/cri/annotations` in containerd).
const CONTAINER_NAME: &str = "io.kubernetes.cri.container-name";

/// Contents of a verbose status, encoded as JSON.
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
    /// Adds a container completely or not at all, and returns its fake process id.
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
        let reserved = Undo::new(|| self.take_back_reservation(&key));
        // The view comes first: without room for it nothing has happened yet. It is
        // submitted under the slot's lock, so that the removal of the sandbox follows it.
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
            committed
        };
        reserved.disarm();
        let created = Undo::new(|| self.take_back_container(&key, pid));
        self.core.settled(committed).await?;
        created.disarm();
        debug!(
            "Created container {} in sandbox {}",
            key.id(),
            self.live.key
        );
        Ok(pid)
    }

    /// Frees the reserved id of a container whose creation failed or was abandoned, and
    /// removes its view.
    fn take_back_reservation(&self, key: &Key) {
        debug!("taking back container {key}");
        // The views of a deleted sandbox are gone already.
        let inner = self.live.lock();
        if inner.is_ok() {
            self.core.views.submit_lazily(ViewOp::Remove {
                key: self.live.key.clone(),
                container: Some(key.id().to_owned()),
            });
        }
        self.core.containers.remove(key);
    }

    /// Deletes the container with this fake process id, whose creation failed or was
    /// abandoned. Another container may have its id by then.
    fn take_back_container(&self, key: &Key, pid: u32) {
        debug!("taking back container {key}");
        // A deleted sandbox has no containers left.
        let Ok(mut inner) = self.live.lock() else {
            return;
        };
        let container = inner.slot.container(key.id());
        if container.is_ok_and(|container| container.init.spec.pid == pid) {
            let id = ProcessId::init(key.id());
            if let Err(e) = process::delete(&self.core, &self.live, &mut inner, id) {
                warn!("cannot take back container {key}: {e}");
            }
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
        let _pass = self.core.drain.enter()?;
        let (info, cpu_quota) = decode::container(id, &options, self.core.settings.rules)?;
        let oom_score_adj = options.spec.process.oom_score_adj;
        let linux = options.spec.linux.value();
        let is_first = linux.is_some_and(|linux| linux.has_pid_namespace);
        let args = options.spec.process.args;
        let annotations = Annotations::of(&options.spec.annotations)?;
        let behaviour = self.draw_container(annotations, args, &[id])?;
        let process = behaviour.process.protected(is_first);
        let name = options.spec.annotations.get(CONTAINER_NAME);
        let mapped = {
            let inner = self.live.lock()?;
            let hints = inner.slot.sandbox.hints.as_ref();
            hints.map_or_else(Vec::new, |hints| hints.ports.clone())
        };
        let new = NewContainer {
            id: id.to_owned(),
            name: name.cloned().unwrap_or_default(),
            bundle: options.bundle,
            info,
            cpu_quota,
            oom_score_adj,
            annotations: meta::of_container(id, &options.spec.annotations),
            process: NewProcess {
                pid: self.core.pids.next(),
                stdio: convert::slot_stdio(options.stdio),
                planned_exit: process.planned_exit,
                command: process.command,
                signals: process.signals,
            },
            behaviour: behaviour.conduct,
            ports: ports::declared(&options.spec.annotations, mapped),
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
        usage::of_sandbox(&self.live.lock()?.slot, self.core.sampling())
    }
}
