//! The thread that appends to log files: the disk may take its time.

use std::io::Write;
use std::time::{Duration, Instant};

use containerd_sandbox::Result;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;
use tracing::warn;

use super::console::Log;
use crate::simulate::logs;

/// How many writes wait for the disk before their writers have to.
const WAITING_WRITES: usize = 1024;
/// How often a failure, which may be that of every write, is logged.
const PAUSE: Duration = Duration::from_secs(5);

/// Lines for a log.
pub(super) struct Chunk {
    pub(super) log: Log,
    pub(super) lines: Vec<u8>,
}

/// Appends to logs, one after the other.
#[derive(Debug, Clone)]
pub(super) struct Appender(mpsc::Sender<Chunk>);

impl Appender {
    /// Starts the thread. It ends with its last handle.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub(super) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(WAITING_WRITES);
        std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || append_all(receiver))?;
        Ok(Self(sender))
    }

    pub(super) fn sender(&self) -> PollSender<Chunk> {
        PollSender::new(self.0.clone())
    }

    /// Appends, unless too much is waiting.
    pub(super) fn try_append(&self, chunk: Chunk) {
        // A log that is too slow misses lines rather than holding up what writes them.
        let _ = self.0.try_send(chunk);
    }
}

fn append_all(mut chunks: mpsc::Receiver<Chunk>) {
    let mut told: Option<Instant> = None;
    while let Some(chunk) = chunks.blocking_recv() {
        if let Err(e) = append(&chunk)
            && told.is_none_or(|at| at.elapsed() > PAUSE)
        {
            warn!("lines of a log are lost: {e}");
            told = Some(Instant::now());
        }
    }
}

fn append(chunk: &Chunk) -> Result<()> {
    let Log { directory, path } = &chunk.log;
    if let Some(mut file) = logs::open(directory, path)? {
        file.write_all(&chunk.lines).map_err(|e| {
            let at = logs::shown(directory, path);
            containerd_sandbox::Error::unavailable(format!("log {at:?}: {e}"))
        })?;
    }
    Ok(())
}
