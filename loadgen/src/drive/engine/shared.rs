//! State that the threads of a run share.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::hold::Hold;
use super::{LEAD, Load, Measured, Shape, size};
use crate::record::recorder::Recorder;
use crate::record::tape::{Counters, HeldBell};
use crate::stop::Stop;
use crate::workload::plan::PodLifecycle;
use crate::workload::scenario::Closed;

/// State that the threads of a run share.
pub(super) struct Shared {
    pub(super) load: Load,
    pub(super) stop: Stop,
    pub(super) next: AtomicU64,
    /// Time at which the first pod that counts was begun.
    pub(super) measured_since: OnceLock<Instant>,
    pub(super) timed_out: AtomicBool,
    pub(super) lost: AtomicBool,
    pub(super) hold: Hold,
    /// Beginning of the first phase of an open loop.
    pub(super) base: Instant,
}

impl Shared {
    pub(super) fn new(load: &Load, stop: &Stop, bell: HeldBell) -> Self {
        let starting = match &load.shape {
            Shape::Closed(closed) => size(closed.concurrency),
            Shape::Open { .. } => load.threads,
        };
        Self {
            load: load.clone(),
            stop: stop.clone(),
            next: AtomicU64::new(0),
            measured_since: OnceLock::new(),
            timed_out: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            hold: Hold::new(starting, load.stages.clone(), bell),
            base: Instant::now() + LEAD,
        }
    }

    /// Returns whether no further pod is to be begun.
    pub(super) fn over(&self) -> bool {
        self.stop.requested() || self.lost.load(Ordering::Relaxed)
    }

    /// Returns the index of the next pod of a closed loop and whether it counts; `None`
    /// if no further pod is to be begun.
    pub(super) fn next(&self, closed: &Closed) -> Option<(u64, bool)> {
        if self.stop.requested() || self.timed_out.load(Ordering::Relaxed) {
            return None;
        }
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        if index >= self.load.pods() {
            return None;
        }
        let counts = index >= closed.warm_up_pods;
        if counts {
            let since = self.measured_since.get_or_init(Instant::now);
            if closed
                .duration
                .is_some_and(|limit| since.elapsed() >= limit)
            {
                self.timed_out.store(true, Ordering::Relaxed);
                return None;
            }
        }
        Some((index, counts))
    }

    pub(super) fn measured(
        &self,
        recorder: Recorder,
        arrivals: Vec<Duration>,
        over: Instant,
        counters: &[Arc<Counters>],
    ) -> Measured {
        let since = match &self.load.shape {
            Shape::Closed(_) => self.measured_since.get().copied(),
            Shape::Open { schedule, .. } => {
                let first = schedule.phases().iter().position(|phase| phase.measured);
                first.map(|first| self.base + schedule.start_of(first))
            }
        };
        let since = since.unwrap_or(over);
        let sum = |of: fn(&Counters) -> &AtomicU64| {
            let each = counters.iter().map(|one| of(one).load(Ordering::Relaxed));
            each.sum()
        };
        Measured {
            recorder,
            wall: over.saturating_duration_since(since),
            warm_up: since.saturating_duration_since(self.base),
            pods: sum(|one| &one.pods),
            rpcs: sum(|one| &one.rpcs),
            abandoned: sum(|one| &one.abandoned),
            most_in_flight: sum(|one| &one.most),
            arrivals,
            held: self.held(over),
            lost: self.lost.load(Ordering::Relaxed),
            timed_out: self.timed_out.load(Ordering::Relaxed),
            cpu: None,
        }
    }

    /// Returns the time range in which all pods were running.
    fn held(&self, over: Instant) -> Option<Range<Duration>> {
        let PodLifecycle::RestartAlways { hold } = self.load.plan.pod(0).lifecycle else {
            return None;
        };
        let since = self.hold.since()?;
        let until = (since + hold.div_f64(self.load.speed)).min(over);
        let from_base = |at: Instant| at.saturating_duration_since(self.base);
        Some(from_base(since)..from_base(until))
    }
}
