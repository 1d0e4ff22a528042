//! One pod from creation to removal, over any target.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use containerd_sandbox::{Code, Error, Result as Reply};
use tokio::task::JoinHandle;

use crate::bundle::Bundles;
use crate::check::{self, Checked};
use crate::failure::{Failure, FailureCode};
use crate::operation::Operation;
use crate::plan::{Container, Pod};
use crate::recorder::Recorder;
use crate::target::Target;

/// The longest a removal waits for a task to end, after a failure.
const TEARDOWN_WAIT: Duration = Duration::from_secs(5);

/// SIGKILL, for what has to go.
const KILL: u32 = 9;

/// What pods are run with: one thread's target, bundles and recorder.
#[derive(Debug)]
pub struct Lifecycle<'a, T> {
    /// The connection.
    pub target: &'a T,
    /// The bundles of the plan's containers.
    pub bundles: &'a Bundles,
    /// Where this thread's measurements go; never borrowed across an await.
    pub recorder: &'a RefCell<Recorder>,
    /// How long a call may take, and how long an ended task's Wait.
    pub timeout: Duration,
}

/// How a pod ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodEnd {
    /// As the plan wants.
    Done,
    /// Not so; the target still answers.
    Failed,
    /// Nobody answers any more.
    Lost,
}

/// What of a pod may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made {
    sandbox: bool,
    /// How many of its tasks, in the plan's order.
    tasks: usize,
}

impl Made {
    /// Somebody else's sandbox or task of the same id is not ours to remove.
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

/// A Wait under way, on a task of its own: a call that nobody polls would hold
/// up the others on its connection. Dropping it drops the call.
struct Waiting(JoinHandle<Reply<u32>>);

impl Waiting {
    fn is_answered(&self) -> bool {
        self.0.is_finished()
    }

    async fn answer(&mut self) -> Reply<u32> {
        (&mut self.0)
            .await
            .unwrap_or_else(|e| Err(Error::internal(format!("the Wait's task: {e}"))))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T: Target> Lifecycle<'_, T> {
    /// Runs one pod, records it, and removes it if it failed.
    ///
    /// Call it within a [`tokio::task::LocalSet`].
    pub async fn run(&self, pod: &Pod) -> PodEnd {
        let begun = Instant::now();
        let mut made = Made {
            sandbox: false,
            tasks: 0,
        };
        let end = match self.pod(pod, &mut made).await {
            Ok(()) => {
                let took = begun.elapsed();
                self.recorder.borrow_mut().success(Operation::Pod, took);
                PodEnd::Done
            }
            Err(failure) => {
                self.recorder.borrow_mut().failure(&failure);
                let lost = failure.is_silence() && self.target.probe().await.is_err();
                let made = made.without_others(&failure);
                if made.sandbox && (lost || !self.tear_down(pod, made.tasks).await) {
                    self.recorder.borrow_mut().pod_left_behind();
                }
                if lost { PodEnd::Lost } else { PodEnd::Failed }
            }
        };
        self.recorder.borrow_mut().pod_ended();
        end
    }

    /// The calls in order.
    async fn pod(&self, pod: &Pod, made: &mut Made) -> Result<(), Failure> {
        use Operation as Op;
        let (target, id) = (self.target, &*pod.sandbox_id);
        made.sandbox = true;
        let create = target.create_sandbox(id, pod.sandbox_config());
        self.call(Op::SandboxCreate, create, any).await?;
        self.call(Op::SandboxStart, target.start_sandbox(id), any)
            .await?;

        let mut tasks = Vec::with_capacity(pod.containers.len());
        for container in &pod.containers {
            made.tasks += 1;
            tasks.push(self.start(container).await?);
        }
        let right = |status: &_| check::sandbox_ready(pod, status);
        self.call(Op::SandboxStatus, target.sandbox_status(id), right)
            .await?;
        for (container, (pid, waiting)) in pod.containers.iter().zip(tasks) {
            self.end(container, pid, waiting).await?;
        }

        self.call(Op::SandboxStop, target.stop_sandbox(id), any)
            .await?;
        let right = |status: &_| check::sandbox_not_ready(pod, status);
        self.call(Op::SandboxStatus, target.sandbox_status(id), right)
            .await?;
        self.call(Op::SandboxShutdown, target.shutdown_sandbox(id), any)
            .await?;
        match target.sandbox_status(id).await {
            Err(error) if error.code() == Code::NotFound => Ok(()),
            Err(error) => Err(Failure::status(Op::SandboxStatus, &error)),
            Ok(_) => Err(Failure::wrong(
                Op::SandboxShutdown,
                "the sandbox is still there",
            )),
        }
    }

    /// Create, a Wait that stays pending, Start, State; the pid and the Wait.
    async fn start(&self, container: &Container) -> Result<(u32, Waiting), Failure> {
        let (target, id) = (self.target, &*container.id);
        let bundle = self.bundles.path(container);
        let created = self
            .call(Operation::TaskCreate, target.create_task(id, &bundle), any)
            .await?;
        let (waiter, waited) = (target.clone(), id.to_owned());
        let waiting = Waiting(tokio::task::spawn_local(async move {
            waiter.wait_task(&waited).await
        }));
        // Lets the Wait send its request first.
        tokio::task::yield_now().await;
        let same = |started: &_| check::started_pid(created, *started);
        let pid = self
            .call(Operation::TaskStart, target.start_task(id), same)
            .await?;
        let running = |state: &_| check::task_running(id, pid, state);
        self.call(Operation::TaskState, target.task_state(id), running)
            .await?;
        Ok((pid, waiting))
    }

    /// Kill, the pending Wait's reply, State, Delete.
    async fn end(
        &self,
        container: &Container,
        pid: u32,
        mut waiting: Waiting,
    ) -> Result<(), Failure> {
        let (target, id, signal) = (self.target, &*container.id, container.signal);
        let expected = signal.exit_status();
        let right = |found: &u32| check::exit_status(expected, *found);
        if waiting.is_answered() {
            return Err(match waiting.answer().await {
                Ok(status) => Failure::wrong(
                    Operation::TaskWait,
                    &format!("answered before Kill, with exit status {status}"),
                ),
                Err(error) => Failure::status(Operation::TaskWait, &error),
            });
        }
        let wait = async {
            tokio::time::timeout(self.timeout, waiting.answer())
                .await
                .unwrap_or_else(|_| {
                    Err(Error::new(
                        Code::DeadlineExceeded,
                        "no reply to Wait after the task was sent a signal",
                    ))
                })
        };
        let kill = target.kill_task(id, signal.number());
        // Both at once: the reply to Wait is often there before the one to Kill.
        let (killed, ended) = tokio::join!(
            self.call(Operation::TaskKill, kill, any),
            self.call(Operation::TaskWait, wait, right),
        );
        match (killed, ended) {
            (Err(killed), ended) => {
                if let Err(ended) = ended {
                    self.recorder.borrow_mut().failure(&ended);
                }
                return Err(killed);
            }
            (Ok(()), ended) => ended?,
        };
        let stopped = |state: &_| check::task_stopped(id, pid, expected, state);
        self.call(Operation::TaskState, target.task_state(id), stopped)
            .await?;
        self.call(Operation::TaskDelete, target.delete_task(id), right)
            .await
            .map(drop)
    }

    /// Makes and times one call. Only an answer that passes `check` is recorded.
    async fn call<R>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<R, Error>>,
        check: impl FnOnce(&R) -> Checked,
    ) -> Result<R, Failure> {
        let begun = Instant::now();
        let reply = call.await;
        let took = begun.elapsed();
        let reply = reply.map_err(|error| Failure::status(operation, &error))?;
        check(&reply).map_err(|wrong| Failure::wrong(operation, &wrong))?;
        self.recorder.borrow_mut().success(operation, took);
        Ok(reply)
    }

    /// Removes what a failed pod may have left; whether all of it is gone.
    ///
    /// What never was cannot be killed or deleted: only other answers count.
    async fn tear_down(&self, pod: &Pod, tasks: usize) -> bool {
        let mut gone = true;
        for container in &pod.containers[..tasks] {
            let id = &*container.id;
            if self.target.kill_task(id, KILL).await.is_ok() {
                let wait = self.target.wait_task(id);
                let _ = tokio::time::timeout(TEARDOWN_WAIT.min(self.timeout), wait).await;
            }
            gone &= is_gone(self.target.delete_task(id).await);
        }
        let _ = self.target.stop_sandbox(&pod.sandbox_id).await;
        gone & is_gone(self.target.shutdown_sandbox(&pod.sandbox_id).await)
    }
}

/// Whether a removal left nothing.
fn is_gone<R>(removed: Reply<R>) -> bool {
    removed.map_or_else(|error| error.code() == Code::NotFound, |_| true)
}

/// Every answer is right.
#[expect(clippy::unnecessary_wraps, reason = "stands where a check can")]
fn any<R>(_reply: &R) -> Checked {
    Ok(())
}
