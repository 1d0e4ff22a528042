//! Pods that stay until all have been started.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::{Notify, watch};

use crate::record::tape::HeldBell;

/// Holds pods until no more are started, and those that come after a stage until
/// somebody has looked at those before it.
pub(super) struct Hold {
    /// Workers and dispatchers that may still start one.
    starting: AtomicUsize,
    /// Since when there is nothing left to be started.
    released: watch::Sender<Option<Instant>>,
    /// Pods that have been started, or have failed to.
    settled: AtomicU64,
    stages: Vec<u64>,
    /// How many stages have been looked at.
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

    /// One of those who start pods will start no more, and those it started run.
    pub(super) fn one_less(&self) {
        if self.starting.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.released.send_replace(Some(Instant::now()));
        }
    }

    /// Since when, once it is so.
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

    /// Returns once the pod at `index` may be started.
    pub(super) async fn may_start(&self, index: u64) {
        let before = self.stages.iter().filter(|stage| **stage <= index).count();
        let _ = self
            .passed
            .subscribe()
            .wait_for(|passed| *passed >= before)
            .await;
    }

    /// One more pod has been started, or has failed to.
    pub(super) async fn settled(&self) {
        let settled = self.settled.fetch_add(1, Ordering::AcqRel) + 1;
        if self.stages.contains(&settled) {
            self.bell.ring(settled).await;
            self.passed
                .send_modify(|passed| *passed = passed.saturating_add(1));
        }
    }

    /// Nobody has to wait any more.
    pub(super) fn give_up(&self) {
        self.passed.send_replace(usize::MAX);
    }
}

/// How many pods are being started.
#[derive(Clone, Default)]
pub(super) struct Starting(Rc<(Cell<usize>, Notify)>);

/// One that is; dropped when it has been.
pub(super) struct StartGuard(Starting);

impl Starting {
    pub(super) fn one_more(&self) -> StartGuard {
        let count = &self.0.0;
        count.set(count.get() + 1);
        StartGuard(self.clone())
    }

    /// Returns when there is none.
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
        // Kept for one who is not waiting yet.
        changed.notify_one();
    }
}
