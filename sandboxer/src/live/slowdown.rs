//! Makes the sandboxer slower on purpose, to test what is to notice it.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

/// Burns CPU time in proportion to what the process uses.
///
/// What is due since the last time is burnt at the end of every eighth request that
/// changes something, before its reply, so that latencies grow, too. All work of the process
/// counts, on every thread: sockets, decoding, the journal and the views.
#[derive(Debug, Default)]
pub(super) struct Slowdown {
    percent: u32,
    /// What was burnt, and what the process had used at the beginning, in nanoseconds.
    settled: AtomicU64,
    calls: AtomicU64,
}

/// How many requests pay together.
const BATCH: u64 = 8;

impl Slowdown {
    /// So many percent on top of what the process uses from now on.
    pub(super) fn new(percent: u32) -> Self {
        Self {
            percent,
            settled: AtomicU64::new(now_ns(ClockId::ProcessCPUTime)),
            calls: AtomicU64::new(0),
        }
    }

    /// Burns what is due.
    pub(super) fn pay(&self) {
        if self.percent == 0 {
            return;
        }
        // To ask what the process has used takes time of its own, so not each time.
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
        // What was burnt is not to be paid for in turn.
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
    fn what_is_due_is_burnt() {
        let slowdown = Slowdown::new(50);
        let begun = now_ns(ClockId::ThreadCPUTime);
        while now_ns(ClockId::ThreadCPUTime) < begun + 2_000_000 {
            std::hint::spin_loop();
        }
        for _ in 0..BATCH {
            slowdown.pay();
        }
        // Other tests' threads count, too: at least this.
        assert!(now_ns(ClockId::ThreadCPUTime) >= begun + 3_000_000);
    }

    #[test]
    fn nothing_is_burnt_by_default() {
        let slowdown = Slowdown::default();
        slowdown.pay();
        assert_eq!(slowdown.settled.load(Ordering::Relaxed), 0);
    }
}
