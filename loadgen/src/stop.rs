//! Requests to stop: the first finishes pods under way, the second drops them.

use std::io;
use std::sync::Arc;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Failure to listen for signals.
#[derive(Debug, thiserror::Error)]
#[error("listen for signals")]
pub struct SignalError(#[from] io::Error);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Request {
    Nothing,
    Finish,
    Abort,
}

/// Request to stop, shared between its clones.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Request>>);

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Returns a handle without a request.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Request::Nothing)))
    }

    /// Installs a listener for SIGINT, SIGTERM, SIGHUP and SIGQUIT. Each signal
    /// counts as one [`request`](Self::request), followed by a call of `told` on a
    /// thread of its own.
    ///
    /// # Errors
    /// If the listener cannot be installed.
    pub fn on_signals(told: impl Fn(&Self) + Send + 'static) -> Result<Self, SignalError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let mut signals = {
            let _context = runtime.enter();
            // A write beyond the limit of file sizes (RLIMIT_FSIZE) then fails with EFBIG, and
            // the measurements until then are saved or printed. The runtime never removes a
            // handler.
            drop(signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?);
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

    /// Requests a stop: the first call asks to finish work under way, every further
    /// call to drop it.
    pub fn request(&self) {
        self.0.send_modify(|request| {
            *request = match request {
                Request::Nothing => Request::Finish,
                Request::Finish | Request::Abort => Request::Abort,
            }
        });
    }

    /// Returns whether no new work may begin.
    pub fn requested(&self) -> bool {
        *self.0.borrow() >= Request::Finish
    }

    /// Returns whether work under way is to be dropped.
    pub fn aborted(&self) -> bool {
        *self.0.borrow() == Request::Abort
    }

    /// Waits until no new work may begin.
    pub async fn request_made(&self) {
        self.at_least(Request::Finish).await;
    }

    /// Waits until work under way is to be dropped.
    pub async fn abort(&self) {
        self.at_least(Request::Abort).await;
    }

    async fn at_least(&self, least: Request) {
        // Cannot fail: `self` keeps the sender alive.
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
