//! Connection to the sandbox and task services over ttrpc.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use containerd_sandbox::client::Ttrpc;
use containerd_sandbox::{Code, Result};
use containerd_shim_protos::{api as task, sandbox_api as sandbox};
use protobuf::MessageField;
use protobuf::well_known_types::any::Any;

use super::{Connection, INFO, NOBODY, SandboxStatus, TaskState};
use crate::workload::plan::{Pod, SANDBOX_CONFIG_TYPE_URL};

/// A ttrpc connection to a sandboxer.
#[derive(Clone)]
pub struct TtrpcConnection {
    calls: Ttrpc,
    /// Client of the same connection without a time limit.
    waits: Ttrpc,
}

impl fmt::Debug for TtrpcConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TtrpcConnection").finish_non_exhaustive()
    }
}

impl TtrpcConnection {
    /// Returns the client for calls with a time limit.
    pub(crate) fn client(&self) -> &Ttrpc {
        &self.calls
    }
}

/// Creates a request with the id as its only field.
macro_rules! request {
    ($message:ty, $field:ident: $id:expr) => {{
        let mut request = <$message>::new();
        request.$field = $id.to_owned();
        request
    }};
}

impl Connection for TtrpcConnection {
    async fn connect(socket: &Path, namespace: &str, timeout: Duration) -> Result<Self> {
        let waits = Ttrpc::connect_timed(socket, namespace).await?;
        Ok(Self {
            calls: waits.clone().with_timeout(timeout),
            waits,
        })
    }

    async fn create_sandbox(&self, pod: &Pod) -> Result<()> {
        let mut request = request!(sandbox::CreateSandboxRequest, sandbox_id: &pod.sandbox_id);
        request.options = MessageField::some(Any {
            type_url: SANDBOX_CONFIG_TYPE_URL.to_owned(),
            value: pod.sandbox_config(),
            ..Any::default()
        });
        self.calls.create_sandbox(&request).await.map(drop)
    }

    async fn start_sandbox(&self, id: &str) -> Result<()> {
        let request = request!(sandbox::StartSandboxRequest, sandbox_id: id);
        self.calls.start_sandbox(&request).await.map(drop)
    }

    async fn sandbox_status(&self, id: &str) -> Result<SandboxStatus> {
        let mut request = request!(sandbox::SandboxStatusRequest, sandbox_id: id);
        request.verbose = true;
        let mut reply = self.calls.sandbox_status(&request).await?;
        Ok(SandboxStatus {
            id: reply.sandbox_id,
            state: reply.state,
            info: reply.info.remove(INFO),
        })
    }

    async fn stop_sandbox(&self, id: &str) -> Result<()> {
        let request = request!(sandbox::StopSandboxRequest, sandbox_id: id);
        self.calls.stop_sandbox(&request).await.map(drop)
    }

    async fn shutdown_sandbox(&self, id: &str) -> Result<()> {
        let request = request!(sandbox::ShutdownSandboxRequest, sandbox_id: id);
        self.calls.shutdown_sandbox(&request).await.map(drop)
    }

    async fn create_task(&self, id: &str, bundle: &Path) -> Result<u32> {
        let mut request = request!(task::CreateTaskRequest, id: id);
        request.bundle = bundle.display().to_string();
        Ok(self.calls.create(&request).await?.pid)
    }

    async fn start_task(&self, id: &str) -> Result<u32> {
        let request = request!(task::StartRequest, id: id);
        Ok(self.calls.start(&request).await?.pid)
    }

    async fn task_state(&self, id: &str) -> Result<TaskState> {
        let request = request!(task::StateRequest, id: id);
        let reply = self.calls.state(&request).await?;
        let status = match reply.status.enum_value() {
            Ok(status) => format!("{status:?}"),
            Err(number) => format!("status {number}"),
        };
        Ok(TaskState {
            id: reply.id,
            status,
            pid: reply.pid,
            exit_status: reply.exit_status,
        })
    }

    async fn kill_task(&self, id: &str, signal: u32) -> Result<()> {
        let mut request = request!(task::KillRequest, id: id);
        request.signal = signal;
        self.calls.kill(&request).await.map(drop)
    }

    async fn wait_task(&self, id: &str) -> Result<u32> {
        let request = request!(task::WaitRequest, id: id);
        Ok(self.waits.wait(&request).await?.exit_status)
    }

    async fn delete_task(&self, id: &str) -> Result<u32> {
        let request = request!(task::DeleteRequest, id: id);
        Ok(self.calls.delete(&request).await?.exit_status)
    }

    async fn probe(&self) -> Result<()> {
        let request = request!(sandbox::PingRequest, sandbox_id: NOBODY);
        match self.calls.ping_sandbox(&request).await {
            Err(error) if error.code() != Code::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
