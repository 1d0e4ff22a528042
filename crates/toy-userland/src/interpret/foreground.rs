//! The shell that the signals of a terminal reach.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::world::Signal;

/// Interactive shells on one terminal, of which the innermost takes the signals: they end the
/// command that it runs, and not the shell.
#[derive(Debug, Default)]
pub(crate) struct Foreground {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Number of interactive shells, each started by the one before.
    depth: usize,
    /// The signal that the innermost of them has not taken.
    pending: Option<Signal>,
}

impl Foreground {
    /// Hands a signal to the innermost interactive shell. Returns false if there is none.
    pub(crate) fn deliver(&self, signal: Signal) -> bool {
        let mut state = self.state.lock();
        if state.depth == 0 {
            return false;
        }
        state.pending = Some(signal);
        self.changed.notify_waiters();
        true
    }

    /// Makes an interactive shell the innermost until the guard is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> Level {
        let mut state = self.state.lock();
        state.depth += 1;
        Level {
            depth: state.depth,
            foreground: Arc::clone(self),
        }
    }
}

/// Guard of an interactive shell.
pub(super) struct Level {
    depth: usize,
    foreground: Arc<Foreground>,
}

impl Level {
    /// Waits for a signal while the shell is the innermost, and takes it.
    pub(super) async fn interrupted(&self) -> Signal {
        loop {
            let changed = self.foreground.changed.notified();
            {
                let mut state = self.foreground.state.lock();
                if state.depth == self.depth
                    && let Some(signal) = state.pending.take()
                {
                    return signal;
                }
            }
            changed.await;
        }
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.foreground.state.lock().depth = self.depth - 1;
    }
}
