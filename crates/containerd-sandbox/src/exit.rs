//! How the end of a sandbox or process reaches those who wait for it.

use std::sync::OnceLock;
use std::time::SystemTime;

use threads::Notify;

/// How and when a sandbox or process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The exit code; 128 + signal for a signal.
    pub code: u32,
    /// When.
    pub at: SystemTime,
}

/// Fires once and stays fired. A blocked waiter costs its future only.
#[derive(Debug, Default)]
pub struct ExitSignal {
    exit: OnceLock<Exit>,
    fired: Notify,
}

impl ExitSignal {
    /// Lets every present and future waiter go. The first call counts.
    pub fn fire(&self, exit: Exit) {
        if self.exit.set(exit).is_ok() {
            self.fired.notify_waiters();
        }
    }

    /// The end, if it has come.
    pub fn exit(&self) -> Option<Exit> {
        self.exit.get().copied()
    }

    /// Waits for the end; at once if it has come.
    pub async fn wait(&self) -> Exit {
        loop {
            // Registered before the check, or a fire in between is missed.
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
