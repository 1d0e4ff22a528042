//! Lifecycle of one pod from creation to removal, with any driver.

use std::time::{Duration, Instant};

use crate::drive::calls::{Calls, any};
use crate::drive::driver::{Created, Driver};
use crate::record::failure::Failure;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::workload::plan::Pod;

/// End of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodEnd {
    /// The pod went through its whole lifecycle as planned.
    Done,
    /// A call failed or a reply was wrong; the server still answers.
    Failed,
    /// A call failed, and the server answers no more.
    Lost,
}

/// Intended start of a pod in an open loop.
#[derive(Debug, Clone, Copy)]
pub struct Intended {
    /// Time of the start according to the schedule.
    pub at: Instant,
    /// Index of the phase that contains the start.
    pub phase: usize,
    /// Delay of the real start by this program, without the wait for a place among the pods
    /// in progress.
    pub lag: Duration,
}

/// A pod whose lifecycle has begun.
pub struct Begun<'a, D: Driver> {
    driver: &'a D,
    pod: &'a Pod,
    calls: Calls<'a>,
    intended: Option<Intended>,
    since: Instant,
    created: D::Created,
}

impl<'a, D: Driver> Begun<'a, D> {
    /// Begins the lifecycle of a pod at this moment.
    ///
    /// The methods make their calls within a [`tokio::task::LocalSet`].
    pub fn new(driver: &'a D, pod: &'a Pod, intended: Option<Intended>, calls: Calls<'a>) -> Self {
        Self {
            driver,
            pod,
            calls,
            intended,
            since: Instant::now(),
            created: D::Created::default(),
        }
    }

    /// Returns the time at which the lifecycle began.
    pub fn at(&self) -> Instant {
        self.since
    }

    /// Starts the pod and all its containers, and records the duration.
    ///
    /// # Errors
    /// The end of the pod if a call failed. The pod has then been removed, or recorded as
    /// left behind.
    pub async fn start(mut self) -> Result<Started<'a, D>, PodEnd> {
        match self
            .driver
            .start(self.pod, &mut self.created, self.calls)
            .await
        {
            Ok(running) => {
                let now = Instant::now();
                self.record(Operation::PodStart, Operation::PodStartService, now, None);
                Ok(Started {
                    begun: self,
                    running,
                    since: now,
                })
            }
            Err(failure) => Err(self.failed(&failure).await),
        }
    }

    /// Records an operation that ends at `now`; `without` is a time to subtract from its
    /// duration. In an open loop `operation` counts from the intended start and `service`
    /// from the actual one.
    fn record(
        &self,
        operation: Operation,
        service: Operation,
        now: Instant,
        without: Option<Duration>,
    ) {
        let without = without.unwrap_or_default();
        let served = (now - self.since).saturating_sub(without);
        let Some(intended) = self.intended else {
            self.calls.success(operation, served);
            self.without_queue(operation, served);
            return;
        };
        let took = now.duration_since(intended.at).saturating_sub(without);
        self.calls.success(operation, took);
        self.without_queue(operation, took);
        self.without_queue(service, served);
        let in_time = took.saturating_sub(intended.lag);
        self.calls
            .record(|recorder| recorder.without_lag(operation, in_time));
        self.calls.success(service, served);
        if operation == Operation::Pod {
            self.calls
                .record_always(|recorder| recorder.pod_of_phase(intended.phase, took));
        }
    }

    /// Records the part of an operation that its calls did not spend in the queue of this
    /// program; nothing if their times on the wire are not known.
    fn without_queue(&self, operation: Operation, took: Duration) {
        let queue = self.calls.queue.get();
        if !queue.is_zero() {
            let rest = took.saturating_sub(queue);
            self.calls.record(|recorder| recorder.wire(operation, rest));
        }
    }

    /// Asks the server whether it still replies.
    async fn answers(&self) -> bool {
        let probe = self.calls.call(Operation::Probe, self.driver.probe(), any);
        let answers = probe.await.is_ok();
        if !answers {
            self.calls.abandoned().count();
        }
        answers
    }

    /// Records a failure and removes the objects that the pod may have created.
    async fn failed(self, failure: &Failure) -> PodEnd {
        self.calls.failure(failure);
        let lost = failure.is_silence() && !self.answers().await;
        let created = self.created.without_others(failure);
        if !created.is_empty()
            && (lost || !self.driver.tear_down(self.pod, created, self.calls).await)
        {
            self.calls.record_always(Recorder::pod_left_behind);
        }
        self.calls.record_always(Recorder::pod_failed);
        self.calls.tape.borrow_mut().pod_ended();
        if lost { PodEnd::Lost } else { PodEnd::Failed }
    }
}

/// A pod with all its containers started.
pub struct Started<'a, D: Driver> {
    begun: Begun<'a, D>,
    running: D::Running,
    since: Instant,
}

impl<D: Driver> Started<'_, D> {
    /// Waits `restarts` times for the end of each container and starts it again.
    ///
    /// # Errors
    /// The end of the pod if a call failed.
    pub async fn crash_loop(mut self, restarts: u32) -> Result<Self, PodEnd> {
        for _ in 0..restarts {
            let Begun {
                driver, pod, calls, ..
            } = self.begun;
            match driver.restart(pod, self.running, calls).await {
                Ok(running) => self.running = running,
                Err(failure) => return Err(self.begun.failed(&failure).await),
            }
        }
        Ok(self)
    }

    /// Restarts containers that end by themselves, until `over` returns.
    ///
    /// # Errors
    /// The end of the pod if a call failed.
    pub async fn keep(mut self, over: impl AsyncFn()) -> Result<Self, PodEnd> {
        let Begun {
            driver, pod, calls, ..
        } = self.begun;
        match driver.keep(pod, self.running, over, calls).await {
            Ok(running) => {
                self.running = running;
                Ok(self)
            }
            Err(failure) => Err(self.begun.failed(&failure).await),
        }
    }

    /// Stops and removes the pod. Records the duration of the whole lifecycle without the
    /// time between the end of the start and this call.
    pub async fn stop(self) -> PodEnd {
        let Self {
            begun,
            running,
            since,
        } = self;
        let stayed = since.elapsed();
        match begun.driver.stop(begun.pod, running, begun.calls).await {
            Ok(()) => {
                let now = Instant::now();
                begun.record(Operation::Pod, Operation::PodService, now, Some(stayed));
                begun.calls.tape.borrow_mut().pod_ended();
                PodEnd::Done
            }
            Err(failure) => begun.failed(&failure).await,
        }
    }
}
