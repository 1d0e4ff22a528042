//! Pods: the methods of CRI that run, stop, remove and list them.

use std::collections::HashMap;

use containerd_sandbox::{Code, Error, Key, Result, Sandbox, Sandboxer};
use cri_api::v1::{
    CheckpointPodRequest, CheckpointPodResponse, ListPodSandboxRequest, ListPodSandboxResponse,
    PodSandbox, PodSandboxStatusRequest, PodSandboxStatusResponse, RemovePodSandboxRequest,
    RemovePodSandboxResponse, RestorePodRequest, RestorePodResponse, RunPodSandboxRequest,
    RunPodSandboxResponse, StopPodSandboxRequest, StopPodSandboxResponse,
    StreamPodSandboxesRequest, StreamPodSandboxesResponse, UpdatePodSandboxResourcesRequest,
    UpdatePodSandboxResourcesResponse,
};
use futures::{Stream, StreamExt as _};

use super::address::Assigned;
use super::filter::PodFilter;
use super::{Cri, Part, check, id, names, status};
use crate::undo::Undo;
use slot::{CriPod, Slot};

/// Key of a pod's configuration in its verbose status.
const CONFIG: &str = "config";

impl Cri {
    /// Creates a pod and starts it. If the future fails or is dropped before it is done,
    /// nothing is left behind.
    ///
    /// # Errors
    /// `AlreadyExists` if another pod has the metadata; `InvalidArgument`.
    pub(super) async fn run_pod_sandbox(
        &self,
        request: RunPodSandboxRequest,
    ) -> Result<RunPodSandboxResponse> {
        check::handler(&request.runtime_handler)?;
        let (config, metadata) = check::pod(request.config, self.sandboxer.log_root())?;
        let id = id::random()?;
        let key = Self::key(&id)?;
        let reservation = self.names.reserve(names::of_pod(&metadata), &id)?;
        let assigned = if status::is_on_host_network(&config) {
            None
        } else {
            Some(self.addresses.assign(&id)?)
        };
        let (ip, additional_ips) = assigned.as_ref().map(Assigned::texts).unwrap_or_default();
        let pod = CriPod {
            config: config.into(),
            updated: None,
            handler: request.runtime_handler,
            ip,
            additional_ips,
        };
        let sandbox = self.sandboxer.create_pod(&key, pod).await?;
        if let Some(assigned) = assigned {
            // From now on the end of the pod frees them.
            assigned.keep();
        }
        let created = Undo::new(|| sandbox.take_back());
        self.sandboxer.start(&key).await?;
        created.disarm();
        reservation.keep();
        Ok(RunPodSandboxResponse { pod_sandbox_id: id })
    }

    /// Stops a pod and everything that runs in it. A pod that is stopped already or does
    /// not exist is no error.
    pub(super) async fn stop_pod_sandbox(
        &self,
        request: StopPodSandboxRequest,
    ) -> Result<StopPodSandboxResponse> {
        match self.find_pod(&request.pod_sandbox_id)? {
            Some((key, _)) => {
                self.unless_gone(self.sandboxer.stop(&key, false).await)
                    .await?;
            }
            None => self.sandboxer.settled().await?,
        }
        Ok(StopPodSandboxResponse {})
    }

    /// Ends the processes of a pod, and deletes it with its containers. A pod that does
    /// not exist is no error.
    pub(super) async fn remove_pod_sandbox(
        &self,
        request: RemovePodSandboxRequest,
    ) -> Result<RemovePodSandboxResponse> {
        match self.find_pod(&request.pod_sandbox_id)? {
            Some((key, _)) => self.unless_gone(self.sandboxer.delete(&key).await).await?,
            None => self.sandboxer.settled().await?,
        }
        Ok(RemovePodSandboxResponse {})
    }

    /// Turns "not found" into success, once the removal that it rests on is durable.
    pub(super) async fn unless_gone(&self, done: Result<()>) -> Result<()> {
        match done {
            Err(e) if e.code() == Code::NotFound => self.sandboxer.settled().await,
            done => done,
        }
    }

    /// Returns the status of a pod and of each of its containers.
    ///
    /// # Errors
    /// `NotFound`.
    pub(super) async fn pod_sandbox_status(
        &self,
        request: PodSandboxStatusRequest,
    ) -> Result<PodSandboxStatusResponse> {
        let (_, sandbox) = self.pod(&request.pod_sandbox_id)?;
        let mut info = HashMap::new();
        if request.verbose {
            info = sandbox.status(true)?.info;
            let config = sandbox.read_pod(|_, _, pod| serde_json::to_string(&*pod.config))?;
            let config =
                config.map_err(|e| Error::internal(format!("encode the pod's config: {e}")))?;
            info.insert(CONFIG.to_owned(), config);
        }
        sandbox.read_pod(|key, slot, pod| PodSandboxStatusResponse {
            status: Some(status::pod_status(key, slot, pod)),
            info,
            containers_statuses: status::container_statuses(key, slot, pod),
            timestamp: status::nanos(self.sandboxer.now().wall()),
        })
    }

    /// Changes the resources of a pod. Values that are not stated stay as they are: both
    /// messages of the request are optional, and in each zero stands for a value that is not
    /// stated (`api.proto` of CRI).
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` for a value that cannot be read.
    pub(super) async fn update_pod_sandbox_resources(
        &self,
        request: UpdatePodSandboxResourcesRequest,
    ) -> Result<UpdatePodSandboxResourcesResponse> {
        let (_, sandbox) = self.pod(&request.pod_sandbox_id)?;
        let UpdatePodSandboxResourcesRequest {
            overhead,
            resources,
            ..
        } = request;
        sandbox.update_pod(resources, overhead).await?;
        Ok(UpdatePodSandboxResourcesResponse {})
    }

    /// # Errors
    /// `Unimplemented` always: a pod has no memory that could be saved.
    pub(super) async fn checkpoint_pod(
        &self,
        _: CheckpointPodRequest,
    ) -> Result<CheckpointPodResponse> {
        Err(Error::unimplemented(
            "CheckpointPod: a pod without processes has no memory to keep",
        ))
    }

    /// # Errors
    /// `Unimplemented` always, as no checkpoint is ever made.
    pub(super) async fn restore_pod(&self, _: RestorePodRequest) -> Result<RestorePodResponse> {
        Err(Error::unimplemented(
            "RestorePod: a pod without processes has no memory to restore",
        ))
    }

    /// Lists the pods that pass a filter, oldest first.
    pub(super) async fn list_pod_sandbox(
        &self,
        request: ListPodSandboxRequest,
    ) -> Result<ListPodSandboxResponse> {
        let read = pods(self.pod_filter(request.filter)?);
        let mut items = self.sandboxer.list_pods(read).await?;
        items.sort_unstable_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(ListPodSandboxResponse { items })
    }

    /// Streams the pods that pass a filter, oldest first.
    ///
    /// # Errors
    /// As [`Cri::list_pod_sandbox`].
    pub(super) async fn stream_pod_sandboxes(
        &self,
        request: StreamPodSandboxesRequest,
    ) -> Result<impl Stream<Item = Part<StreamPodSandboxesResponse>> + use<>> {
        let parts = self
            .sandboxer
            .stream_pods(pods(self.pod_filter(request.filter)?));
        Ok(parts.map(|pod_sandboxes| Ok(StreamPodSandboxesResponse { pod_sandboxes })))
    }
}

/// Returns what a list of pods reads of each pod.
fn pods(filter: PodFilter) -> impl Fn(&Key, &Slot, &CriPod, &mut Vec<PodSandbox>) {
    move |key, slot, pod, items| {
        if filter.admits(key, slot, pod) {
            items.push(status::pod_item(key, slot, pod));
        }
    }
}
