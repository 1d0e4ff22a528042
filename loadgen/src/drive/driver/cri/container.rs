//! Lifecycle of a container over CRI, with the calls of a kubelet.

use cri_api::v1::{
    ContainerStatusRequest, CreateContainerRequest, PodSandboxConfig, RemoveContainerRequest,
    StartContainerRequest, StopContainerRequest,
};

use super::CriDriver;
use super::exits::Awaited;
use crate::drive::calls::{Calls, any};
use crate::drive::check;
use crate::record::failure::Failure;
use crate::record::operation::Operation;
use crate::workload::plan::{Container, End, Exit, Signal};

/// Seconds between SIGTERM and SIGKILL in `StopContainer`; with SIGKILL as the first signal
/// it is 0.
const GRACE_S: i64 = 10;

/// A started container.
#[derive(Debug)]
pub(super) struct RunningContainer {
    id: String,
    /// Number of earlier starts, each with another id.
    pub(super) attempt: u32,
    pub(super) ends: Ends,
}

/// Cause of the end of a container.
#[derive(Debug)]
pub(super) enum Ends {
    Stop(Signal),
    Itself(Exit, Awaited),
}

impl CriDriver {
    /// Starts a container: Create, Start, Status.
    pub(super) async fn start_container(
        &self,
        pod: &str,
        pod_config: &PodSandboxConfig,
        container: &Container,
        attempt: u32,
        calls: Calls<'_>,
    ) -> Result<RunningContainer, Failure> {
        let create = async {
            let request = CreateContainerRequest {
                pod_sandbox_id: pod.to_owned(),
                config: Some(self.container_config(container, attempt)),
                sandbox_config: Some(pod_config.clone()),
            };
            let reply = Box::pin(self.cri.create_container(request)).await?;
            Ok(reply.container_id)
        };
        let known = |id: &String| check::cri::id(id);
        let id = calls
            .call(Operation::CreateContainer, create, known)
            .await?;
        calls.has_id(&id);
        let ends = match container.end {
            End::Signal(signal) => Ends::Stop(signal),
            End::Exit(exit) => Ends::Itself(exit, self.exits.of(&id)),
        };
        let request = StartContainerRequest {
            container_id: id.clone(),
        };
        let start = self.cri.start_container(request);
        calls.call(Operation::StartContainer, start, any).await?;
        let status = self.cri.container_status(container_status_of(&id));
        let running = |status: &_| check::cri::container_started(&id, container.end, status);
        calls
            .call(Operation::ContainerStatus, status, running)
            .await?;
        Ok(RunningContainer { id, attempt, ends })
    }

    /// Ends and removes a container: its end, Status, Remove. With `cut_off`, a container
    /// that would end by itself is stopped if it still runs.
    pub(super) async fn end(
        &self,
        container: RunningContainer,
        cut_off: bool,
        calls: Calls<'_>,
    ) -> Result<(), Failure> {
        let RunningContainer { id, ends, .. } = container;
        let right: &[u32] = match ends {
            Ends::Stop(signal) => {
                self.stop_container(&id, signal, calls).await?;
                &[signal.exit_status()]
            }
            Ends::Itself(exit, awaited) if cut_off && !awaited.has_ended() => {
                self.stop_container(&id, Signal::Term, calls).await?;
                // The container may have ended by itself just before.
                &[Signal::Term.exit_status(), exit.code.into()]
            }
            Ends::Itself(exit, mut awaited) => {
                self.exited(&id, exit, &mut awaited, calls).await?;
                &[exit.code.into()]
            }
        };
        for (operation, took) in self.exits.made() {
            calls.success(operation, took);
        }
        let status = self.cri.container_status(container_status_of(&id));
        let exited = |status: &_| check::cri::container_exited(&id, right, status);
        calls
            .call(Operation::ContainerStatus, status, exited)
            .await?;
        let request = RemoveContainerRequest {
            container_id: id.clone(),
        };
        let remove = self.cri.remove_container(request);
        calls.call(Operation::RemoveContainer, remove, any).await?;
        let status = self.cri.container_status(container_status_of(&id));
        calls
            .gone(
                Operation::ContainerGone,
                status,
                "the container is still there",
            )
            .await
    }

    async fn stop_container(
        &self,
        id: &str,
        signal: Signal,
        calls: Calls<'_>,
    ) -> Result<(), Failure> {
        let request = StopContainerRequest {
            container_id: id.to_owned(),
            timeout: match signal {
                Signal::Kill => 0,
                Signal::Term => GRACE_S,
            },
        };
        let stop = self.cri.stop_container(request);
        calls
            .call(Operation::StopContainer, stop, any)
            .await
            .map(drop)
    }

    /// Waits until a container has ended by itself.
    async fn exited(
        &self,
        id: &str,
        exit: Exit,
        awaited: &mut Awaited,
        calls: Calls<'_>,
    ) -> Result<(), Failure> {
        let limit = exit.after + calls.timeout;
        if tokio::time::timeout(limit, awaited.ended()).await.is_ok() {
            return Ok(());
        }
        let operation = Operation::ContainerStatus;
        let status = self.cri.container_status(container_status_of(id)).await;
        let status = status.map_err(|error| Failure::status(operation, &error))?;
        Err(Failure::wrong(
            operation,
            if check::cri::is_running(&status) {
                "the container still runs after it should have ended"
            } else {
                "the container has ended without an event about it"
            },
        ))
    }
}

fn container_status_of(id: &str) -> ContainerStatusRequest {
    ContainerStatusRequest {
        container_id: id.to_owned(),
        verbose: false,
    }
}
