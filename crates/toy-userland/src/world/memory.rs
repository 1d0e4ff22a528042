//! The memory limit of a container. Commands use no real memory; a few tell how much they would.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Memory of a container.
#[derive(Debug)]
pub(super) struct Memory {
    /// Limit in bytes; `u64::MAX` for none.
    limit: AtomicU64,
    /// Whether a command wanted more.
    is_exceeded: watch::Sender<bool>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            limit: AtomicU64::new(u64::MAX),
            is_exceeded: watch::Sender::new(false),
        }
    }
}

impl Memory {
    pub(super) fn limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Returns whether a command may use so many bytes. If not, the container is out of memory.
    pub(super) fn admits(&self, bytes: u64) -> bool {
        let admitted = bytes <= self.limit.load(Ordering::Relaxed);
        if !admitted {
            self.is_exceeded.send_replace(true);
        }
        admitted
    }

    pub(super) fn is_exceeded(&self) -> bool {
        *self.is_exceeded.borrow()
    }

    /// Waits until the container is out of memory.
    pub(super) async fn exceeded(&self) {
        let mut is_exceeded = self.is_exceeded.subscribe();
        // The sender lives as long as this borrow, so the wait does not fail.
        let _ = is_exceeded.wait_for(|is_exceeded| *is_exceeded).await;
    }
}
