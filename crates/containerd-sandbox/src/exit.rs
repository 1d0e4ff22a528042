//! The end of a sandbox or process, and the signal that passes it to waiters.

use std::sync::OnceLock;
use std::time::SystemTime;

use threads::Notify;

/// End of a sandbox or process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Exit code; 128 + n for an end by signal n.
    pub code: u32,
    /// Time of the end.
    pub at: SystemTime,
}

/// A one-shot broadcast of an [`Exit`]. A waiter costs no more than its future.
#[derive(Debug, Default)]
pub struct ExitSignal {
    exit: OnceLock<Exit>,
    fired: Notify,
}

impl ExitSignal {
    /// Wakes all present waiters with this end and lets later ones return at once. Only the first
    /// call has an effect.
    pub fn fire(&self, exit: Exit) {
        if self.exit.set(exit).is_ok() {
            self.fired.notify_waiters();
        }
    }

    /// Returns the end, if it has come.
    pub fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }

    /// Waits for the end. Returns at once if it has come.
    pub async fn wait(&self) -> Exit {
        loop {
            // The waiter registers before the check, or it would miss a fire in between.
            let fired = self.fired.notified();
            if let Some(exit) = self.exit() {
                return exit;
            }
            fired.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn exit(code: u32) -> Exit {
        Exit {
            code,
            at: SystemTime::UNIX_EPOCH,
        }
    }

    #[tokio::test]
    async fn a_thousand_waiters_see_the_one_end() {
        let signal = Arc::new(ExitSignal::default());
        let waiters: Vec<_> = (0..1000)
            .map(|_| {
                let signal = Arc::clone(&signal);
                tokio::spawn(async move { signal.wait().await })
            })
            .collect();
        tokio::task::yield_now().await;
        signal.fire(exit(137));
        for waiter in waiters {
            assert_eq!(waiter.await.unwrap().code, 137);
        }
    }

    #[tokio::test]
    async fn waiting_after_the_end_returns_at_once_and_the_first_end_counts() {
        let signal = ExitSignal::default();
        signal.fire(exit(1));
        signal.fire(exit(2));
        assert_eq!(signal.wait().await.code, 1);
    }
}
