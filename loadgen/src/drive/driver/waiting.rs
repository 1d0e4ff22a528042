//! Wait calls that stay pending while other calls are made.

use containerd_sandbox::{Error, Result};
use tokio::task::JoinHandle;

/// A pending Wait call on an async task of its own. A call that is not polled would delay
/// the other calls on its connection. Dropping this value cancels the call.
#[derive(Debug)]
pub struct Waiting {
    task: JoinHandle<Result<u32>>,
    /// Reply, if [`Waiting::answered`] has received it.
    answer: Option<Result<u32>>,
}

impl Waiting {
    /// Begins a Wait call. The request is sent when the caller next yields to other
    /// tasks.
    pub(super) fn begin(wait: impl Future<Output = Result<u32>> + 'static) -> Self {
        Self {
            task: tokio::task::spawn_local(wait),
            answer: None,
        }
    }

    /// Returns whether the reply has arrived.
    pub(super) fn is_answered(&self) -> bool {
        self.answer.is_some() || self.task.is_finished()
    }

    /// Returns when the reply has arrived. The future may be dropped and requested again.
    pub(super) async fn answered(&mut self) {
        if self.answer.is_none() {
            self.answer = Some(joined(&mut self.task).await);
        }
    }

    /// Returns the reply: an exit status.
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
