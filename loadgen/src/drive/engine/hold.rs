//! Holds pods in the running state until all pods have been started.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use crate::record::tape::HeldBell;

/// Holds pods until no more pods are started. With stages, it also delays the pods after
/// a stage until the observer has handled that stage.
pub(super) struct Hold {
    /// Number of workers or load threads that may still start pods.
    starting: AtomicUsize,
    /// Time since which no pod remains to be started; `None` before.
    released: watch::Sender<Option<Instant>>,
    /// Number of pods that have been started or have failed to start.
    settled: AtomicU64,
    stages: Vec<u64>,
    /// Number of stages that the observer has handled.
    passed: watch::Sender<usize>,
    bell: HeldBell,
}

impl Hold {
    pub(super) fn new(starting: usize, stages: Vec<u64>, bell: HeldBell) -> Self {
        Self {
            starting: AtomicUsize::new(starting),
            released: watch::Sender::new(None),
            settled: AtomicU64::new(0),
            stages,
            passed: watch::Sender::new(0),
            bell,
        }
    }

    /// Notes that one worker or load thread starts no more pods, and that its pods run.
    pub(super) fn one_less(&self) {
        if self.starting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.released.send_replace(Some(Instant::now()));
        }
    }

    /// Waits until no pod remains to be started, and returns the time of that.
    pub(super) async fn released(&self) -> Instant {
        let mut released = self.released.subscribe();
        // It cannot fail: `self` keeps the sender alive.
        let since = released.wait_for(Option::is_some).await;
        since
            .ok()
            .and_then(|since| *since)
            .unwrap_or_else(Instant::now)
    }

    pub(super) fn since(&self) -> Option<Instant> {
        *self.released.borrow()
    }

    /// Returns when the pod at `index` may be started.
    pub(super) async fn may_start(&self, index: u64) {
        let before = self.stages.iter().filter(|stage| **stage <= index).count();
        let _ = self
            .passed
            .subscribe()
            .wait_for(|passed| *passed >= before)
            .await;
    }

    /// Notes that one more pod has been started or has failed to start.
    pub(super) async fn settled(&self) {
        let settled = self.settled.fetch_add(1, Ordering::AcqRel) + 1;
        if self.stages.contains(&settled) {
            self.bell.ring(settled).await;
            self.passed
                .send_modify(|passed| *passed = passed.saturating_add(1));
        }
    }

    /// Ends all waits for stages.
    pub(super) fn give_up(&self) {
        self.passed.send_replace(usize::MAX);
    }
}

/// Number of pods whose start is in progress, with a notification of its changes.
#[derive(Clone, Default)]
pub(super) struct Starting(Rc<(Cell<usize>, Notify)>);

/// Start in progress; it ends when the guard is dropped.
pub(super) struct StartGuard(Starting);

impl Starting {
    pub(super) fn one_more(&self) -> StartGuard {
        let count = &self.0.0;
        count.set(count.get() + 1);
        StartGuard(self.clone())
    }

    /// Returns when no start is in progress.
    pub(super) async fn none(&self) {
        let (count, changed) = &*self.0;
        while count.get() > 0 {
            changed.notified().await;
        }
    }
}

impl Drop for StartGuard {
    fn drop(&mut self) {
        let (count, changed) = &*self.0.0;
        count.set(count.get() - 1);
        // The permit is stored for a task that does not wait yet.
        changed.notify_one();
    }
}
