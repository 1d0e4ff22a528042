//! The service `containerd.task.v3.Task` over ttrpc, and v2 with the same messages: containerd
//! calls it for containers.

use containerd_shim_protos::api::{self, Empty};
use containerd_shim_protos::shim_async::Task as TaskRpc;
use oci_config::LinuxResources;
use protobuf::MessageField;
use serde::de::DeserializeOwned;

use super::service::{Service, key};
use crate::api::{
    Container, ContainerOptions, ExecOptions, ProcessState, Sandbox, Sandboxer, Stdio,
};
use crate::error::{Error, Result};
use crate::{Any, bundle, check_id};

type ContainerOf<S> = <<S as Sandboxer>::Sandbox as Sandbox>::Container;

/// Parses an exec id: the empty one stands for the container's first process.
fn exec(id: &str) -> Result<Option<&str>> {
    if id.is_empty() {
        return Ok(None);
    }
    check_id("exec_id", id)?;
    Ok(Some(id))
}

/// Returns the task service's name of a state.
fn status(state: ProcessState) -> api::Status {
    match state {
        ProcessState::Created => api::Status::CREATED,
        ProcessState::Running => api::Status::RUNNING,
        ProcessState::Stopped => api::Status::STOPPED,
        ProcessState::Paused => api::Status::PAUSED,
    }
}

/// Parses an OCI type in an `Any`, whose value containerd encodes as JSON.
fn json<T: DeserializeOwned>(
    field: &str,
    any: Option<protobuf::well_known_types::any::Any>,
) -> Result<T> {
    let any = Any::from(any.ok_or_else(|| Error::invalid_argument(format!("{field}: missing")))?);
    crate::scan::check_json(&any.value)?;
    oci_config::from_slice(&any.value).map_err(|e| {
        let found = crate::quoted(&any.type_url);
        Error::invalid_argument(format!("{field} ({found}): not the JSON expected: {e}"))
    })
}

impl<S: Sandboxer> Service<S> {
    /// Returns the container that a request names in `id`.
    fn task(&self, namespace: &str, id: &str) -> Result<ContainerOf<S>> {
        self.sandboxer.container(&key(namespace, "id", id)?)
    }

    async fn task_create(
        &self,
        namespace: &str,
        request: api::CreateTaskRequest,
    ) -> Result<api::CreateTaskResponse> {
        let key = key(namespace, "id", &request.id)?;
        if !request.checkpoint.is_empty() {
            return Err(Error::unimplemented(
                "checkpoint: a process that does not exist cannot be restored",
            ));
        }
        let bundle = bundle::read(&request.bundle).await?;
        let options = ContainerOptions {
            bundle: request.bundle,
            spec: bundle.spec,
            stdio: Stdio {
                stdin: request.stdin,
                stdout: request.stdout,
                stderr: request.stderr,
                terminal: request.terminal,
            },
        };
        let sandbox = self.sandboxer.sandbox(&key.sibling(&bundle.sandbox_id)?)?;
        let pid = sandbox.append_container(key.id(), options).await?;
        Ok(api::CreateTaskResponse {
            pid,
            ..Default::default()
        })
    }

    async fn task_start(
        &self,
        namespace: &str,
        request: api::StartRequest,
    ) -> Result<api::StartResponse> {
        let task = self.task(namespace, &request.id)?;
        let pid = task.start(exec(&request.exec_id)?).await?;
        Ok(api::StartResponse {
            pid,
            ..Default::default()
        })
    }

    async fn task_state(
        &self,
        namespace: &str,
        request: api::StateRequest,
    ) -> Result<api::StateResponse> {
        let task = self.task(namespace, &request.id)?;
        let process = task.state(exec(&request.exec_id)?)?;
        Ok(api::StateResponse {
            id: request.id,
            exec_id: request.exec_id,
            bundle: process.bundle,
            pid: process.pid,
            status: status(process.state).into(),
            stdin: process.stdio.stdin,
            stdout: process.stdio.stdout,
            stderr: process.stdio.stderr,
            terminal: process.stdio.terminal,
            exit_status: process.exit.map_or(0, |exit| exit.code),
            exited_at: process.exit.map(|exit| exit.at.into()).into(),
            ..Default::default()
        })
    }

    async fn task_delete(
        &self,
        namespace: &str,
        request: api::DeleteRequest,
    ) -> Result<api::DeleteResponse> {
        let task = self.task(namespace, &request.id)?;
        let deleted = task.delete(exec(&request.exec_id)?).await?;
        Ok(api::DeleteResponse {
            pid: deleted.pid,
            exit_status: deleted.exit.map_or(0, |exit| exit.code),
            exited_at: deleted.exit.map(|exit| exit.at.into()).into(),
            ..Default::default()
        })
    }

    async fn task_pids(
        &self,
        namespace: &str,
        request: api::PidsRequest,
    ) -> Result<api::PidsResponse> {
        let processes = self
            .task(namespace, &request.id)?
            .pids()?
            .into_iter()
            .map(|pid| api::ProcessInfo {
                pid,
                ..Default::default()
            })
            .collect();
        Ok(api::PidsResponse {
            processes,
            ..Default::default()
        })
    }

    async fn task_pause(&self, namespace: &str, request: api::PauseRequest) -> Result<Empty> {
        self.task(namespace, &request.id)?.pause().await?;
        Ok(Empty::default())
    }

    async fn task_resume(&self, namespace: &str, request: api::ResumeRequest) -> Result<Empty> {
        self.task(namespace, &request.id)?.resume().await?;
        Ok(Empty::default())
    }

    async fn task_checkpoint(
        &self,
        namespace: &str,
        request: api::CheckpointTaskRequest,
    ) -> Result<Empty> {
        self.task(namespace, &request.id)?.state(None)?;
        Err(Error::unimplemented(
            "checkpoint: there is no process whose memory could be saved",
        ))
    }

    async fn task_kill(&self, namespace: &str, request: api::KillRequest) -> Result<Empty> {
        self.task(namespace, &request.id)?
            .kill(exec(&request.exec_id)?, request.signal, request.all)
            .await?;
        Ok(Empty::default())
    }

    async fn task_exec(&self, namespace: &str, request: api::ExecProcessRequest) -> Result<Empty> {
        check_id("exec_id", &request.exec_id)?;
        let options = ExecOptions {
            process: json("spec", request.spec.into_option())?,
            stdio: Stdio {
                stdin: request.stdin,
                stdout: request.stdout,
                stderr: request.stderr,
                terminal: request.terminal,
            },
        };
        self.task(namespace, &request.id)?
            .exec(&request.exec_id, options)
            .await?;
        Ok(Empty::default())
    }

    async fn task_resize_pty(
        &self,
        namespace: &str,
        request: api::ResizePtyRequest,
    ) -> Result<Empty> {
        self.task(namespace, &request.id)?.resize_pty(
            exec(&request.exec_id)?,
            request.width,
            request.height,
        )?;
        Ok(Empty::default())
    }

    async fn task_close_io(&self, namespace: &str, request: api::CloseIORequest) -> Result<Empty> {
        let task = self.task(namespace, &request.id)?;
        let exec = exec(&request.exec_id)?;
        if request.stdin {
            task.close_stdin(exec).await?;
        } else {
            task.state(exec)?;
        }
        Ok(Empty::default())
    }

    async fn task_update(&self, namespace: &str, request: api::UpdateTaskRequest) -> Result<Empty> {
        let task = self.task(namespace, &request.id)?;
        let resources: LinuxResources = json("resources", request.resources.into_option())?;
        task.update(&resources).await?;
        Ok(Empty::default())
    }

    async fn task_wait(
        &self,
        namespace: &str,
        request: api::WaitRequest,
    ) -> Result<api::WaitResponse> {
        let task = self.task(namespace, &request.id)?;
        let exit = task.wait(exec(&request.exec_id)?).await?;
        Ok(api::WaitResponse {
            exit_status: exit.code,
            exited_at: MessageField::some(exit.at.into()),
            ..Default::default()
        })
    }

    async fn task_stats(
        &self,
        namespace: &str,
        request: api::StatsRequest,
    ) -> Result<api::StatsResponse> {
        let stats = self.task(namespace, &request.id)?.stats()?;
        Ok(api::StatsResponse {
            stats: MessageField::some(stats.into()),
            ..Default::default()
        })
    }

    /// Returns the fake process id of the task for both processes: there is no shim, and the
    /// server's own id is not told to callers.
    async fn task_connect(
        &self,
        namespace: &str,
        request: api::ConnectRequest,
    ) -> Result<api::ConnectResponse> {
        let pid = self.task(namespace, &request.id)?.state(None)?.pid;
        Ok(api::ConnectResponse {
            shim_pid: pid,
            task_pid: pid,
            ..Default::default()
        })
    }

    /// Does nothing: containerd means the shim of one container, and this server serves all.
    #[allow(clippy::unused_self)]
    async fn task_shutdown(&self, _: &str, _: api::ShutdownRequest) -> Result<Empty> {
        Ok(Empty::default())
    }
}

crate::rpcs! {
    namespaced_ttrpc impl [S: Sandboxer] TaskRpc for Service<S> {
        name = "Task";
        messages = api;
        admission = admission;
        table = rpc about id;
    }
    create => task_create(CreateTaskRequest) -> CreateTaskResponse;
    start => task_start(StartRequest) -> StartResponse;
    state => task_state(StateRequest) -> StateResponse;
    delete => task_delete(DeleteRequest) -> DeleteResponse;
    pids => task_pids(PidsRequest) -> PidsResponse;
    pause => task_pause(PauseRequest) -> Empty;
    resume => task_resume(ResumeRequest) -> Empty;
    checkpoint => task_checkpoint(CheckpointTaskRequest) -> Empty;
    kill => task_kill(KillRequest) -> Empty;
    exec => task_exec(ExecProcessRequest) -> Empty;
    resize_pty => task_resize_pty(ResizePtyRequest) -> Empty;
    close_io => task_close_io(CloseIORequest) -> Empty;
    update => task_update(UpdateTaskRequest) -> Empty;
    wait => task_wait(WaitRequest) -> WaitResponse;
    stats => task_stats(StatsRequest) -> StatsResponse;
    connect => task_connect(ConnectRequest) -> ConnectResponse;
    shutdown => task_shutdown(ShutdownRequest) -> Empty;
}
