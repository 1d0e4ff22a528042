//! Where commands read from and write to.

use std::io::Cursor;
use std::sync::Arc;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Mutex as AsyncMutex;

use crate::outcome::Unwind;
use crate::world::{Device, FileError, Kind, Node, Signal, World};

/// The most that is read at once, in bytes.
const CHUNK_BYTES: usize = 4096;

/// Something to read from.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// Something to write to. What is slow slows the commands down.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// The three streams that a process is started with.
pub struct Io {
    /// Descriptor 0.
    pub stdin: Reader,
    /// Descriptor 1.
    pub stdout: Writer,
    /// Descriptor 2.
    pub stderr: Writer,
}

/// What a command reads. Copies share the position.
#[derive(Clone)]
pub(crate) struct Input(Arc<AsyncMutex<BufReader<Reader>>>);

impl Input {
    pub(crate) fn new(reader: Reader) -> Self {
        let reader = BufReader::with_capacity(CHUNK_BYTES, reader);
        Self(Arc::new(AsyncMutex::new(reader)))
    }

    pub(crate) fn empty() -> Self {
        Self::new(Box::new(tokio::io::empty()))
    }

    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self::new(Box::new(Cursor::new(bytes)))
    }

    /// The content that a file has now.
    pub(crate) fn of_file(node: Node) -> Self {
        match node.kind {
            Kind::File(content) => Self::new(Box::new(Cursor::new(Shared(content)))),
            Kind::Device(Device::Zero | Device::Full) => Self::new(Box::new(tokio::io::repeat(0))),
            // Nobody may rely on its being random: it is the same every time.
            Kind::Device(Device::Random) => Self::new(Box::new(tokio::io::repeat(0x5a))),
            Kind::Device(Device::Null) | Kind::Directory | Kind::Program => Self::empty(),
        }
    }

    /// The next bytes, or none at the end. A failing reader has ended.
    pub(crate) async fn read(&self, at_most: usize) -> Vec<u8> {
        let mut bytes = vec![0; at_most.min(CHUNK_BYTES)];
        let read = self.0.lock().await.read(&mut bytes).await;
        bytes.truncate(read.unwrap_or(0));
        bytes
    }

    /// The next line with its end, or its first `at_most` bytes; none at the end.
    pub(crate) async fn read_line(&self, at_most: usize) -> Vec<u8> {
        let mut line = Vec::new();
        let limit = u64::try_from(at_most).unwrap_or(u64::MAX);
        let mut reader = self.0.lock().await;
        let _ = (&mut *reader)
            .take(limit)
            .read_until(b'\n', &mut line)
            .await;
        line
    }
}

/// A file's content as something that can be read.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Why something could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteError {
    /// Nobody reads it any more.
    Closed,
    File(FileError),
}

/// What a command writes to. Copies write one after the other to the same.
#[derive(Clone)]
pub(crate) enum Output {
    Stream(Arc<AsyncMutex<Writer>>),
    /// The end of a file.
    File {
        world: Arc<World>,
        path: Arc<str>,
    },
    /// The output of a command substitution: up to so many bytes.
    Captured(Arc<Mutex<Vec<u8>>>, usize),
    Nowhere,
}

impl Output {
    pub(crate) fn new(writer: Writer) -> Self {
        Self::Stream(Arc::new(AsyncMutex::new(writer)))
    }

    pub(crate) async fn write(&self, bytes: &[u8]) -> Result<(), WriteError> {
        match self {
            Self::Stream(writer) => {
                let mut writer = writer.lock().await;
                let written = writer.write_all(bytes).await;
                let flushed = match written {
                    Ok(()) => writer.flush().await,
                    Err(error) => Err(error),
                };
                flushed.map_err(|_| WriteError::Closed)
            }
            Self::File { world, path } => {
                let now = world.now();
                let appended = world.tree().append(path, bytes, now);
                appended.map_err(WriteError::File)
            }
            Self::Captured(captured, limit) => {
                let mut captured = captured.lock();
                if captured.len() + bytes.len() > *limit {
                    return Err(WriteError::Closed);
                }
                captured.extend_from_slice(bytes);
                Ok(())
            }
            Self::Nowhere => Ok(()),
        }
    }
}

/// The open descriptors of a process; there are no others.
#[derive(Clone)]
pub(crate) struct Descriptors {
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

impl Descriptors {
    /// Writes a message to standard error, with the name of the command that it is from. A
    /// message that cannot be written is lost: there is no other way to report it.
    ///
    /// The future is boxed, and so small: messages are rare, and the interpreter's recursive
    /// functions keep room for this future in each of their stack frames.
    pub(crate) fn complain(&self, name: &str, message: &str) -> BoxFuture<'_, ()> {
        let line = format!("{name}: {message}\n");
        Box::pin(async move {
            let _ = self.stderr.write(line.as_bytes()).await;
        })
    }

    /// Writes to standard output for the command of this name.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub(crate) async fn print(&self, name: &str, bytes: &[u8]) -> Result<(), Unwind> {
        let written = self.stdout.write(bytes).await;
        self.check(name, written).await
    }

    /// Reports the failure of a write by the command of this name.
    ///
    /// # Errors
    /// The end of the shell, as by SIGPIPE, if the reader is gone; the failure of the
    /// command, after a message, if the file refuses the bytes.
    pub(crate) async fn check(
        &self,
        name: &str,
        written: Result<(), WriteError>,
    ) -> Result<(), Unwind> {
        match written {
            Ok(()) => Ok(()),
            Err(WriteError::Closed) => Err(Unwind::Exit(Signal::PIPE.exit_code())),
            Err(WriteError::File(error)) => {
                self.complain(name, &format!("write error: {error}")).await;
                Err(Unwind::Failed(1))
            }
        }
    }
}

impl From<Io> for Descriptors {
    fn from(io: Io) -> Self {
        Self {
            stdin: Input::new(io.stdin),
            stdout: Output::new(io.stdout),
            stderr: Output::new(io.stderr),
        }
    }
}
