//! Operations of the live sandboxer that only the CRI API needs, beyond the traits of the
//! sandbox API.

use containerd_sandbox::{Error, Key, Result};
use cri_api::v1::{ContainerConfig, LinuxContainerResources, NamespaceMode, PodSandboxConfig};
use tracing::{info, warn};

use super::container::ResourceSlotContainer;
use super::decode;
use super::fault_injection;
use super::observe::Observer;
use super::sandbox::ResourceSlotSandbox;
use super::sandboxer::{ResourceSlotSandboxer, take_back};
use crate::refuse;
use crate::simulate::annotations::Annotations;
use crate::simulate::failure::Call;
use crate::simulate::ports;
use crate::simulate::profile::{Profile, Pulls};
use crate::simulate::usage::Sampling;
use pod_resources::ResourceInfo;
use slot::{self, Change, CriContainer, CriPod, Moment, NewContainer, NewProcess, Slot, Timestamp};

impl ResourceSlotSandboxer {
    /// Creates a pod's sandbox. If the future fails or is dropped before it is done,
    /// nothing is left behind.
    ///
    /// # Errors
    /// `InvalidArgument` for a resource or annotation that cannot be read; the journal's
    /// error.
    pub(crate) async fn create_pod(&self, id: &Key, pod: CriPod) -> Result<ResourceSlotSandbox> {
        info!("Creating ResourceSlot sandbox: {id}");
        let _pass = self.core.drain.enter()?;
        let core = &self.core;
        let (new, annotations) = decode::pod(id.id(), pod, core.settings.rules)?;
        let behaviour = fault_injection::draw(core, id, &new, annotations)?;
        fault_injection::check_pod(core, id, &new, behaviour.as_deref(), Call::CreatePod)?;
        self.insert(id, new, behaviour).await
    }

    /// Collects the values that `read` returns for the slots of the CRI API's pods, in no
    /// order. Each slot is locked meanwhile.
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

    /// Returns the sizes of images and the rate of pulls.
    pub(crate) fn pulls(&self) -> Pulls {
        self.core.settings.profile.images()
    }

    /// Sets the observer of the CRI API's pods, once and for all.
    pub(crate) fn watch_pods(&self, observer: Observer) {
        // A second observer is an error in the wiring, and is ignored.
        if self.core.observer.set(observer).is_err() {
            warn!("the pods of CRI are watched already");
        }
    }

    /// Returns the behaviour of pods, containers and pulls.
    pub(crate) fn profile(&self) -> &Profile {
        &self.core.settings.profile
    }

    /// Returns the present moment.
    pub(crate) fn now(&self) -> Moment {
        self.core.now()
    }

    /// Returns what a reading of simulated usage depends on beside the slot.
    pub(crate) fn sampling(&self) -> Sampling {
        self.core.sampling()
    }

    /// Waits until every earlier change is as durable as was asked for.
    ///
    /// # Errors
    /// If durability failed.
    pub(crate) async fn settled(&self) -> Result<()> {
        self.core.settled_so_far().await
    }

    /// Waits as [`settled`](Self::settled) does, and tries again after each failure.
    pub(crate) async fn certain(&self) {
        self.core.certain().await;
    }
}

impl ResourceSlotSandbox {
    /// Deletes the sandbox because its start failed or was abandoned, unless it is gone.
    pub(crate) fn take_back(&self) {
        take_back(&self.core, &self.live);
    }

    /// Returns the value of `read` for the slot, which is locked meanwhile.
    ///
    /// # Errors
    /// `NotFound` if the sandbox is deleted or not of the CRI API.
    pub(crate) fn read_pod<T>(&self, read: impl FnOnce(&Key, &Slot, &CriPod) -> T) -> Result<T> {
        let inner = self.live.lock()?;
        match inner.slot.sandbox.cri.as_deref() {
            Some(pod) => Ok(read(&self.live.key, &inner.slot, pod)),
            None => Err(self.live.not_found()),
        }
    }

    /// Changes the resources of the pod; `None`, and a field that is zero or empty, leaves a
    /// part as it is.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a resource that cannot be read; the journal's
    /// error.
    pub(crate) async fn update_pod(
        &self,
        resources: Option<LinuxContainerResources>,
        overhead: Option<LinuxContainerResources>,
    ) -> Result<()> {
        let _pass = self.core.drain.enter()?;
        let rules = self.core.settings.rules;
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
                info: decode::pod_config(self.live.key.id(), &config, rules)?,
                linux: linux.into(),
            };
            self.core.commit(&self.live, &mut inner, change)?
        };
        self.core.settled(committed).await
    }

    /// Adds a container. If the future fails or is dropped before it is done, nothing is
    /// left behind. The container's own annotations override those of the pod, which
    /// kubelet does not copy to containers.
    ///
    /// # Errors
    /// `FailedPrecondition` if the pod is not ready; `InvalidArgument` for a resource or
    /// annotation that cannot be read; the journal's error.
    pub(crate) async fn append_cri(&self, id: &str, container: CriContainer) -> Result<u32> {
        let _pass = self.core.drain.enter()?;
        let container = self.later_than_others(container)?;
        let rules = self.core.settings.rules;
        let found = ResourceInfo::from_container_config(&container.config, rules)
            .map_err(refuse::resource)?;
        let args = container.command_line();
        let name = container.config.metadata.clone().unwrap_or_default();
        let image = container.image.as_deref();
        let exposed = image.map_or(&[][..], |image| &image.exposed_ports);
        let exposed = ports::exposed(exposed);
        let mapped = self.read_pod(|_, _, pod| decode::mapped_ports(&pod.config))?;
        let behaviour = self.draw_container(
            Annotations::of(&container.config.annotations)?,
            args,
            &[&name.name, &name.attempt.to_string()],
        )?;
        let process = behaviour.process.protected(is_first(&container.config));
        let new = NewContainer {
            id: id.to_owned(),
            info: decode::warned(id, found),
            process: NewProcess {
                pid: self.core.pids.next(),
                stdio: slot::Stdio::default(),
                planned_exit: process.planned_exit,
                command: process.command,
                signals: process.signals,
            },
            behaviour: behaviour.conduct,
            ports: ports::bounded(
                ports::declared(&container.config.annotations, mapped)
                    .into_iter()
                    .chain(exposed),
            ),
            cri: Some(Box::new(container)),
            ..NewContainer::default()
        };
        self.append(new).await
    }
}

impl ResourceSlotSandbox {
    /// Returns a container that is going to be added, created later than those that the pod
    /// has. A kubelet takes the latest container of a name for the present one, even if the wall
    /// clock was set back between two attempts (`containerStatusByCreated` in
    /// `pkg/kubelet/kuberuntime`).
    fn later_than_others(&self, container: CriContainer) -> Result<CriContainer> {
        let inner = self.live.lock()?;
        let others = inner.slot.containers.iter();
        let latest = others.filter_map(|other| other.cri.as_deref().map(|cri| cri.created_at));
        let after = latest.max().map_or(0, |latest| latest.nanos() + 1);
        Ok(CriContainer {
            created_at: container.created_at.max(Timestamp::from_nanos(after)),
            ..container
        })
    }
}

impl ResourceSlotContainer {
    /// Returns the value of `read` for the container, whose slot is locked meanwhile.
    ///
    /// # Errors
    /// `NotFound` if the container is deleted or not of the CRI API.
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

    /// Changes the container's resources, and the resources that its status shows.
    ///
    /// # Errors
    /// `FailedPrecondition` if the container has ended; `InvalidArgument` for a resource
    /// that cannot be read; the journal's error.
    pub(crate) async fn update_cri(&self, resources: &LinuxContainerResources) -> Result<()> {
        let rules = self.core.settings.rules;
        self.update_by(|known| {
            let cri = known.cri.as_ref();
            let present = cri.and_then(|cri| cri.linux_resources());
            let updated = known
                .info
                .updated_by_cri(present, resources, rules)
                .map_err(refuse::resource)?;
            let linux = cri.map(|cri| cri.updated_by(resources));
            Ok((updated, linux.map(Into::into)))
        })
        .await
    }
}

/// Returns whether a container gets a PID namespace of its own, so that its first process is the
/// first of the namespace. Without a statement the namespace is that of the pod.
fn is_first(config: &ContainerConfig) -> bool {
    let linux = config.linux.as_ref();
    let context = linux.and_then(|linux| linux.security_context.as_ref());
    let namespaces = context.and_then(|context| context.namespace_options.as_ref());
    namespaces.is_some_and(|namespaces| namespaces.pid() == NamespaceMode::Container)
}

/// A container of the CRI API, with its pod.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    /// Key of the sandbox.
    pub(crate) sandbox: &'a Key,
    /// CRI's messages about the pod.
    pub(crate) pod: &'a CriPod,
    /// Container in the slot.
    pub(crate) container: &'a slot::Container,
    /// CRI's messages about the container.
    pub(crate) cri: &'a CriContainer,
}
