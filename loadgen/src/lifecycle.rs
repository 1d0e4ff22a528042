//! One pod from creation to removal, over any target.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use containerd_sandbox::{Code, Error};

use crate::bundle::Bundles;
use crate::check::{self, Checked};
use crate::failure::Failure;
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

impl<T: Target> Lifecycle<'_, T> {
    /// Runs one pod, records it, and removes it if it failed.
    pub async fn run(&self, pod: &Pod) -> PodEnd {
        let begun = Instant::now();
        let mut created = 0;
        let end = match self.pod(pod, &mut created).await {
            Ok(()) => {
                let took = begun.elapsed();
                self.recorder.borrow_mut().success(Operation::Pod, took);
                PodEnd::Done
            }
            Err(failure) => {
                self.recorder.borrow_mut().failure(&failure);
                let lost = failure.is_silence() && self.target.probe().await.is_err();
                if lost || !self.tear_down(pod, created).await {
                    self.recorder.borrow_mut().pod_left_behind();
                }
                if lost { PodEnd::Lost } else { PodEnd::Failed }
            }
        };
        self.recorder.borrow_mut().pod_ended();
        end
    }

    /// The calls in order; `created` counts the tasks whose Create was sent.
    async fn pod(&self, pod: &Pod, created: &mut usize) -> Result<(), Failure> {
        use Operation as Op;
        let (target, id) = (self.target, &*pod.sandbox_id);
        let create = target.create_sandbox(id, pod.sandbox_config());
        self.call(Op::SandboxCreate, create, any).await?;
        self.call(Op::SandboxStart, target.start_sandbox(id), any)
            .await?;

        let mut waits = Vec::with_capacity(pod.containers.len());
        for container in &pod.containers {
            *created += 1;
            let bundle = self.bundles.path(container);
            let create = target.create_task(&container.id, &bundle);
            self.call(Op::TaskCreate, create, any).await?;
            let mut wait = Box::pin(target.wait_task(&container.id));
            self.not_yet(&mut wait).await?;
            self.start(container).await?;
            waits.push(wait);
        }
        self.call(Op::SandboxStatus, target.sandbox_status(id), |status| {
            check::sandbox_status(pod, status)
        })
        .await?;
        for (container, wait) in pod.containers.iter().zip(waits) {
            self.end(container, wait).await?;
        }

        self.call(Op::SandboxStop, target.stop_sandbox(id), any)
            .await?;
        self.call(Op::SandboxShutdown, target.shutdown_sandbox(id), any)
            .await
            .map(drop)
    }

    /// Sends a Wait, and sees to it that it stays unanswered.
    async fn not_yet<F>(&self, wait: &mut F) -> Result<(), Failure>
    where
        F: Future<Output = Result<u32, Error>> + Unpin,
    {
        let early = poll_fn(|context| match pin!(&mut *wait).poll(context) {
            Poll::Ready(reply) => Poll::Ready(Some(reply)),
            Poll::Pending => Poll::Ready(None),
        });
        match early.await {
            None => Ok(()),
            Some(Ok(status)) => Err(Failure::wrong(
                Operation::TaskWait,
                &format!("answered before Start, with exit status {status}"),
            )),
            Some(Err(error)) => Err(Failure::status(Operation::TaskWait, &error)),
        }
    }

    async fn start(&self, container: &Container) -> Result<(), Failure> {
        let (target, id) = (self.target, &*container.id);
        let pid = self
            .call(Operation::TaskStart, target.start_task(id), any)
            .await?;
        self.call(Operation::TaskState, target.task_state(id), |state| {
            check::task_state(id, pid, state)
        })
        .await
        .map(drop)
    }

    /// Kill, the pending Wait's reply, Delete.
    async fn end<F>(&self, container: &Container, wait: F) -> Result<(), Failure>
    where
        F: Future<Output = Result<u32, Error>>,
    {
        let (target, id, signal) = (self.target, &*container.id, container.signal);
        let right = |found: &u32| check::exit_status(signal.exit_status(), *found);
        let wait = async {
            tokio::time::timeout(self.timeout, wait)
                .await
                .unwrap_or_else(|_| {
                    Err(Error::new(
                        Code::DeadlineExceeded,
                        "no reply to Wait after the task was sent a signal",
                    ))
                })
        };
        // Both at once: the reply to Wait is often there before the one to Kill.
        let (killed, ended) = tokio::join!(
            self.call(
                Operation::TaskKill,
                target.kill_task(id, signal.number()),
                any
            ),
            self.call(Operation::TaskWait, wait, right),
        );
        killed?;
        ended?;
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

    /// Removes what a failed pod may have left; whether the sandbox is gone.
    ///
    /// Only the last answer counts: what never was cannot be killed or deleted.
    async fn tear_down(&self, pod: &Pod, created: usize) -> bool {
        for container in &pod.containers[..created] {
            let id = &*container.id;
            if self.target.kill_task(id, KILL).await.is_ok() {
                let wait = self.target.wait_task(id);
                let _ = tokio::time::timeout(TEARDOWN_WAIT.min(self.timeout), wait).await;
            }
            let _ = self.target.delete_task(id).await;
        }
        let _ = self.target.stop_sandbox(&pod.sandbox_id).await;
        match self.target.shutdown_sandbox(&pod.sandbox_id).await {
            Ok(()) => true,
            Err(error) => error.code() == Code::NotFound,
        }
    }
}

/// Every answer is right.
#[expect(clippy::unnecessary_wraps, reason = "stands where a check can")]
fn any<R>(_reply: &R) -> Checked {
    Ok(())
}
