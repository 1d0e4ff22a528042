//! Containers: the methods of CRI that create, start, stop, update, list and remove them.

use std::collections::HashMap;
use std::time::Duration;

use containerd_sandbox::{Code, Container as _, Error, Key, Result, quoted};
use cri_api::v1::{
    CheckpointContainerRequest, CheckpointContainerResponse, Container, ContainerConfig,
    ContainerStatusRequest, ContainerStatusResponse, CreateContainerRequest,
    CreateContainerResponse, ListContainersRequest, ListContainersResponse, RemoveContainerRequest,
    RemoveContainerResponse, ReopenContainerLogRequest, ReopenContainerLogResponse,
    StartContainerRequest, StartContainerResponse, StopContainerRequest, StopContainerResponse,
    StreamContainersRequest, StreamContainersResponse, UpdateContainerResourcesRequest,
    UpdateContainerResourcesResponse,
};
use futures::{Stream, StreamExt as _};
use serde::Serialize;

use super::filter::ContainersFilter;
use super::{Cri, Part, check, id, names, status, stop_signal};
use crate::live::logs;
use crate::live::{Found, ResourceSlotContainer};
use crate::simulate::usage::{self, MemoryBasis};
use pod_resources::ResourceInfo;
use slot::{CriContainer, CriPod, ProcessEvent, ProcessState, Slot};

/// Linux numbers of the signals that end a container.
const SIGKILL: u32 = 9;
const SIGTERM: u32 = 15;

/// Key of a verbose status; crictl shows its value as JSON.
const INFO: &str = "info";

/// Contents of a verbose status, encoded as JSON.
#[derive(Serialize)]
struct VerboseInfo<'a> {
    sandbox_id: &'a str,
    pid: u32,
    state: ProcessState,
    resource_info: ResourceInfo,
    /// Memory request that the simulated usage is a share of.
    simulated_memory: MemoryBasis,
    config: &'a ContainerConfig,
}

impl Cri {
    /// Adds a container to a pod that is ready. If the future fails or is dropped before it
    /// is done, nothing is left behind.
    ///
    /// # Errors
    /// `NotFound` without the pod or the image; `AlreadyExists` if another container of the
    /// pod has the metadata; `FailedPrecondition` if the pod is not ready;
    /// `InvalidArgument`.
    pub(super) async fn create_container(
        &self,
        request: CreateContainerRequest,
    ) -> Result<CreateContainerResponse> {
        let (config, metadata, image) = check::container(request.config)?;
        let (_, sandbox) = self.pod(&request.pod_sandbox_id)?;
        let image = self.images.find(&image.image)?.ok_or_else(|| {
            let image = quoted(&image.image);
            Error::not_found(format!("config.image.image {image}: not pulled"))
        })?;
        let mounted_images = self.mounted_images(&config)?;
        let id = id::random()?;
        let pod = sandbox.read_pod(|_, _, pod| pod.config.metadata.clone())?;
        let name = names::of_container(&metadata, &pod.unwrap_or_default());
        let reservation = self.names.reserve(name, &id)?;
        let container = CriContainer {
            config: config.into(),
            updated: None,
            image_ref: image.reference().to_owned(),
            image: self.images.config_of(&image.id),
            mounted_images,
            image_id: image.id,
            created_at: self.sandboxer.now().wall(),
            started_at: None,
        };
        sandbox.append_cri(&id, container).await?;
        reservation.keep();
        Ok(CreateContainerResponse { container_id: id })
    }

    /// Creates the log of a container and starts the container.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container was started before; the error of
    /// the log file, in which case the container is not started.
    pub(super) async fn start_container(
        &self,
        request: StartContainerRequest,
    ) -> Result<StartContainerResponse> {
        let container = self.container(&request.container_id)?;
        let can_start =
            container.read_cri(|c| c.container.init.state.on(ProcessEvent::Start).is_some())?;
        if can_start {
            self.make_log(&container).await?;
        }
        container.start(None).await?;
        Ok(StartContainerResponse {})
    }

    /// Ends a container by its stop signal or else SIGTERM, and by SIGKILL if it has not ended after the timeout;
    /// with a timeout of zero by SIGKILL at once. A container that does not run or does not
    /// exist is no error.
    ///
    /// # Errors
    /// `InvalidArgument` for a negative timeout.
    pub(super) async fn stop_container(
        &self,
        request: StopContainerRequest,
    ) -> Result<StopContainerResponse> {
        let seconds = u64::try_from(request.timeout).map_err(|_| {
            Error::invalid_argument(format!(
                "timeout {}: a number of seconds, 0 or more, is needed",
                request.timeout
            ))
        })?;
        match self.find_container(&request.container_id)? {
            Some(container) => self.unless_gone(stop(&container, seconds).await).await?,
            None => self.sandboxer.settled().await?,
        }
        Ok(StopContainerResponse {})
    }

    /// Deletes a container, and kills it before if it runs. A container that does not exist
    /// is no error.
    pub(super) async fn remove_container(
        &self,
        request: RemoveContainerRequest,
    ) -> Result<RemoveContainerResponse> {
        match self.find_container(&request.container_id)? {
            Some(container) => self.unless_gone(remove(&container).await).await?,
            None => self.sandboxer.settled().await?,
        }
        Ok(RemoveContainerResponse {})
    }

    /// Returns the status of a container.
    ///
    /// # Errors
    /// `NotFound`.
    pub(super) async fn container_status(
        &self,
        request: ContainerStatusRequest,
    ) -> Result<ContainerStatusResponse> {
        let container = self.container(&request.container_id)?;
        let (status, info) = container.read_cri(|found| {
            let node_memory = self.sandboxer.sampling().node_memory;
            let info = request.verbose.then(|| verbose(found, node_memory));
            (status::container_status(found), info)
        })?;
        let info = info.transpose()?.map(|json| (INFO.to_owned(), json));
        Ok(ContainerStatusResponse {
            status: Some(status),
            info: info.into_iter().collect::<HashMap<_, _>>(),
        })
    }

    /// Lists the containers that pass a filter, oldest first.
    pub(super) async fn list_containers(
        &self,
        request: ListContainersRequest,
    ) -> Result<ListContainersResponse> {
        let read = containers(self.container_filter(request.filter)?);
        let mut containers = self.sandboxer.list_pods(read).await?;
        containers.sort_unstable_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(ListContainersResponse { containers })
    }

    /// Streams the containers that pass a filter: those of the oldest pod first, of each pod the
    /// oldest first.
    ///
    /// # Errors
    /// As [`Cri::list_containers`].
    pub(super) async fn stream_containers(
        &self,
        request: StreamContainersRequest,
    ) -> Result<impl Stream<Item = Part<StreamContainersResponse>> + use<>> {
        let read = containers(self.container_filter(request.filter)?);
        let parts = self.sandboxer.stream_pods(read);
        Ok(parts.map(|containers| Ok(StreamContainersResponse { containers })))
    }

    /// Changes the resources of a container. Zero and absent values leave the resource as
    /// it was.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container has ended; `InvalidArgument`.
    pub(super) async fn update_container_resources(
        &self,
        request: UpdateContainerResourcesRequest,
    ) -> Result<UpdateContainerResourcesResponse> {
        let container = self.container(&request.container_id)?;
        if let Some(resources) = &request.linux {
            container.update_cri(resources).await?;
        }
        Ok(UpdateContainerResourcesResponse {})
    }

    /// Creates the log of a running container anew, after it was rotated away.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container does not run; the error of the log
    /// file.
    pub(super) async fn reopen_container_log(
        &self,
        request: ReopenContainerLogRequest,
    ) -> Result<ReopenContainerLogResponse> {
        let container = self.container(&request.container_id)?;
        check_running(&container, "reopen the log of")?;
        self.make_log(&container).await?;
        Ok(ReopenContainerLogResponse {})
    }

    /// # Errors
    /// `Unimplemented` always: a container has no memory that could be saved and restored.
    pub(super) async fn checkpoint_container(
        &self,
        _: CheckpointContainerRequest,
    ) -> Result<CheckpointContainerResponse> {
        Err(Error::unimplemented(
            "CheckpointContainer: a container that is no process has no memory to keep",
        ))
    }

    async fn make_log(&self, container: &ResourceSlotContainer) -> Result<()> {
        let (directory, path) = container.read_cri(|found| {
            let directory = &found.pod.config.log_directory;
            (directory.clone(), found.cri.config.log_path.clone())
        })?;
        if directory.is_empty() || path.is_empty() {
            return Ok(());
        }
        let root = self.sandboxer.log_root().clone();
        // Opening may wait for the disk.
        tokio::task::spawn_blocking(move || logs::open(&root, &directory, &path).map(drop))
            .await
            .map_err(|e| Error::internal(format!("make a log: {e}")))?
    }
}

/// Returns what a list of containers reads of each pod.
fn containers(filter: ContainersFilter) -> impl Fn(&Key, &Slot, &CriPod, &mut Vec<Container>) {
    move |key, slot, pod, items| {
        if filter.admits_pod(key, slot, pod) {
            let containers = status::containers(key, slot, pod);
            let wanted = containers.filter(|found| filter.admits(*found));
            items.extend(wanted.map(status::container_item));
        }
    }
}

/// Checks that a container runs.
///
/// # Errors
/// `FailedPrecondition` if it does not.
pub(super) fn check_running(container: &ResourceSlotContainer, verb: &str) -> Result<()> {
    let (id, state) = container.read_cri(|c| (c.container.id.clone(), c.container.init.state))?;
    match state {
        ProcessState::Running | ProcessState::Paused => Ok(()),
        other => Err(Error::failed_precondition(format!(
            "cannot {verb} container {id}: it is {}",
            other.name()
        ))),
    }
}

async fn stop(container: &ResourceSlotContainer, seconds: u64) -> Result<()> {
    let state = container.read_cri(|found| found.container.init.state)?;
    if state == ProcessState::Created {
        return Ok(());
    }
    if seconds > 0 {
        let stated = container.read_cri(|found| stop_signal::of(found.cri))?;
        let stop = stop_signal::number(stated).unwrap_or(SIGTERM);
        signal(container, stop).await?;
        let grace = Duration::from_secs(seconds);
        if let Ok(ended) = tokio::time::timeout(grace, container.wait(None)).await {
            return ended.map(drop);
        }
    }
    signal(container, SIGKILL).await?;
    container.wait(None).await.map(drop)
}

async fn remove(container: &ResourceSlotContainer) -> Result<()> {
    let state = container.read_cri(|found| found.container.init.state)?;
    if matches!(state, ProcessState::Running | ProcessState::Paused) {
        signal(container, SIGKILL).await?;
    }
    container.delete(None).await.map(drop)
}

/// Sends a signal to all processes of a container. A container that has ended is no error.
async fn signal(container: &ResourceSlotContainer, signal: u32) -> Result<()> {
    match container.kill(None, signal, true).await {
        Err(e) if e.code() == Code::NotFound => Ok(()),
        sent => sent,
    }
}

fn verbose(found: Found<'_>, node_memory: u64) -> Result<String> {
    let Found {
        sandbox,
        container,
        cri,
        ..
    } = found;
    let info = VerboseInfo {
        sandbox_id: sandbox.id(),
        pid: container.init.spec.pid,
        state: container.init.state,
        resource_info: container.info,
        simulated_memory: usage::memory_basis(container, node_memory),
        config: &cri.config,
    };
    serde_json::to_string(&info).map_err(|e| Error::internal(format!("encode container info: {e}")))
}
