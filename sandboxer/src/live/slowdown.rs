//! Slows the sandboxer down on purpose, to test that measurements notice.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// Burns CPU time in proportion to the process's usage.
///
/// The time due since the last burn is burnt at the end of every eighth request that
/// changes something, before its reply, so that latencies grow, too. All work of the
/// process counts, on every thread: sockets, decoding, the journal and the views.
#[derive(Debug, Default)]
pub(super) struct Slowdown {
    percent: u32,
    /// CPU time accounted for, in nanoseconds: the process's usage at the last burn and the
    /// time burnt since.
    settled: AtomicU64,
    calls: AtomicU64,
}

/// Number of requests between burns.
const BATCH: u64 = 8;

impl Slowdown {
    /// Returns a slowdown of `percent` on top of the process's usage from now on.
    pub(super) fn new(percent: u32) -> Self {
        Self {
            percent,
            settled: AtomicU64::new(now_ns(ClockId::ProcessCPUTime)),
            calls: AtomicU64::new(0),
        }
    }

    /// Burns the time that is due.
    pub(super) fn pay(&self) {
        if self.percent == 0 {
            return;
        }
        // Reading the process's usage takes time itself, so not every request does.
        if !self
            .calls
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(BATCH)
        {
            return;
        }
        let thread = now_ns(ClockId::ThreadCPUTime);
        let used = now_ns(ClockId::ProcessCPUTime);
        let settled = self.settled.swap(used, Ordering::Relaxed);
        let due = used.saturating_sub(settled) * u64::from(self.percent) / 100;
        while now_ns(ClockId::ThreadCPUTime) < thread + due {
            std::hint::spin_loop();
        }
        // Burnt time must not be due again.
        self.settled.fetch_add(due, Ordering::Relaxed);
    }
}

fn now_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    part(time.tv_sec) * 1_000_000_000 + part(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_is_due_is_burnt() {
        let slowdown = Slowdown::new(50);
        let begun = now_ns(ClockId::ThreadCPUTime);
        while now_ns(ClockId::ThreadCPUTime) < begun + 2_000_000 {
            std::hint::spin_loop();
        }
        for _ in 0..BATCH {
            slowdown.pay();
        }
        // Other tests' threads count, too, so this is a lower bound.
        assert!(now_ns(ClockId::ThreadCPUTime) >= begun + 3_000_000);
    }

    #[test]
    fn nothing_is_burnt_by_default() {
        let slowdown = Slowdown::default();
        slowdown.pay();
        assert_eq!(slowdown.settled.load(Ordering::Relaxed), 0);
    }
}
