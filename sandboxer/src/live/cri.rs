//! What CRI's door needs of the live sandboxer beyond the traits that all doors use.

use containerd_sandbox::{Error, Key, Result};
use k8s_cri::v1::{LinuxContainerResources, PodSandboxConfig};
use tracing::{info, warn};

use super::container::ResourceSlotContainer;
use super::decode;
use super::lives;
use super::observe::Observer;
use super::sandbox::ResourceSlotSandbox;
use super::sandboxer::{ResourceSlotSandboxer, delete};
use super::setup;
use crate::refuse;
use crate::simulate::failure::Call;
use crate::simulate::lives::Pulls;
use pod_resources::ResourceInfo;
use slot::{self, Change, CriContainer, CriPod, NewContainer, NewProcess, Slot};

impl ResourceSlotSandboxer {
    /// Creates a pod's sandbox. If the future is dropped before it is done, or fails,
    /// nothing is left behind.
    ///
    /// # Errors
    /// `InvalidArgument` for a resource that cannot be read; why the store failed.
    pub(crate) async fn create_pod(&self, id: &Key, pod: CriPod) -> Result<()> {
        info!("Creating ResourceSlot sandbox: {id}");
        let _pass = self.core.gate.enter()?;
        let new = decode::pod(id.id(), pod, self.core.settings.on_invalid)?;
        lives::check_pod(&self.core, id, &new, Call::CreatePod)?;
        self.insert(id, new).await
    }

    /// Takes back a sandbox whose start failed or was abandoned; one that is gone
    /// already is no matter.
    pub(crate) fn take_back(&self, id: &Key) {
        let taken = match self.core.slot(id) {
            Ok(live) => delete(&self.core, &live).map(drop),
            Err(_) => return,
        };
        if let Err(e) = taken {
            warn!("cannot take back sandbox {id}: {e}");
        }
    }

    /// What `read` finds in the slots of the pods of CRI's door, in no order. Each is
    /// locked meanwhile.
    pub(crate) fn pods<T>(
        &self,
        mut read: impl FnMut(&Key, &Slot, &CriPod) -> Option<T>,
    ) -> Vec<T> {
        let all = self.core.sandboxes.all();
        let found = all.iter().filter_map(|live| {
            let inner = live.lock().ok()?;
            let pod = inner.slot.sandbox.cri.as_deref()?;
            read(&live.key, &inner.slot, pod)
        });
        found.collect()
    }

    /// How images are pulled.
    pub(crate) fn pulls(&self) -> Pulls {
        self.core.settings.lives.images()
    }

    /// Has somebody watch the pods of CRI's door, once and for all.
    pub(crate) fn watch_pods(&self, observer: Observer) {
        // A second one would be a mistake of the wiring, and is not heard.
        if self.core.observer.set(observer).is_err() {
            warn!("the pods of CRI are watched already");
        }
    }

    /// Waits until all that was changed so far is as durable as was asked for.
    ///
    /// # Errors
    /// If durability failed.
    pub(crate) async fn settled(&self) -> Result<()> {
        self.core.settled_so_far().await
    }

    /// The same, however often it fails.
    pub(crate) async fn certain(&self) {
        self.core.certain().await;
    }
}

impl ResourceSlotSandbox {
    /// What `read` finds in the slot, which is locked meanwhile.
    ///
    /// # Errors
    /// `NotFound` once it is deleted, and if it is no pod of CRI's door.
    pub(crate) fn read_pod<T>(&self, read: impl FnOnce(&Key, &Slot, &CriPod) -> T) -> Result<T> {
        let inner = self.live.lock()?;
        match inner.slot.sandbox.cri.as_deref() {
            Some(pod) => Ok(read(&self.live.key, &inner.slot, pod)),
            None => Err(self.live.not_found()),
        }
    }

    /// Changes what the pod asks for. `None`, and a field that is zero or empty, leaves
    /// that as it is.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a resource that cannot be read; why the store
    /// failed.
    pub(crate) async fn update_pod(
        &self,
        resources: Option<LinuxContainerResources>,
        overhead: Option<LinuxContainerResources>,
    ) -> Result<()> {
        let _pass = self.core.gate.enter()?;
        let on_invalid = self.core.settings.on_invalid;
        let committed = {
            let mut inner = self.live.lock()?;
            let Some(pod) = inner.slot.sandbox.cri.as_deref() else {
                return Err(self.live.not_found());
            };
            let linux = pod.updated_by(resources.as_ref(), overhead.as_ref());
            let config = PodSandboxConfig {
                linux: Some(linux.clone()),
                ..PodSandboxConfig::clone(&pod.config)
            };
            let change = Change::UpdatePod {
                info: decode::pod_config(self.live.key.id(), &config, on_invalid)?,
                linux: linux.into(),
            };
            self.core.commit(&self.live, &mut inner, change)?
        };
        self.core.settled(committed).await
    }

    /// Adds a container. If the future is dropped before it is done, or fails, nothing
    /// is left behind. How it lives is said by its own annotations, else by the pod's:
    /// kubelet hands a container none of the pod's.
    ///
    /// # Errors
    /// `FailedPrecondition` if the pod is not ready; `InvalidArgument` for a resource
    /// or annotation that cannot be read; why the store failed.
    pub(crate) async fn append_cri(&self, id: &str, container: CriContainer) -> Result<u32> {
        let _pass = self.core.gate.enter()?;
        let on_invalid = self.core.settings.on_invalid;
        let found = ResourceInfo::from_container_config(&container.config, on_invalid)
            .map_err(refuse::resource)?;
        let args = setup::command_of_cri(&container.config);
        let name = container.config.metadata.clone().unwrap_or_default();
        let life = self.life_of(
            &container.config.annotations,
            args,
            &[&name.name, &name.attempt.to_string()],
        )?;
        let new = NewContainer {
            id: id.to_owned(),
            bundle: String::new(),
            info: decode::warned(id, found),
            process: NewProcess {
                pid: self.core.pids.next(),
                stdio: slot::Stdio::default(),
                planned_exit: life.course.planned_exit,
                command: life.course.command,
            },
            behaviour: life.conduct,
            cri: Some(Box::new(container)),
        };
        self.append(new).await
    }
}

impl ResourceSlotContainer {
    /// What `read` finds in the container's slot, which is locked meanwhile.
    ///
    /// # Errors
    /// `NotFound` once it is deleted, and if it is no container of CRI's door.
    pub(crate) fn read_cri<T>(&self, read: impl FnOnce(Found<'_>) -> T) -> Result<T> {
        let inner = self.live.lock()?;
        let container = inner
            .slot
            .container(&self.id.container)
            .map_err(refuse::change)?;
        match (&container.cri, &inner.slot.sandbox.cri) {
            (Some(cri), Some(pod)) => Ok(read(Found {
                sandbox: &self.live.key,
                pod,
                container,
                cri,
            })),
            _ => Err(Error::not_found(format!(
                "container {} not found",
                self.id.container
            ))),
        }
    }

    /// Changes what it asks for, and gives that back from now on.
    ///
    /// # Errors
    /// `FailedPrecondition` if it has ended; `InvalidArgument` for a resource that
    /// cannot be read; why the store failed.
    pub(crate) async fn update_cri(&self, resources: &LinuxContainerResources) -> Result<()> {
        let on_invalid = self.core.settings.on_invalid;
        self.update_by(|known| {
            let updated = known
                .info
                .updated_by_cri(resources, on_invalid)
                .map_err(refuse::resource)?;
            let linux = known.cri.as_ref().map(|cri| cri.updated_by(resources));
            Ok((updated, linux.map(Into::into)))
        })
        .await
    }
}

/// A container of CRI's door, and what is around it.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    /// The key of its sandbox.
    pub(crate) sandbox: &'a Key,
    /// Its pod.
    pub(crate) pod: &'a CriPod,
    /// The container.
    pub(crate) container: &'a slot::Container,
    /// What its creator said of it.
    pub(crate) cri: &'a CriContainer,
}
