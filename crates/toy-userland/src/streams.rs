//! Standard input, output and error of the commands.

use std::io::Cursor;
use std::sync::Arc;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use terminal::Terminal;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Mutex as AsyncMutex;

use crate::outcome::Unwind;
use crate::world::{Device, FileError, Node, NodeKind, Signal, World};

/// Most bytes that are read at once.
const CHUNK_BYTES: usize = 4096;

/// Source of a process's standard input.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// Destination of a process's standard output or error. A command waits for a slow one.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// The three streams of a process.
pub struct Io {
    /// Standard input, descriptor 0.
    pub stdin: Reader,
    /// Standard output, descriptor 1.
    pub stdout: Writer,
    /// Standard error, descriptor 2.
    pub stderr: Writer,
}

/// An open stream or file to read from. Clones share the position.
#[derive(Clone)]
pub(crate) struct Input {
    reader: Arc<AsyncMutex<BufReader<Reader>>>,
    terminal: Option<Terminal>,
}

impl Input {
    pub(crate) fn new(reader: Reader) -> Self {
        let reader = BufReader::with_capacity(CHUNK_BYTES, reader);
        Self {
            reader: Arc::new(AsyncMutex::new(reader)),
            terminal: None,
        }
    }

    /// Returns the terminal that is read from, if it is one.
    pub(crate) fn terminal(&self) -> Option<&Terminal> {
        self.terminal.as_ref()
    }

    pub(crate) fn empty() -> Self {
        Self::new(Box::new(tokio::io::empty()))
    }

    pub(crate) fn of_bytes(bytes: Vec<u8>) -> Self {
        Self::new(Box::new(Cursor::new(bytes)))
    }

    /// Opens a node of the file tree. A later change of the file is not seen.
    pub(crate) fn of_file(node: Node) -> Self {
        match node.kind {
            NodeKind::File(content) => Self::new(Box::new(Cursor::new(Shared(content)))),
            NodeKind::Device(Device::Zero | Device::Full) => {
                Self::new(Box::new(tokio::io::repeat(0)))
            }
            // Constant on purpose: a simulation gives the same output each time.
            NodeKind::Device(Device::Random) => Self::new(Box::new(tokio::io::repeat(0x5a))),
            NodeKind::Device(Device::Null)
            | NodeKind::Directory
            | NodeKind::Unread(_)
            | NodeKind::Special(_)
            | NodeKind::Program => Self::empty(),
        }
    }

    /// Reads some bytes, up to `at_most`. No bytes mean the end; a read error counts as the end.
    pub(crate) async fn read(&self, at_most: usize) -> Vec<u8> {
        let mut bytes = vec![0; at_most.min(CHUNK_BYTES)];
        let read = self.reader.lock().await.read(&mut bytes).await;
        bytes.truncate(read.unwrap_or(0));
        bytes
    }

    /// Reads a line with its newline, or the first `at_most` bytes of a longer one. No bytes
    /// mean the end.
    pub(crate) async fn read_line(&self, at_most: usize) -> Vec<u8> {
        let mut line = Vec::new();
        let limit = u64::try_from(at_most).unwrap_or(u64::MAX);
        let mut reader = self.reader.lock().await;
        let _ = (&mut *reader)
            .take(limit)
            .read_until(b'\n', &mut line)
            .await;
        line
    }
}

/// Content of a file, in the form that [`Cursor`] reads.
struct Shared(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Reason for which a write failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteError {
    /// The reader of the stream is gone.
    Closed,
    File(FileError),
}

/// An open stream or file to write to. Writes through clones are appended in their order.
#[derive(Clone)]
pub(crate) enum Output {
    Stream {
        writer: Arc<AsyncMutex<Writer>>,
        terminal: Option<Terminal>,
    },
    /// Appends to the file at an absolute path.
    File {
        world: Arc<World>,
        path: Arc<str>,
    },
    /// Collects the output of a command substitution, up to this many bytes.
    Captured(Arc<Mutex<Vec<u8>>>, usize),
    Nowhere,
}

impl Output {
    pub(crate) fn new(writer: Writer) -> Self {
        Self::Stream {
            writer: Arc::new(AsyncMutex::new(writer)),
            terminal: None,
        }
    }

    /// Returns the terminal that is written to, if it is one.
    pub(crate) fn terminal(&self) -> Option<&Terminal> {
        match self {
            Self::Stream { terminal, .. } => terminal.as_ref(),
            _ => None,
        }
    }

    fn is_of(&mut self, new: &Terminal) {
        if let Self::Stream { terminal, .. } = self {
            *terminal = Some(new.clone());
        }
    }

    pub(crate) async fn write(&self, bytes: &[u8]) -> Result<(), WriteError> {
        match self {
            Self::Stream { writer, .. } => {
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

/// The open descriptors of a process. A script cannot open others than 0, 1 and 2.
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

impl Descriptors {
    /// Takes the streams of a process over, which are those of a terminal if there is one.
    pub(crate) fn new(io: Io, terminal: Option<&Terminal>) -> Self {
        let mut descriptors = Self {
            stdin: Input::new(io.stdin),
            stdout: Output::new(io.stdout),
            stderr: Output::new(io.stderr),
        };
        if let Some(terminal) = terminal {
            descriptors.stdin.terminal = Some(terminal.clone());
            descriptors.stdout.is_of(terminal);
            descriptors.stderr.is_of(terminal);
        }
        descriptors
    }
}
