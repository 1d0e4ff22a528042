//! Runs pods directly on a sandboxer with the calls that containerd makes for a pod of
//! CRI, in the same order. The comparison with CRI shows containerd's own share of the
//! time.
//!
//! The order is that of containerd 2.1.9. containerd makes one Status call for each event
//! that it publishes, and so does this driver. Concurrent calls of containerd are
//! concurrent here, too, except for the Status calls.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use containerd_client::services::v1::sandbox as api;
use containerd_sandbox::client::{Controller, Ttrpc};
use containerd_sandbox::{Code, Error, Result as Reply};
use containerd_shim_protos::api as task;
use containerd_shim_protos::types::mount::Mount;
use futures::future::try_join_all;
use rustix::fs::OFlags;

use super::tasks::{CreatedTasks, TasksAt, ended as task_ended, tear_down};
use super::waiting::Waiting;
use super::{Created as _, Driver};
use crate::connection::{Connection, ControllerConnection, INFO, SandboxStatus, TtrpcConnection};
use crate::drive::calls::{Calls, any};
use crate::drive::check;
use crate::record::failure::Failure;
use crate::record::operation::Operation;
use crate::workload::plan::{Container, Pod};
use crate::workload::runtime::HANDLER;

/// SIGKILL.
const KILL: u32 = 9;

/// Driver that calls a sandboxer in the way of containerd.
#[derive(Clone)]
pub struct AsContainerd {
    connection: ControllerConnection,
    /// Client of the same gRPC connection without a time limit.
    waits: Controller,
    at: AsContainerdAt,
}

/// Address of a sandboxer, and the settings of the driver.
#[derive(Debug, Clone)]
pub struct AsContainerdAt {
    /// Address and settings of the sandboxer; its bundles must have streams.
    pub tasks: TasksAt,
}

/// A started task with its own connection, its pending Wait and its output FIFOs.
struct RunningTask {
    tasks: TtrpcConnection,
    pid: u32,
    waiting: Waiting,
    /// Duration of the Connect call that precedes the pending Wait, until it is recorded.
    connected: Rc<Cell<Option<Duration>>>,
    streams: [File; 2],
}

/// A running pod: the pending Wait of the sandbox, and the started tasks.
pub struct RunningPod {
    ended: Waiting,
    tasks: Vec<RunningTask>,
}

impl Driver for AsContainerd {
    type Address = AsContainerdAt;
    type Created = CreatedTasks;
    type Running = RunningPod;

    async fn connect(at: &AsContainerdAt) -> Reply<Self> {
        let (tasks, at) = (&at.tasks, at.clone());
        let connection =
            ControllerConnection::connect(&tasks.socket, &tasks.namespace, tasks.timeout).await?;
        let waits = connection.sandboxes.clone().without_timeout();
        Ok(Self {
            connection,
            waits,
            at,
        })
    }

    async fn probe(&self) -> Reply<()> {
        self.connection.probe().await
    }

    async fn start(
        &self,
        pod: &Pod,
        created: &mut CreatedTasks,
        calls: Calls<'_>,
    ) -> Result<RunningPod, Failure> {
        use Operation as Op;
        let (connection, id) = (&self.connection, &*pod.sandbox_id);
        debug_assert!(created.is_empty());
        created.sandbox = true;
        // RunPodSandbox
        let create = connection.create_sandbox(pod);
        calls.call(Op::SandboxCreate, create, any).await?;
        let start = connection.start_sandbox(id);
        calls.call(Op::SandboxStart, start, any).await?;
        self.event(id, calls).await?;
        let wait = wait(self.waits.clone(), id.to_owned());
        let ended = Waiting::begin(wait, calls.abandoned());
        tokio::task::yield_now().await;
        self.event(id, calls).await?;

        let mut tasks = Vec::with_capacity(pod.containers.len());
        for container in &pod.containers {
            // CreateContainer
            self.event(id, calls).await?;
            let platform = self.platform(id);
            calls.call(Op::SandboxPlatform, platform, any).await?;
            self.event(id, calls).await?;
            // StartContainer
            created.tasks += 1;
            tasks.push(self.start_task(container, calls).await?);
            self.event(id, calls).await?;
        }
        // PodSandboxStatus
        let status = self.status(id, true);
        let right = |status: &SandboxStatus| {
            if self.at.tasks.must_state_resources {
                check::sandbox_ready(id, pod, status)
            } else {
                check::sandbox_is_ready(id, status)
            }
        };
        calls.call(Op::SandboxStatus, status, right).await?;
        Ok(RunningPod { ended, tasks })
    }

    async fn restart(
        &self,
        pod: &Pod,
        running: RunningPod,
        calls: Calls<'_>,
    ) -> Result<RunningPod, Failure> {
        let mut tasks = Vec::with_capacity(running.tasks.len());
        for (container, running) in pod.containers.iter().zip(running.tasks) {
            end(container, running, false, calls).await?;
            tasks.push(self.start_task(container, calls).await?);
        }
        Ok(RunningPod { tasks, ..running })
    }

    async fn keep(
        &self,
        pod: &Pod,
        running: RunningPod,
        over: impl AsyncFn(),
        calls: Calls<'_>,
    ) -> Result<RunningPod, Failure> {
        let over = &over;
        let each = pod.containers.iter().zip(running.tasks);
        let each = each.map(async |(container, mut running)| {
            loop {
                tokio::select! {
                    () = over() => return Ok(running),
                    () = running.waiting.answered() => {}
                }
                end(container, running, false, calls).await?;
                running = self.start_task(container, calls).await?;
            }
        });
        Ok(RunningPod {
            tasks: try_join_all(each).await?,
            ended: running.ended,
        })
    }

    async fn stop(&self, pod: &Pod, running: RunningPod, calls: Calls<'_>) -> Result<(), Failure> {
        use Operation as Op;
        let (connection, id) = (&self.connection, &*pod.sandbox_id);
        let RunningPod { mut ended, tasks } = running;
        for (container, running) in pod.containers.iter().zip(tasks) {
            // StopContainer
            end(container, running, pod.lifecycle.cuts_off(), calls).await?;
            self.event(id, calls).await?;
            // RemoveContainer
            self.event(id, calls).await?;
        }
        // StopPodSandbox
        let begun = Instant::now();
        let stop = connection.stop_sandbox(id);
        calls.call(Op::SandboxStop, stop, any).await?;
        let ended = tokio::time::timeout(calls.timeout, ended.answer()).await;
        let (ended, replied) = ended.unwrap_or_else(|_| {
            let late = late("Wait after the sandbox was stopped");
            (Err(late), Instant::now())
        });
        ended.map_err(|error| Failure::status(Op::SandboxWait, &error))?;
        calls.success(Op::SandboxWait, replied.saturating_duration_since(begun));
        let stopped = |status: &_| check::sandbox_not_ready(id, status);
        let status = self.status(id, false);
        calls.call(Op::SandboxStatus, status, stopped).await?;
        // PodSandboxStatus
        let status = self.status(id, false);
        calls.call(Op::SandboxStatus, status, stopped).await?;
        // RemovePodSandbox
        let shutdown = connection.shutdown_sandbox(id);
        calls.call(Op::SandboxShutdown, shutdown, any).await?;
        let status = self.status(id, false);
        calls
            .gone(Op::SandboxGone, status, "the sandbox is still there")
            .await
    }

    async fn tear_down(&self, pod: &Pod, created: CreatedTasks, calls: Calls<'_>) -> bool {
        tear_down(&self.connection, pod, created, calls).await
    }
}

impl AsContainerd {
    /// Makes the Status call that an event of containerd costs; the sandbox must be
    /// ready.
    async fn event(&self, id: &str, calls: Calls<'_>) -> Result<(), Failure> {
        let ready = |status: &_| check::sandbox_is_ready(id, status);
        let status = self.status(id, false);
        calls
            .call(Operation::SandboxStatus, status, ready)
            .await
            .map(drop)
    }

    async fn status(&self, id: &str, verbose: bool) -> Reply<SandboxStatus> {
        let request = api::ControllerStatusRequest {
            sandbox_id: id.to_owned(),
            verbose,
            sandboxer: HANDLER.to_owned(),
        };
        let mut reply = Box::pin(self.connection.sandboxes.status(request)).await?;
        Ok(SandboxStatus {
            id: reply.sandbox_id,
            state: reply.state,
            info: reply.info.remove(INFO),
        })
    }

    async fn platform(&self, id: &str) -> Reply<()> {
        let request = api::ControllerPlatformRequest {
            sandbox_id: id.to_owned(),
            sandboxer: HANDLER.to_owned(),
        };
        Box::pin(self.connection.sandboxes.platform(request))
            .await
            .map(drop)
    }

    /// Starts a task on a connection of its own: Create, Connect; then Connect and Wait
    /// concurrently with Start and State.
    async fn start_task(
        &self,
        container: &Container,
        calls: Calls<'_>,
    ) -> Result<RunningTask, Failure> {
        let (at, id) = (&self.at.tasks, &*container.id);
        let paths = at.bundles.streams(container);
        let created = |error: &Error| Failure::status(Operation::TaskCreate, error);
        let streams = paths
            .each_ref()
            .map(|path| open(path).map_err(|error| created(&error)));
        let [stdout, stderr] = streams;
        let streams = [stdout?, stderr?];
        let tasks = TtrpcConnection::connect(&at.socket, &at.namespace, at.timeout)
            .await
            .map_err(|error| created(&error))?;
        let request = create_task(id, &at.bundles.path(container), &paths);
        let create = async { Ok(tasks.client().create(&request).await?.pid) };
        let pid = calls.call(Operation::TaskCreate, create, any).await?;
        let same = |found: &u32| check::started_pid(pid, *found);
        let connected = connect(tasks.client(), id);
        calls.call(Operation::TaskConnect, connected, same).await?;
        let (waiter, waited) = (tasks.clone(), id.to_owned());
        let connected = Rc::new(Cell::new(None));
        let took = Rc::clone(&connected);
        let wait = async move {
            let begun = Instant::now();
            connect(waiter.client(), &waited).await?;
            took.set(Some(begun.elapsed()));
            waiter.wait_task(&waited).await
        };
        let waiting = Waiting::begin(wait, calls.abandoned());
        tokio::task::yield_now().await;
        let start = tasks.start_task(id);
        calls.call(Operation::TaskStart, start, same).await?;
        let running = |state: &_| check::task_started(container, pid, state);
        let state = tasks.task_state(id);
        calls.call(Operation::TaskState, state, running).await?;
        Ok(RunningTask {
            tasks,
            pid,
            waiting,
            connected,
            streams,
        })
    }
}

/// Ends and deletes a task: State, Kill, the reply to the pending Wait, State; Kill of
/// all remaining processes concurrently with Connect and Wait; State, the end of both
/// streams, Delete.
async fn end(
    container: &Container,
    running: RunningTask,
    cut_off: bool,
    calls: Calls<'_>,
) -> Result<(), Failure> {
    let RunningTask {
        tasks,
        pid,
        waiting,
        connected,
        streams,
    } = running;
    let id = &*container.id;
    let right = |state: &_| check::task_started(container, pid, state);
    let state = tasks.task_state(id);
    calls.call(Operation::TaskState, state, right).await?;
    let expected = task_ended(&tasks, container, cut_off, waiting, calls).await?;

    let stopped = |state: &_| check::task_stopped(id, pid, expected, state);
    let state = tasks.task_state(id);
    calls.call(Operation::TaskState, state, stopped).await?;
    if let Some(took) = connected.take() {
        calls.success(Operation::TaskConnect, took);
    }
    let right = |found: &u32| check::exit_status(expected, *found);
    let again = async {
        let connected = connect(tasks.client(), id);
        calls.call(Operation::TaskConnect, connected, any).await?;
        let wait = tasks.wait_task(id);
        calls.call(Operation::TaskWaitStopped, wait, right).await
    };
    let kill = async {
        match kill_all(tasks.client(), id).await {
            Err(error) if error.code() == Code::NotFound => Ok(()),
            killed => killed,
        }
    };
    let kill = calls.call(Operation::TaskKillAll, kill, any);
    let (killed, waited) = tokio::join!(kill, again);
    killed?;
    waited?;
    let state = tasks.task_state(id);
    calls.call(Operation::TaskState, state, stopped).await?;
    for stream in streams {
        ended(stream).map_err(|wrong| Failure::wrong(Operation::TaskWait, &wrong))?;
    }
    let delete = tasks.delete_task(id);
    calls.call(Operation::TaskDelete, delete, right).await?;
    Ok(())
}

fn create_task(
    id: &str,
    bundle: &Path,
    [stdout, stderr]: &[impl AsRef<Path>; 2],
) -> task::CreateTaskRequest {
    let shown = |path: &Path| path.display().to_string();
    let mut rootfs = Mount::new();
    rootfs.type_ = "overlay".to_owned();
    rootfs.source = "overlay".to_owned();
    rootfs.options = ["workdir", "upperdir", "lowerdir"]
        .map(|name| format!("{name}={}", shown(&bundle.join("rootfs").join(name))))
        .to_vec();
    let mut request = task::CreateTaskRequest::new();
    request.id = id.to_owned();
    request.bundle = shown(bundle);
    request.rootfs = vec![rootfs];
    request.stdout = shown(stdout.as_ref());
    request.stderr = shown(stderr.as_ref());
    request
}

async fn connect(client: &Ttrpc, id: &str) -> Reply<u32> {
    let mut request = task::ConnectRequest::new();
    request.id = id.to_owned();
    Ok(client.connect_task(&request).await?.task_pid)
}

async fn kill_all(client: &Ttrpc, id: &str) -> Reply<()> {
    let mut request = task::KillRequest::new();
    request.id = id.to_owned();
    request.signal = KILL;
    request.all = true;
    client.kill(&request).await.map(drop)
}

async fn wait(waits: Controller, id: String) -> Reply<u32> {
    let request = api::ControllerWaitRequest {
        sandbox_id: id,
        sandboxer: HANDLER.to_owned(),
    };
    Ok(Box::pin(waits.wait(request)).await?.exit_status)
}

fn late(what: &str) -> Error {
    Error::new(Code::DeadlineExceeded, format!("no reply to {what}"))
}

/// Opens a FIFO for reading, without waiting for a writer.
fn open(fifo: &Path) -> Reply<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    File::options()
        .read(true)
        .custom_flags(flags)
        .open(fifo)
        .map_err(|e| Error::internal(format!("open {}: {e}", fifo.display())))
}

/// Reads a stream to its end. containerd waits for this end before it deletes a task.
fn ended(mut stream: File) -> Result<(), String> {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            Err("a stream is still open after its task's end".to_owned())
        }
        Err(e) => Err(format!("read a stream: {e}")),
    }
}
