//! The client of the ttrpc API: sandbox and task services on one connection.

use std::path::Path;
use std::time::Duration;

use containerd_shim_protos::api as task;
use containerd_shim_protos::sandbox_api as sandbox;
use containerd_shim_protos::sandbox_async::SandboxClient;
use containerd_shim_protos::shim_async::TaskClient;
use protobuf::well_known_types::empty::Empty;
use tokio::net::UnixStream;
use ttrpc::asynchronous::transport::Socket;
use ttrpc::context::Context;

use super::wire::{Protocol, Stamped, Wire, timed};
use crate::error::Result;
use crate::namespace::TTRPC_NAMESPACE;

/// A client of `containerd.runtime.sandbox.v1.Sandbox` and `containerd.task.v3.Task`. Clones share
/// the connection, on which calls are multiplexed: a pending `wait` does not delay other calls.
///
/// ```no_run
/// # async fn example() -> containerd_sandbox::Result<()> {
/// use std::path::Path;
///
/// use containerd_sandbox::client::Ttrpc;
/// use containerd_shim_protos::api::StartRequest;
///
/// let tasks = Ttrpc::connect(Path::new("/run/example.sock"), "k8s.io").await?;
/// let request = StartRequest {
///     id: "container-1".to_owned(),
///     ..Default::default()
/// };
/// println!("process {}", tasks.start(&request).await?.pid);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Ttrpc {
    sandbox: SandboxClient,
    task: TaskClient,
    context: Context,
    wire: Option<Wire>,
}

impl Ttrpc {
    /// Connects to a Unix socket, for calls in one containerd namespace.
    ///
    /// # Errors
    /// `Unavailable`, with the path of the socket; `InvalidArgument` if no socket can have this
    /// path.
    pub async fn connect(socket: &Path, namespace: &str) -> Result<Self> {
        Ok(Self::over(
            Socket::new(open(socket).await?),
            namespace,
            None,
        ))
    }

    /// Connects like [`Ttrpc::connect`], with the times of the calls on the wire: see
    /// [`super::wire`].
    ///
    /// # Errors
    /// As [`Ttrpc::connect`].
    pub async fn connect_timed(socket: &Path, namespace: &str) -> Result<Self> {
        let wire = Wire::default();
        let stream = Stamped::new(open(socket).await?, Protocol::Ttrpc, wire.clone());
        Ok(Self::over(Socket::new(stream), namespace, Some(wire)))
    }

    fn over(socket: Socket, namespace: &str, wire: Option<Wire>) -> Self {
        let client = ttrpc::asynchronous::Client::new(socket);
        let mut context = Context::default();
        context.add(TTRPC_NAMESPACE.to_owned(), namespace.to_owned());
        Self {
            sandbox: SandboxClient::new(client.clone()),
            task: TaskClient::new(client),
            context,
            wire,
        }
    }

    /// Sets the timeout of all later calls; zero for none. The server receives it, too.
    #[must_use]
    pub fn with_timeout(mut self, per_call: Duration) -> Self {
        self.context.timeout_nano = i64::try_from(per_call.as_nanos()).unwrap_or(i64::MAX);
        self
    }
}

async fn open(socket: &Path) -> Result<UnixStream> {
    super::checked(socket)?;
    UnixStream::connect(socket)
        .await
        .map_err(|e| super::unconnected(socket, &e))
}

macro_rules! calls {
    ($service:ident: $($method:ident($request:ty) -> $response:ty;)*) => {
        #[doc = concat!("Calls of the ", stringify!($service), " service.")]
        impl Ttrpc {
            $(
                #[doc = concat!("Calls the RPC `", stringify!($method), "` of the ", stringify!($service), " service.")]
                ///
                /// # Errors
                /// The error of the server; `Unavailable` if the connection is lost;
                /// `DeadlineExceeded` after the time set by [`Ttrpc::with_timeout`].
                pub async fn $method(&self, request: &$request) -> Result<$response> {
                    let call = self.$service.$method(self.context.clone(), request);
                    Ok(timed(self.wire.as_ref(), call).await?)
                }
            )*
        }
    };
}

calls! { sandbox:
    create_sandbox(sandbox::CreateSandboxRequest) -> sandbox::CreateSandboxResponse;
    start_sandbox(sandbox::StartSandboxRequest) -> sandbox::StartSandboxResponse;
    platform(sandbox::PlatformRequest) -> sandbox::PlatformResponse;
    stop_sandbox(sandbox::StopSandboxRequest) -> sandbox::StopSandboxResponse;
    wait_sandbox(sandbox::WaitSandboxRequest) -> sandbox::WaitSandboxResponse;
    sandbox_status(sandbox::SandboxStatusRequest) -> sandbox::SandboxStatusResponse;
    ping_sandbox(sandbox::PingRequest) -> sandbox::PingResponse;
    shutdown_sandbox(sandbox::ShutdownSandboxRequest) -> sandbox::ShutdownSandboxResponse;
    sandbox_metrics(sandbox::SandboxMetricsRequest) -> sandbox::SandboxMetricsResponse;
}

impl Ttrpc {
    /// Calls the RPC `Connect` of the task service ([`Ttrpc::connect`] opens the connection).
    ///
    /// # Errors
    /// As for every call.
    pub async fn connect_task(
        &self,
        request: &task::ConnectRequest,
    ) -> Result<task::ConnectResponse> {
        let call = self.task.connect(self.context.clone(), request);
        Ok(timed(self.wire.as_ref(), call).await?)
    }
}

calls! { task:
    create(task::CreateTaskRequest) -> task::CreateTaskResponse;
    start(task::StartRequest) -> task::StartResponse;
    state(task::StateRequest) -> task::StateResponse;
    wait(task::WaitRequest) -> task::WaitResponse;
    kill(task::KillRequest) -> Empty;
    delete(task::DeleteRequest) -> task::DeleteResponse;
    exec(task::ExecProcessRequest) -> Empty;
    pids(task::PidsRequest) -> task::PidsResponse;
    pause(task::PauseRequest) -> Empty;
    resume(task::ResumeRequest) -> Empty;
    checkpoint(task::CheckpointTaskRequest) -> Empty;
    resize_pty(task::ResizePtyRequest) -> Empty;
    close_io(task::CloseIORequest) -> Empty;
    update(task::UpdateTaskRequest) -> Empty;
    stats(task::StatsRequest) -> task::StatsResponse;
    shutdown(task::ShutdownRequest) -> Empty;
}
