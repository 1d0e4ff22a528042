//! Progress of long work, as one line on a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time between two drawings. Shorter work shows nothing.
const PERIOD: Duration = Duration::from_secs(1);

/// One part of the work. Dropping it ends the part and removes its line.
#[derive(Debug, Default)]
pub struct Phase {
    shown: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Phase {
    /// Begins a part of the work, such as `placing 3,000 pods`. If standard error is a terminal that
    /// can move its cursor, a line shows the part and its seconds from the first second on.
    pub fn begin(what: String) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if is_dumb || !io::stderr().is_terminal() {
            return Self::default();
        }
        let (stop, stopped) = mpsc::channel();
        let draw = move || {
            let mut seconds = 0;
            while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
                seconds += 1;
                // A line that standard error does not take is lost.
                let _ = write!(io::stderr(), "\r\x1b[K{what}: {seconds} s");
            }
            if seconds > 0 {
                let _ = write!(io::stderr(), "\r\x1b[K");
            }
        };
        // Without a thread there is no line.
        let thread = thread::Builder::new().name("progress".into()).spawn(draw);
        Self {
            shown: thread.ok().map(|thread| (stop, thread)),
        }
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.shown.take() {
            drop(stop);
            // The thread cannot panic, and there is nothing to do if it had.
            let _ = thread.join();
        }
    }
}
