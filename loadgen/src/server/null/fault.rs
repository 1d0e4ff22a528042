//! What is wrong with a sandboxer that does nothing, so that it can be shown
//! that the load generator finds it. Nobody else has a use for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    /// So many sandboxes a second are created at most; the others wait.
    pub capacity: Option<f64>,
    /// So many bytes are lost with each sandbox.
    pub leak: usize,
    /// Nothing at all happens for so long.
    pub stall: Duration,
    /// How often that is, from the beginning of one stall to that of the next.
    pub stall_every: Duration,
}

impl Faults {
    /// Nothing is.
    pub const NONE: Self = Self {
        capacity: None,
        leak: 0,
        stall: Duration::ZERO,
        stall_every: Duration::from_secs(5),
    };
}

/// What is wrong, at work.
#[derive(Debug)]
pub struct Faulty {
    faults: Faults,
    begun: Instant,
    /// When the next sandbox may be created, in nanoseconds since the beginning.
    next_ns: AtomicU64,
}

impl Faulty {
    /// From now on.
    pub fn new(faults: Faults) -> Self {
        Self {
            faults,
            begun: Instant::now(),
            next_ns: AtomicU64::new(0),
        }
    }

    /// What comes before a sandbox is created.
    pub async fn creating(&self) {
        if self.faults.leak > 0 {
            // Touched, so that it is resident; and kept, though nobody reads it.
            std::hint::black_box(Box::leak(vec![1_u8; self.faults.leak].into_boxed_slice()));
        }
        let Some(capacity) = self.faults.capacity else {
            return;
        };
        let now = since(self.begun);
        let each = since_of(Duration::from_secs_f64(1.0 / capacity));
        // One thread serves, so nobody comes in between.
        let at = self.next_ns.load(Ordering::Relaxed).max(now);
        self.next_ns.store(at + each, Ordering::Relaxed);
        tokio::time::sleep_until(self.begun + Duration::from_nanos(at)).await;
    }

    /// Stalls the thread now and then, for ever.
    pub async fn stall(&self) {
        if self.faults.stall.is_zero() {
            return std::future::pending().await;
        }
        let mut due = self.begun;
        loop {
            due += self.faults.stall_every;
            tokio::time::sleep_until(due).await;
            // The thread, on purpose: everything waits.
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
