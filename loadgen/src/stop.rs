//! Being asked to stop: once to finish cleanly, twice to drop everything.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Signals cannot be caught.
#[derive(Debug, thiserror::Error)]
#[error("listen for signals")]
pub struct SignalError(#[from] io::Error);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Request {
    Nothing,
    Finish,
    Abort,
}

/// Whether somebody asked to stop; clones share the answer.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Request>>);

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Request::Nothing)))
    }

    /// Asks to stop on SIGINT, SIGTERM, SIGHUP and SIGQUIT, from now on, and
    /// calls `told` after each, on a thread of its own.
    ///
    /// # Errors
    /// If the signals cannot be listened for.
    pub fn on_signals(told: impl Fn(&Self) + Send + 'static) -> Result<Self, SignalError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let mut signals = {
            let _context = runtime.enter();
            [
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
                signal(SignalKind::quit())?,
            ]
        };
        let stop = Self::new();
        let asked = stop.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    loop {
                        futures::future::select_all(
                            signals.iter_mut().map(|signal| Box::pin(signal.recv())),
                        )
                        .await;
                        asked.request();
                        told(&asked);
                    }
                });
            })?;
        Ok(stop)
    }

    /// Asks to stop: the first time to finish what is begun, then to drop it.
    pub fn request(&self) {
        self.0.send_modify(|request| {
            *request = match request {
                Request::Nothing => Request::Finish,
                Request::Finish | Request::Abort => Request::Abort,
            }
        });
    }

    /// Whether nothing new is to be begun.
    pub fn requested(&self) -> bool {
        *self.0.borrow() >= Request::Finish
    }

    /// Whether everything is to be dropped.
    pub fn aborted(&self) -> bool {
        *self.0.borrow() == Request::Abort
    }

    /// Returns once nothing new is to be begun.
    pub async fn request_made(&self) {
        self.at_least(Request::Finish).await;
    }

    /// Returns once everything is to be dropped.
    pub async fn abort(&self) {
        self.at_least(Request::Abort).await;
    }

    async fn at_least(&self, least: Request) {
        // It cannot fail: `self` keeps the sender alive.
        let _ = self
            .0
            .subscribe()
            .wait_for(|request| *request >= least)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_request_finishes_and_the_second_aborts() {
        let stop = Stop::new();
        assert!(!stop.requested());
        stop.request();
        stop.request_made().await;
        assert!(stop.requested() && !stop.aborted());
        stop.clone().request();
        assert!(stop.aborted());
        stop.abort().await;
    }
}
