//! Faults of the null sandboxer, with which tests show that loadgen detects them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Faults to inject.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// Maximum number of sandboxes that are created per second; further ones wait. `None`
    /// means no limit.
    pub capacity: Option<f64>,
    /// Number of bytes of memory that are lost with each sandbox.
    pub leak: usize,
    /// Duration of each stall, in which the sandboxer does nothing.
    pub stall: Duration,
    /// Time from the beginning of one stall to that of the next.
    pub stall_every: Duration,
}

impl Faults {
    /// No fault.
    pub const NONE: Self = Self {
        capacity: None,
        leak: 0,
        stall: Duration::ZERO,
        stall_every: Duration::from_secs(5),
    };
}

/// Injects the faults into a running sandboxer.
#[derive(Debug)]
pub struct Faulty {
    faults: Faults,
    begun: Instant,
    /// Time at which the next sandbox may be created, in nanoseconds since the beginning.
    next_ns: AtomicU64,
}

impl Faulty {
    /// Begins with the faults at this moment.
    pub fn new(faults: Faults) -> Self {
        Self {
            faults,
            begun: Instant::now(),
            next_ns: AtomicU64::new(0),
        }
    }

    /// Delays the creation of a sandbox, and loses memory.
    pub async fn creating(&self) {
        if self.faults.leak > 0 {
            // The bytes are written, so that they are resident, and kept without a use.
            std::hint::black_box(Box::leak(vec![1_u8; self.faults.leak].into_boxed_slice()));
        }
        let Some(capacity) = self.faults.capacity else {
            return;
        };
        let now = since(self.begun);
        let each = since_of(Duration::from_secs_f64(1.0 / capacity));
        // One thread serves all calls, so no other call changes the value in between.
        let at = self.next_ns.load(Ordering::Relaxed).max(now);
        self.next_ns.store(at + each, Ordering::Relaxed);
        tokio::time::sleep_until(self.begun + Duration::from_nanos(at)).await;
    }

    /// Stalls the thread at regular times, without an end.
    pub async fn stall(&self) {
        if self.faults.stall.is_zero() {
            return std::future::pending().await;
        }
        let mut due = self.begun;
        loop {
            due += self.faults.stall_every;
            tokio::time::sleep_until(due).await;
            // Blocking the thread is intended: it delays every call.
            std::thread::sleep(self.faults.stall);
        }
    }
}

fn since(begun: Instant) -> u64 {
    since_of(begun.elapsed())
}

fn since_of(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
