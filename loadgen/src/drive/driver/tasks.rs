//! Runs pods directly on a sandboxer with sandbox and task calls.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use containerd_sandbox::{Code, Error, Result as Reply};
use futures::future::try_join_all;

use super::waiting::Waiting;
use super::{Created, Driver};
use crate::connection::{Connection, SandboxStatus};
use crate::drive::bundle::Bundles;
use crate::drive::calls::{Calls, any};
use crate::drive::check;
use crate::record::failure::{Failure, FailureCode};
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::workload::plan::{Container, End, Exit, Pod, Signal};

/// Longest wait for the end of a task in the removal of a failed pod.
const TEARDOWN_WAIT: Duration = Duration::from_secs(5);

/// SIGKILL, for the removal of a failed pod.
const KILL: u32 = 9;

/// Driver of a sandboxer, with the bundles of the containers.
#[derive(Debug, Clone)]
pub struct Tasks<T> {
    connection: T,
    bundles: Arc<Bundles>,
    must_state_resources: bool,
}

/// Address of a sandboxer, and the settings of the driver.
#[derive(Debug, Clone)]
pub struct TasksAt {
    /// Unix socket of the sandboxer.
    pub socket: PathBuf,
    /// Namespace of containerd.
    pub namespace: String,
    /// Time limit of a call.
    pub timeout: Duration,
    /// Bundles of the plan's containers.
    pub bundles: Arc<Bundles>,
    /// Whether a verbose status must contain the resources that the pod requests; `false`
    /// for servers other than the sandboxer of this project.
    pub must_state_resources: bool,
}

/// A sandbox, and the number of its created tasks, in the order of the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CreatedTasks {
    pub(super) sandbox: bool,
    pub(super) tasks: usize,
}

impl Created for CreatedTasks {
    fn is_empty(&self) -> bool {
        !self.sandbox
    }

    /// `AlreadyExists` shows that the sandbox or task belongs to another client, so this
    /// one must not remove it.
    fn without_others(mut self, failure: &Failure) -> Self {
        if failure.code == FailureCode::Status(Code::AlreadyExists) {
            match failure.operation {
                Operation::SandboxCreate => self.sandbox = false,
                Operation::TaskCreate => self.tasks -= 1,
                _ => {}
            }
        }
        self
    }
}

impl<T: Connection> Driver for Tasks<T> {
    type Address = TasksAt;
    type Created = CreatedTasks;
    /// Pid and pending Wait of each task, in the order of the plan.
    type Running = Vec<(u32, Waiting)>;

    async fn connect(at: &TasksAt) -> Reply<Self> {
        Ok(Self {
            connection: T::connect(&at.socket, &at.namespace, at.timeout).await?,
            bundles: Arc::clone(&at.bundles),
            must_state_resources: at.must_state_resources,
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
    ) -> Result<Self::Running, Failure> {
        use Operation as Op;
        let (connection, id) = (&self.connection, &*pod.sandbox_id);
        created.sandbox = true;
        let create = connection.create_sandbox(pod);
        calls.call(Op::SandboxCreate, create, any).await?;
        calls
            .call(Op::SandboxStart, connection.start_sandbox(id), any)
            .await?;

        let mut tasks = Vec::with_capacity(pod.containers.len());
        for container in &pod.containers {
            created.tasks += 1;
            tasks.push(self.start_task(container, calls).await?);
        }
        let must = self.must_state_resources;
        let right = |status: &SandboxStatus| {
            if must || status.info.is_some() {
                check::sandbox_ready(id, pod, status)
            } else {
                check::sandbox_is_ready(id, status)
            }
        };
        let status = calls
            .call(Op::SandboxStatus, connection.sandbox_status(id), right)
            .await?;
        if status.info.is_none() {
            calls.record(Recorder::uncompared);
        }
        Ok(tasks)
    }

    async fn restart(
        &self,
        pod: &Pod,
        running: Self::Running,
        calls: Calls<'_>,
    ) -> Result<Self::Running, Failure> {
        let mut tasks = Vec::with_capacity(running.len());
        for (container, task) in pod.containers.iter().zip(running) {
            self.end(container, task, false, calls).await?;
            tasks.push(self.start_task(container, calls).await?);
        }
        Ok(tasks)
    }

    async fn keep(
        &self,
        pod: &Pod,
        running: Self::Running,
        over: impl AsyncFn(),
        calls: Calls<'_>,
    ) -> Result<Self::Running, Failure> {
        let over = &over;
        let each = pod.containers.iter().zip(running);
        let each = each.map(async |(container, mut task)| {
            loop {
                tokio::select! {
                    () = over() => return Ok(task),
                    () = task.1.answered() => {}
                }
                self.end(container, task, false, calls).await?;
                task = self.start_task(container, calls).await?;
            }
        });
        try_join_all(each).await
    }

    async fn stop(
        &self,
        pod: &Pod,
        running: Self::Running,
        calls: Calls<'_>,
    ) -> Result<(), Failure> {
        use Operation as Op;
        let (connection, id) = (&self.connection, &*pod.sandbox_id);
        for (container, task) in pod.containers.iter().zip(running) {
            self.end(container, task, pod.lifecycle.cuts_off(), calls)
                .await?;
        }

        calls
            .call(Op::SandboxStop, connection.stop_sandbox(id), any)
            .await?;
        let right = |status: &_| check::sandbox_not_ready(id, status);
        calls
            .call(Op::SandboxStatus, connection.sandbox_status(id), right)
            .await?;
        calls
            .call(Op::SandboxShutdown, connection.shutdown_sandbox(id), any)
            .await?;
        let status = connection.sandbox_status(id);
        calls
            .gone(Op::SandboxGone, status, "the sandbox is still there")
            .await
    }

    async fn tear_down(&self, pod: &Pod, created: CreatedTasks, calls: Calls<'_>) -> bool {
        tear_down(&self.connection, pod, created, calls).await
    }
}

impl<T: Connection> Tasks<T> {
    /// Starts a task: Create, a Wait that stays pending, Start, State. Returns the pid
    /// and the Wait.
    async fn start_task(
        &self,
        container: &Container,
        calls: Calls<'_>,
    ) -> Result<(u32, Waiting), Failure> {
        let (connection, id) = (&self.connection, &*container.id);
        let bundle = self.bundles.path(container);
        let created = calls
            .call(
                Operation::TaskCreate,
                connection.create_task(id, &bundle),
                any,
            )
            .await?;
        let (waiter, waited) = (connection.clone(), id.to_owned());
        let wait = async move { waiter.wait_task(&waited).await };
        let waiting = Waiting::begin(wait, calls.abandoned());
        // Lets the Wait send its request first.
        tokio::task::yield_now().await;
        let same = |started: &_| check::started_pid(created, *started);
        let pid = calls
            .call(Operation::TaskStart, connection.start_task(id), same)
            .await?;
        let running = |state: &_| check::task_started(container, pid, state);
        calls
            .call(Operation::TaskState, connection.task_state(id), running)
            .await?;
        Ok((pid, waiting))
    }

    /// Ends and deletes a task: its end, State, Delete.
    async fn end(
        &self,
        container: &Container,
        (pid, waiting): (u32, Waiting),
        cut_off: bool,
        calls: Calls<'_>,
    ) -> Result<(), Failure> {
        let (connection, id) = (&self.connection, &*container.id);
        let expected = ended(connection, container, cut_off, waiting, calls).await?;
        let stopped = |state: &_| check::task_stopped(id, pid, expected, state);
        calls
            .call(Operation::TaskState, connection.task_state(id), stopped)
            .await?;
        let right = |found: &u32| check::exit_status(expected, *found);
        calls
            .call(Operation::TaskDelete, connection.delete_task(id), right)
            .await
            .map(drop)
    }
}

/// Brings a container to the end that the plan gives, by a signal or by itself. Returns
/// its exit status. With `cut_off`, a container that would end by itself gets SIGTERM if
/// it still runs.
pub(super) async fn ended<T: Connection>(
    connection: &T,
    container: &Container,
    cut_off: bool,
    mut waiting: Waiting,
    calls: Calls<'_>,
) -> Result<u32, Failure> {
    match container.end {
        End::Signal(signal) => kill(connection, container, signal, None, waiting, calls).await,
        End::Exit(exit) if cut_off && !waiting.is_answered() => {
            kill(
                connection,
                container,
                Signal::Term,
                Some(exit),
                waiting,
                calls,
            )
            .await
        }
        End::Exit(exit) => {
            let planned = waiting.begun() + exit.after;
            let answer = tokio::time::timeout(exit.after + calls.timeout, waiting.answer());
            let (status, replied) = answer.await.unwrap_or_else(|_| {
                let late = late("after the task should have ended");
                (Err(late), Instant::now())
            });
            let status = status.map_err(|error| Failure::status(Operation::TaskWait, &error))?;
            check::exit_status(exit.code.into(), status)
                .map_err(|wrong| Failure::wrong(Operation::TaskWait, &wrong))?;
            let took = replied.saturating_duration_since(planned);
            calls.success(Operation::TaskExit, took);
            Ok(status)
        }
    }
}

fn late(when: &str) -> Error {
    Error::new(Code::DeadlineExceeded, format!("no reply to Wait {when}"))
}

/// Makes the Kill call and takes the reply to the pending Wait. `or` is the end of a
/// container that may end by itself just before the signal.
async fn kill<T: Connection>(
    connection: &T,
    container: &Container,
    signal: Signal,
    or: Option<Exit>,
    mut waiting: Waiting,
    calls: Calls<'_>,
) -> Result<u32, Failure> {
    if waiting.is_answered() {
        return Err(match waiting.answer().await.0 {
            Ok(status) => Failure::wrong(
                Operation::TaskWait,
                &format!("answered before Kill, with exit status {status}"),
            ),
            Err(error) => Failure::status(Operation::TaskWait, &error),
        });
    }
    let wait = async {
        match tokio::time::timeout(calls.timeout, waiting.answer()).await {
            Ok((status, _)) => status,
            Err(_) => Err(late("after the task was sent a signal")),
        }
    };
    let kill = async {
        match connection.kill_task(&container.id, signal.number()).await {
            Err(error) if or.is_some() && error.code() == Code::NotFound => Ok(()),
            killed => killed,
        }
    };
    let right = |found: &u32| match or {
        Some(exit) if u32::from(exit.code) == *found => Ok(()),
        _ => check::exit_status(signal.exit_status(), *found),
    };
    // Both at once: the reply to Wait often arrives before the reply to Kill.
    let (killed, ended) = tokio::join!(
        calls.call(Operation::TaskKill, kill, any),
        calls.call(Operation::TaskWait, wait, right),
    );
    match (killed, ended) {
        (Err(killed), ended) => {
            if let Err(ended) = ended {
                calls.failure(&ended);
            }
            Err(killed)
        }
        (Ok(()), ended) => ended,
    }
}

/// Removes the remaining objects of a failed pod. Returns whether all of them are gone.
///
/// Kill and Delete of an object that never existed return `NotFound`, which is no
/// failure.
pub(super) async fn tear_down<T: Connection>(
    connection: &T,
    pod: &Pod,
    created: CreatedTasks,
    calls: Calls<'_>,
) -> bool {
    let mut gone = true;
    for container in &pod.containers[..created.tasks] {
        let id = &*container.id;
        let killed = calls.clean_up(connection.kill_task(id, KILL)).await;
        if killed.is_ok() {
            let limit = TEARDOWN_WAIT.min(calls.timeout);
            let wait = async {
                tokio::time::timeout(limit, connection.wait_task(id))
                    .await
                    .unwrap_or_else(|_| Err(late("after the task was sent SIGKILL")))
            };
            let _ = calls.clean_up(wait).await;
        }
        gone &= is_gone(calls.clean_up(connection.delete_task(id)).await);
    }
    let stop = connection.stop_sandbox(&pod.sandbox_id);
    let _ = calls.clean_up(stop).await;
    let shutdown = connection.shutdown_sandbox(&pod.sandbox_id);
    gone & is_gone(calls.clean_up(shutdown).await)
}

/// Returns whether the object no longer exists after this reply to a removal.
fn is_gone<R>(removed: Reply<R>) -> bool {
    removed.map_or_else(|error| error.code() == Code::NotFound, |_| true)
}
