//! Connection in the way of containerd: sandboxes over gRPC and tasks over ttrpc, on one
//! socket.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use containerd_client::services::v1::sandbox as api;
use containerd_sandbox::client::Controller;
use containerd_sandbox::{Code, Result};
use prost_types::Any;

use super::{Connection, INFO, NOBODY, SandboxStatus, TaskState, TtrpcConnection};
use crate::workload::plan::{Pod, SANDBOX_CONFIG_TYPE_URL};
use crate::workload::runtime::HANDLER;

/// A gRPC and a ttrpc connection to a sandboxer.
#[derive(Clone)]
pub struct ControllerConnection {
    pub(crate) sandboxes: Controller,
    pub(crate) tasks: TtrpcConnection,
}

impl fmt::Debug for ControllerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControllerConnection")
            .finish_non_exhaustive()
    }
}

/// Returns the request that containerd makes for a pod in the network of the host.
pub(crate) fn create(pod: &Pod) -> api::ControllerCreateRequest {
    api::ControllerCreateRequest {
        sandbox_id: pod.sandbox_id.clone(),
        options: Some(Any {
            type_url: SANDBOX_CONFIG_TYPE_URL.to_owned(),
            value: pod.sandbox_config(),
        }),
        sandbox: Some(pod.sandbox_record()),
        sandboxer: HANDLER.to_owned(),
        ..api::ControllerCreateRequest::default()
    }
}

impl Connection for ControllerConnection {
    async fn connect(socket: &Path, namespace: &str, timeout: Duration) -> Result<Self> {
        let sandboxes = Controller::connect_timed(socket, namespace).await?;
        Ok(Self {
            sandboxes: sandboxes.with_timeout(timeout),
            tasks: TtrpcConnection::connect(socket, namespace, timeout).await?,
        })
    }

    async fn create_sandbox(&self, pod: &Pod) -> Result<()> {
        self.sandboxes.create(create(pod)).await.map(drop)
    }

    async fn start_sandbox(&self, id: &str) -> Result<()> {
        let request = api::ControllerStartRequest {
            sandbox_id: id.to_owned(),
            sandboxer: HANDLER.to_owned(),
        };
        self.sandboxes.start(request).await.map(drop)
    }

    async fn sandbox_status(&self, id: &str) -> Result<SandboxStatus> {
        let request = api::ControllerStatusRequest {
            sandbox_id: id.to_owned(),
            verbose: true,
            sandboxer: HANDLER.to_owned(),
        };
        let mut reply = self.sandboxes.status(request).await?;
        Ok(SandboxStatus {
            id: reply.sandbox_id,
            state: reply.state,
            info: reply.info.remove(INFO),
        })
    }

    async fn stop_sandbox(&self, id: &str) -> Result<()> {
        let request = api::ControllerStopRequest {
            sandbox_id: id.to_owned(),
            timeout_secs: 0,
            sandboxer: HANDLER.to_owned(),
        };
        self.sandboxes.stop(request).await.map(drop)
    }

    async fn shutdown_sandbox(&self, id: &str) -> Result<()> {
        let request = api::ControllerShutdownRequest {
            sandbox_id: id.to_owned(),
            sandboxer: HANDLER.to_owned(),
        };
        self.sandboxes.shutdown(request).await.map(drop)
    }

    async fn create_task(&self, id: &str, bundle: &Path) -> Result<u32> {
        self.tasks.create_task(id, bundle).await
    }

    async fn start_task(&self, id: &str) -> Result<u32> {
        self.tasks.start_task(id).await
    }

    async fn task_state(&self, id: &str) -> Result<TaskState> {
        self.tasks.task_state(id).await
    }

    async fn kill_task(&self, id: &str, signal: u32) -> Result<()> {
        self.tasks.kill_task(id, signal).await
    }

    async fn wait_task(&self, id: &str) -> Result<u32> {
        self.tasks.wait_task(id).await
    }

    async fn delete_task(&self, id: &str) -> Result<u32> {
        self.tasks.delete_task(id).await
    }

    async fn probe(&self) -> Result<()> {
        match self.sandbox_status(NOBODY).await {
            Err(error) if error.code() != Code::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
