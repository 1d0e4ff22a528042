//! Waits that stay pending while other calls are made.

use containerd_sandbox::{Error, Result};
use tokio::task::JoinHandle;

/// A Wait under way, on a task of its own: a call that nobody polls would hold
/// up the others on its connection. Dropping it drops the call.
#[derive(Debug)]
pub struct Waiting {
    task: JoinHandle<Result<u32>>,
    /// The answer, if somebody saw it come.
    answer: Option<Result<u32>>,
}

impl Waiting {
    /// Begins to wait; the request is sent as soon as others take their turn.
    pub(super) fn begin(wait: impl Future<Output = Result<u32>> + 'static) -> Self {
        Self {
            task: tokio::task::spawn_local(wait),
            answer: None,
        }
    }

    /// Whether the answer is there.
    pub(super) fn is_answered(&self) -> bool {
        self.answer.is_some() || self.task.is_finished()
    }

    /// Returns when the answer is there. May be dropped and called again.
    pub(super) async fn answered(&mut self) {
        if self.answer.is_none() {
            self.answer = Some(joined(&mut self.task).await);
        }
    }

    /// The answer: an exit status.
    pub(super) async fn answer(&mut self) -> Result<u32> {
        match self.answer.take() {
            Some(answer) => answer,
            None => joined(&mut self.task).await,
        }
    }
}

async fn joined(task: &mut JoinHandle<Result<u32>>) -> Result<u32> {
    task.await
        .unwrap_or_else(|e| Err(Error::internal(format!("the Wait's task: {e}"))))
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.task.abort();
    }
}
