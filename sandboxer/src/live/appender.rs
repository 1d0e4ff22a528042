//! The thread that appends to log files, because the disk may take its time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;
use tracing::warn;

use super::log_root::LogRoot;
use super::logs;

/// Number of writes that wait for the disk before their writers have to wait.
const WAITING_WRITES: usize = 1024;
/// Longest time that the end of a container waits for its log.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);
/// Shortest time between two log messages about failed writes.
const PAUSE: Duration = Duration::from_secs(5);

/// Log file, by its pod's directory and its path in it.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) directory: Arc<str>,
    pub(super) path: Arc<str>,
}

/// Lines for a log.
pub(super) struct Chunk {
    pub(super) log: Log,
    pub(super) lines: Vec<u8>,
}

/// Request to the thread.
pub(super) enum Request {
    Append(Chunk),
    /// Reports that all earlier requests are done.
    Tell(oneshot::Sender<()>),
}

/// Appends to logs, one write after the other.
#[derive(Debug, Clone)]
pub(super) struct Appender {
    requests: mpsc::Sender<Request>,
    root: Arc<LogRoot>,
}

impl Appender {
    /// Starts the thread, which ends with the last handle.
    ///
    /// # Errors
    /// The system's error if it has no thread left.
    pub(super) fn start(root: LogRoot) -> std::io::Result<Self> {
        let (requests, receiver) = mpsc::channel(WAITING_WRITES);
        let root = Arc::new(root);
        let appender = Self {
            requests,
            root: Arc::clone(&root),
        };
        std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || append_all(&root, receiver))?;
        Ok(appender)
    }

    /// Returns the directory below which alone logs are written.
    pub(super) fn root(&self) -> &LogRoot {
        &self.root
    }

    pub(super) fn sender(&self) -> PollSender<Request> {
        PollSender::new(self.requests.clone())
    }

    /// Waits until everything appended so far is in the files, or [`FLUSH_LIMIT`] is over.
    pub(super) async fn flush(&self) {
        let (sender, told) = oneshot::channel();
        let flushed = async {
            if self.requests.send(Request::Tell(sender)).await.is_ok() {
                let _ = told.await;
            }
        };
        let _ = tokio::time::timeout(FLUSH_LIMIT, flushed).await;
    }
}

fn append_all(root: &LogRoot, mut requests: mpsc::Receiver<Request>) {
    let mut told: Option<Instant> = None;
    while let Some(request) = requests.blocking_recv() {
        let chunk = match request {
            Request::Append(chunk) => chunk,
            Request::Tell(sender) => {
                // The caller may have given up.
                let _ = sender.send(());
                continue;
            }
        };
        let Log { directory, path } = &chunk.log;
        if let Err(e) = logs::append(root, directory, path, &chunk.lines)
            && told.is_none_or(|at| at.elapsed() > PAUSE)
        {
            warn!("lines of a log are lost: {e}");
            told = Some(Instant::now());
        }
    }
}
