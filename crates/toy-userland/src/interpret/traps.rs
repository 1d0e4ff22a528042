//! Runs the actions that `trap` sets, POSIX XCU 2.15.

use futures::future::BoxFuture;

use super::interpreter::Interpreter;
use crate::outcome::Unwind;

impl Interpreter {
    /// Runs the actions of the trapped signals that have arrived. If a signal has arrived that
    /// ends the process, nothing more happens in it.
    ///
    /// # Errors
    /// The outcome of an action, such as the end of the shell.
    pub(super) fn run_traps(&mut self) -> BoxFuture<'_, Result<(), Unwind>> {
        Box::pin(async move {
            if self.signals.ending().is_some() {
                // The owner of this future waits for the signal, too, and drops the future.
                return std::future::pending().await;
            }
            if self.in_trap {
                return Ok(());
            }
            while let Some(signal) = self.signals.take_trapped() {
                if let Some(action) = self.traps.get(&signal).cloned() {
                    self.run_trap(&action).await?;
                }
            }
            Ok(())
        })
    }

    /// Runs one action, and restores `$?` afterwards.
    pub(super) async fn run_trap(&mut self, action: &str) -> Result<(), Unwind> {
        let status = self.status;
        let list = self.parse(action).await?;
        self.in_trap = true;
        let outcome = self.list(&list).await;
        self.in_trap = false;
        self.status = status;
        outcome.map(|_| ())
    }
}
