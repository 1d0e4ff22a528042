//! Where a container of CRI's door writes to and reads from: its log, and whoever is
//! attached to it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use parking_lot::Mutex;
use tokio::io::{AsyncWrite, DuplexStream, duplex};
use tokio::sync::broadcast;
use tokio_util::sync::PollSender;

use super::appender::{Appender, Chunk, Request};
use crate::simulate::logs;
use slot::Timestamp;

/// How much is written at once, in bytes.
const MAX_WRITE: usize = 32 << 10;
/// How many writes wait for whoever is attached; one that is slower misses some.
const WATCHED_WRITES: usize = 64;
/// What standard input holds before its writer has to wait, in bytes, as a pipe.
const STDIN_BYTES: usize = 64 << 10;

/// Which of the two outputs.
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

/// A log file, by its pod's directory and its path there.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) directory: Arc<str>,
    pub(super) path: Arc<str>,
}

/// What was written, and where.
pub(crate) type Written = (Output, Arc<[u8]>);

/// A container's log, those who are attached to it, and its standard input.
#[derive(Debug)]
pub(super) struct Console {
    log: Option<(Log, Appender)>,
    watchers: broadcast::Sender<Written>,
    /// Taken by whoever is attached with standard input.
    stdin: Mutex<Option<DuplexStream>>,
}

impl Console {
    /// A console, and the container's end of its standard input.
    pub(super) fn new(log: Option<(Log, Appender)>) -> (Self, DuplexStream) {
        let (stdin, read) = duplex(STDIN_BYTES);
        let console = Self {
            log,
            watchers: broadcast::Sender::new(WATCHED_WRITES),
            stdin: Mutex::new(Some(stdin)),
        };
        (console, read)
    }

    pub(super) fn watch(&self) -> broadcast::Receiver<Written> {
        self.watchers.subscribe()
    }

    /// Standard input, unless somebody else has it.
    pub(super) fn take_stdin(&self) -> Option<DuplexStream> {
        self.stdin.lock().take()
    }

    /// For whoever is attached next.
    pub(super) fn give_back_stdin(&self, stdin: DuplexStream) {
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

    /// Writes whole lines, or drops them if the log is behind.
    pub(super) fn try_write(&self, output: Output, text: &[u8]) {
        if let Some((log, appender)) = &self.log {
            appender.try_append(chunk(log, output, text));
        }
        self.show(output, text);
    }

    /// Waits until all that was written is in the log.
    pub(super) async fn flush(&self) {
        if let Some((_, appender)) = &self.log {
            appender.flush().await;
        }
    }

    fn show(&self, output: Output, text: &[u8]) {
        if self.watchers.receiver_count() > 0 {
            // They may be gone by now.
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

/// Writes to a console. What the log cannot take yet has to wait.
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
            // Without whoever appends there is no log any more.
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
