//! Consoles of the CRI API's containers: the log, attached clients, and standard input.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use containerd_sandbox::Result;
use parking_lot::Mutex;
use tokio::io::{AsyncWrite, DuplexStream, duplex};
use tokio::sync::broadcast;
use tokio_util::sync::PollSender;

use super::appender::{Appender, Chunk, Log, Request};
use super::{logs, simulated_log};
use slot::Timestamp;
use terminal::Terminal;

/// Largest write in bytes.
const MAX_WRITE: usize = 32 << 10;
/// Number of writes that wait for an attached client; a slower client misses output.
const WATCHED_WRITES: usize = 64;
/// Buffer of standard input in bytes, the same as a pipe's; its writer waits while it is
/// full.
const STDIN_BYTES: usize = 64 << 10;

/// One of a container's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Output {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Output of a container: the stream and the text.
pub(crate) type Written = (Output, Arc<[u8]>);

/// Writer to a container's standard input, or to its terminal.
pub(super) type StdinWriter = Box<dyn AsyncWrite + Send + Unpin>;

/// Log, attached clients, and standard input of a container.
pub(super) struct Console {
    log: Option<(Log, Appender)>,
    watchers: broadcast::Sender<Written>,
    /// `None` while a client with standard input is attached.
    stdin: Mutex<Option<StdinWriter>>,
    terminal: Option<Terminal>,
}

impl Console {
    /// Returns a console, and the container's end of its standard input.
    pub(super) fn new(log: Option<(Log, Appender)>) -> (Self, DuplexStream) {
        let (stdin, read) = duplex(STDIN_BYTES);
        (Self::with(log, Box::new(stdin), None), read)
    }

    /// Returns the console of a container with a terminal, of which `keyboard` is the user's end.
    pub(super) fn on_terminal(
        log: Option<(Log, Appender)>,
        terminal: Terminal,
        keyboard: StdinWriter,
    ) -> Self {
        Self::with(log, keyboard, Some(terminal))
    }

    fn with(log: Option<(Log, Appender)>, stdin: StdinWriter, terminal: Option<Terminal>) -> Self {
        Self {
            log,
            watchers: broadcast::Sender::new(WATCHED_WRITES),
            stdin: Mutex::new(Some(stdin)),
            terminal,
        }
    }

    /// Returns the container's terminal, if it has one.
    pub(super) fn terminal(&self) -> Option<&Terminal> {
        self.terminal.as_ref()
    }

    pub(super) fn watch(&self) -> broadcast::Receiver<Written> {
        self.watchers.subscribe()
    }

    /// Takes standard input, unless another client has it.
    pub(super) fn take_stdin(&self) -> Option<StdinWriter> {
        self.stdin.lock().take()
    }

    /// Returns standard input for the next client.
    pub(super) fn give_back_stdin(&self, stdin: StdinWriter) {
        *self.stdin.lock() = Some(stdin);
    }

    pub(super) fn writer(self: &Arc<Self>, output: Output) -> ConsoleWriter {
        let log = self.log.as_ref();
        ConsoleWriter {
            console: Arc::clone(self),
            sender: log.map(|(_, appender)| appender.sender()),
            output,
        }
    }

    /// Writes whole lines at once, on a thread that may wait for the disk.
    ///
    /// # Errors
    /// As [`logs::append`].
    pub(super) fn write_now(&self, output: Output, text: &[u8]) -> Result<()> {
        self.show(output, text);
        match &self.log {
            Some((log, appender)) => {
                let lines = chunk(log, output, text).lines;
                logs::append(appender.root(), &log.directory, &log.path, &lines)
            }
            None => Ok(()),
        }
    }

    /// Returns the number of the last simulated line in the log, if there is one.
    pub(super) fn last_simulated_line(&self) -> Option<u64> {
        let (log, appender) = self.log.as_ref()?;
        let (directory, path) = (&log.directory, &log.path);
        logs::last(appender.root(), directory, path, simulated_log::number_of)
    }

    /// Waits until everything written so far is in the log.
    pub(super) async fn flush(&self) {
        if let Some((_, appender)) = &self.log {
            appender.flush().await;
        }
    }

    fn show(&self, output: Output, text: &[u8]) {
        if self.watchers.receiver_count() > 0 {
            // The clients may be gone by now.
            let _ = self.watchers.send((output, text.into()));
        }
    }
}

fn chunk(log: &Log, output: Output, text: &[u8]) -> Chunk {
    let mut lines = Vec::with_capacity(text.len() + 64);
    logs::add(&mut lines, Timestamp::now(), output.name(), text, false);
    Chunk {
        log: log.clone(),
        lines,
    }
}

/// Writes to a console, and waits while the log cannot take more.
pub(super) struct ConsoleWriter {
    console: Arc<Console>,
    sender: Option<PollSender<Request>>,
    output: Output,
}

impl AsyncWrite for ConsoleWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let text = &buffer[..buffer.len().min(MAX_WRITE)];
        if let (Some((log, _)), Some(sender)) = (&this.console.log, &mut this.sender) {
            // Without the appender's thread there is no log any more.
            if ready!(sender.poll_reserve(context)).is_ok() {
                let _ = sender.send_item(Request::Append(chunk(log, this.output, text)));
            }
        }
        this.console.show(this.output, text);
        Poll::Ready(Ok(text.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
