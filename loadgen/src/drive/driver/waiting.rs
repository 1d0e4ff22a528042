//! Wait calls that stay pending while other calls are made.

use std::time::Instant;

use containerd_sandbox::{Error, Result};
use tokio::task::JoinHandle;

use crate::drive::calls::Abandoned;

/// A pending Wait call on an async task of its own. A call that is not polled would delay
/// the other calls on its connection. Dropping this value cancels the call, which then
/// counts as abandoned.
#[derive(Debug)]
pub struct Waiting {
    task: JoinHandle<(Result<u32>, Instant)>,
    begun: Instant,
    /// Reply and its time, once [`Waiting::answered`] has received it.
    answer: Option<(Result<u32>, Instant)>,
    taken: bool,
    abandoned: Abandoned,
}

impl Waiting {
    /// Begins a Wait call. The request is sent when the caller next yields to other
    /// tasks.
    pub(super) fn begin(
        wait: impl Future<Output = Result<u32>> + 'static,
        abandoned: Abandoned,
    ) -> Self {
        let wait = async { (wait.await, Instant::now()) };
        Self {
            task: tokio::task::spawn_local(wait),
            begun: Instant::now(),
            answer: None,
            taken: false,
            abandoned,
        }
    }

    /// Returns the time at which the call was begun.
    pub(super) fn begun(&self) -> Instant {
        self.begun
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

    /// Returns the reply, an exit status, with the time of its arrival. The caller records
    /// the call from now on, also if it drops this future.
    pub(super) async fn answer(&mut self) -> (Result<u32>, Instant) {
        self.taken = true;
        match self.answer.take() {
            Some(answer) => answer,
            None => joined(&mut self.task).await,
        }
    }
}

async fn joined(task: &mut JoinHandle<(Result<u32>, Instant)>) -> (Result<u32>, Instant) {
    task.await.unwrap_or_else(|e| {
        let error = Error::internal(format!("the Wait's task: {e}"));
        (Err(error), Instant::now())
    })
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.task.abort();
        if !self.taken {
            self.abandoned.count();
        }
    }
}
