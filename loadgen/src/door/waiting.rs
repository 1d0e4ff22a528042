//! Waits that stay pending while other calls are made.

use containerd_sandbox::{Error, Result};
use tokio::task::JoinHandle;

/// A Wait under way, on a task of its own: a call that nobody polls would hold
/// up the others on its connection. Dropping it drops the call.
#[derive(Debug)]
pub struct Waiting(JoinHandle<Result<u32>>);

impl Waiting {
    /// Begins to wait; the request is sent as soon as others take their turn.
    pub(super) fn begin(wait: impl Future<Output = Result<u32>> + 'static) -> Self {
        Self(tokio::task::spawn_local(wait))
    }

    /// Whether the answer is there.
    pub(super) fn is_answered(&self) -> bool {
        self.0.is_finished()
    }

    /// The answer: an exit status.
    pub(super) async fn answer(&mut self) -> Result<u32> {
        (&mut self.0)
            .await
            .unwrap_or_else(|e| Err(Error::internal(format!("the Wait's task: {e}"))))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.abort();
    }
}
