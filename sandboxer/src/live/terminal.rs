//! Terminals of processes: the bytes between the terminal in memory and its user.

use std::time::Duration;

use terminal::{Manager, Size};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, copy, split};
use tokio::task::JoinHandle;

/// Time for which the end of a process waits for the user to read what the terminal shows.
const DRAIN: Duration = Duration::from_secs(5);

/// Returns the size of a terminal's window; a number that is too large is not known.
pub(crate) fn size(width: u32, height: u32) -> Size {
    let number = |number| u16::try_from(number).unwrap_or(0);
    Size {
        columns: number(width),
        rows: number(height),
    }
}

/// Types what comes from `from`, and ends the terminal's input with it if `is_end`. Never ends.
async fn type_all(
    mut from: impl AsyncRead + Unpin,
    mut keyboard: WriteHalf<Manager>,
    is_end: bool,
) -> std::convert::Infallible {
    // A user who cannot be read any more types no more.
    let _ = copy(&mut from, &mut keyboard).await;
    if is_end {
        let _ = keyboard.shutdown().await;
    }
    // Dropping the keyboard is harmless, because the other half keeps the terminal.
    std::future::pending().await
}

async fn show_all(mut screen: ReadHalf<Manager>, mut to: impl AsyncWrite + Unpin) {
    // A user who cannot be written to sees no more.
    let _ = copy(&mut screen, &mut to).await;
    let _ = to.shutdown().await;
}

/// Carries bytes both ways until the processes have closed the terminal and all that it showed is
/// written. The end of what is typed is the end of the terminal's input.
pub(crate) async fn carry(
    manager: Manager,
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
) {
    let (screen, keyboard) = split(manager);
    tokio::select! {
        never = type_all(from, keyboard, true) => match never {},
        () = show_all(screen, to) => {}
    }
}

/// A task that shows what a terminal writes.
pub(super) struct Screen(JoinHandle<()>);

impl Screen {
    /// Starts to carry bytes both ways, until the terminal is closed. The end of what is typed
    /// changes nothing: a FIFO may be opened anew.
    pub(super) fn start(
        manager: Manager,
        from: impl AsyncRead + Send + Unpin + 'static,
        to: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        let (screen, keyboard) = split(manager);
        Self(tokio::spawn(async move {
            tokio::select! {
                never = type_all(from, keyboard, false) => match never {},
                () = show_all(screen, to) => {}
            }
        }))
    }

    /// Starts to show what a terminal writes, until it is closed.
    pub(super) fn of(
        screen: ReadHalf<Manager>,
        to: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        Self(tokio::spawn(show_all(screen, to)))
    }

    /// Waits until all that the terminal showed is written, for a bounded time.
    pub(super) async fn drained(mut self) {
        // A reader that does not read keeps no process from its end.
        let _ = tokio::time::timeout(DRAIN, &mut self.0).await;
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.0.abort();
    }
}
