//! Drain: admits requests that change something until the sandboxer stops, and waits for
//! those under way.

use std::time::Duration;

use containerd_sandbox::{Error, Result};
use tokio::sync::watch;

use super::slowdown::Slowdown;

#[derive(Debug, Clone, Copy, Default)]
struct State {
    closed: bool,
    under_way: usize,
}

/// Counts the admitted requests, and refuses new ones once closed.
#[derive(Debug, Default)]
pub(super) struct Drain {
    state: watch::Sender<State>,
    slowdown: Slowdown,
}

/// An admitted request; dropping it marks the request as ended.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a Drain);

impl Drain {
    /// Returns an open drain, which slows admitted requests down.
    pub(super) fn new(slowdown: Slowdown) -> Self {
        Self {
            state: watch::Sender::default(),
            slowdown,
        }
    }

    /// Admits a request.
    ///
    /// # Errors
    /// `Unavailable` once closed.
    pub(super) fn enter(&self) -> Result<Pass<'_>> {
        let entered = self.state.send_if_modified(|state| {
            state.under_way += usize::from(!state.closed);
            !state.closed
        });
        if entered {
            Ok(Pass(self))
        } else {
            Err(Error::unavailable("the sandboxer is stopping"))
        }
    }

    /// Refuses requests from now on, and waits until the admitted ones have ended. Returns
    /// whether they did within `patience`.
    pub(super) async fn close(&self, patience: Duration) -> bool {
        self.state.send_modify(|state| state.closed = true);
        let mut state = self.state.subscribe();
        let emptied = state.wait_for(|state| state.under_way == 0);
        tokio::time::timeout(patience, emptied).await.is_ok()
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.slowdown.pay();
        self.0.state.send_modify(|state| state.under_way -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    const PATIENCE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn closing_waits_for_admitted_requests_and_refuses_others() {
        let drain = Drain::default();
        let pass = drain.enter().unwrap();
        assert!(!drain.close(PATIENCE).await);
        assert_eq!(drain.enter().unwrap_err().code(), Code::Unavailable);
        drop(pass);
        assert!(drain.close(PATIENCE).await);
    }
}
