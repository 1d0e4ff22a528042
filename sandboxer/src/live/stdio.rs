//! FIFOs of processes, opened and closed as a real process would, without ever blocking.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use containerd_sandbox::{Error, Result, quoted};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::net::unix::pipe;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use slot::Stdio;

/// Longest path of a stream in bytes: Linux's `PATH_MAX`, which counts the final NUL.
const MAX_PATH_LEN: usize = 4095;

/// First interval of looking for a reader of an exec's FIFO. Each further interval is twice
/// as long, up to [`READER_POLL_MAX`].
const READER_POLL: Duration = Duration::from_millis(1);
/// Longest interval of looking for a reader.
const READER_POLL_MAX: Duration = Duration::from_millis(500);

/// Checks the paths in a request: empty, absolute, or a URI that another process serves.
///
/// # Errors
/// `InvalidArgument`, naming the stream.
pub(crate) fn check(stdio: &Stdio) -> Result<()> {
    for (name, path) in [
        ("stdin", &stdio.stdin),
        ("stdout", &stdio.stdout),
        ("stderr", &stdio.stderr),
    ] {
        let sound = path.is_empty() || path.starts_with('/') || path.contains("://");
        if !sound || path.contains('\0') || path.len() > MAX_PATH_LEN {
            return Err(Error::invalid_argument(format!(
                "{name} {}: an absolute path or a URI of at most {MAX_PATH_LEN} bytes is needed",
                quoted(path)
            )));
        }
    }
    Ok(())
}

/// Opens a path if it is a FIFO; other files are left alone.
fn open_fifo(path: &str, flags: OFlags) -> Result<Option<OwnedFd>, Errno> {
    if !path.starts_with('/') {
        return Ok(None);
    }
    let is_fifo = match rustix::fs::stat(path) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode) == FileType::Fifo,
        Err(Errno::NOENT | Errno::NOTDIR) => false,
        Err(e) => return Err(e),
    };
    if !is_fifo {
        return Ok(None);
    }
    let flags = flags | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map(Some)
}

/// Opens a container's own outputs. Both ends of each are held, so that a reader may go and
/// come back, as over a restart of containerd, without breaking the writer's end.
pub(crate) fn hold(stdio: &Stdio) -> Vec<OwnedFd> {
    [&stdio.stdout, &stdio.stderr]
        .into_iter()
        .filter_map(|path| match open_fifo(path, OFlags::RDWR) {
            Ok(stream) => stream,
            Err(e) => {
                tracing::warn!("cannot open {}: {e}", quoted(path));
                None
            }
        })
        .collect()
}

/// Opens an output of an exec for writing only, because a read end here would keep
/// containerd from seeing the end. Waits for a reader while the stream is `wanted`:
/// containerd's open blocks until the writer's comes, and its read until the writer closes,
/// even after the process's end.
pub(crate) async fn open_for_writing(path: &str, wanted: impl Fn() -> bool) -> Option<OwnedFd> {
    let mut poll = READER_POLL;
    loop {
        match open_fifo(path, OFlags::WRONLY) {
            Ok(stream) => return stream,
            // The FIFO has no reader yet.
            Err(Errno::NXIO) if wanted() => {
                tokio::time::sleep(poll).await;
                poll = (2 * poll).min(READER_POLL_MAX);
            }
            Err(Errno::NXIO) => return None,
            Err(e) => {
                tracing::warn!("cannot open {}: {e}", quoted(path));
                return None;
            }
        }
    }
}

/// Opens a container's own output as [`hold`] does.
pub(crate) fn open_held(path: &str) -> Option<OwnedFd> {
    open_fifo(path, OFlags::RDWR).ok().flatten()
}

/// Writes to a held output; text for which the FIFO has no room is dropped.
pub(crate) fn try_write(stream: &OwnedFd, text: &[u8]) {
    // A failure cannot be reported: the process does not exist.
    let _ = rustix::io::write(stream, text);
}

/// Standard input of a process. It ends when its writer goes, and when it is closed.
pub(crate) struct Stdin {
    stream: pipe::Receiver,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Stdin {
    /// Opens the input, if there is one. The token closes it.
    pub(crate) fn open(path: &str, closed: CancellationToken) -> Option<Self> {
        let stream = open_fifo(path, OFlags::RDONLY).ok().flatten()?;
        let stream = pipe::Receiver::from_owned_fd(stream).ok()?;
        let closed = Box::pin(closed.cancelled_owned());
        Some(Self { stream, closed })
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        // Text that was written before the close comes first.
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => self.closed.as_mut().poll(context).map(Ok),
            ready @ Poll::Ready(_) => ready,
        }
    }
}

/// Reads standard input to its end and drops the text. Never returns if there is no input.
pub(crate) async fn stdin_ended(path: &str) {
    match read_to_end(path).await {
        Ok(true) => return,
        Ok(false) => {}
        Err(e) => tracing::warn!("cannot read {}: {e}", quoted(path)),
    }
    std::future::pending::<()>().await;
}

async fn read_to_end(path: &str) -> std::io::Result<bool> {
    if !path.starts_with('/') || !Path::new(path).exists() {
        return Ok(false);
    }
    let mut stream = pipe::OpenOptions::new().open_receiver(path)?;
    let mut scratch = vec![0; 4096];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::OpenOptionsExt;

    fn fifo(dir: &tempfile::TempDir, name: &str) -> String {
        let path = dir.path().join(name);
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, mode, 0).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn reader(path: &str) -> std::fs::File {
        std::fs::File::options()
            .read(true)
            .custom_flags(i32::try_from(OFlags::NONBLOCK.bits()).unwrap())
            .open(path)
            .unwrap()
    }

    fn stdout(path: &str) -> Stdio {
        Stdio {
            stdout: path.to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn an_output_without_a_reader_is_held_and_read_as_ended_when_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(&dir, "out");
        let held = hold(&stdout(&path));
        let mut reader = reader(&path);
        let would_block = reader.read(&mut [0]).unwrap_err();
        assert_eq!(would_block.kind(), std::io::ErrorKind::WouldBlock);
        drop(held);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_exec_waits_for_its_reader() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(&dir, "out");
        let wanted = open_for_writing(&path, || true);
        let long = Duration::from_secs(3600);
        assert!(tokio::time::timeout(long, wanted).await.is_err());
        assert!(open_for_writing(&path, || false).await.is_none());
        let _reader = reader(&path);
        assert!(open_for_writing(&path, || true).await.is_some());
    }

    #[tokio::test]
    async fn a_file_that_is_no_fifo_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let missing = dir.path().join("missing");
        for path in [
            file.to_str().unwrap(),
            missing.to_str().unwrap(),
            "file:///x",
            "",
        ] {
            assert!(hold(&stdout(path)).is_empty(), "{path}");
            assert!(open_for_writing(path, || true).await.is_none());
        }
    }

    #[tokio::test]
    async fn standard_input_ends_when_its_writer_goes_not_before_one_came() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(&dir, "in");
        let ended = tokio::spawn({
            let path = path.clone();
            async move { stdin_ended(&path).await }
        });
        // The open for writing succeeds once the reader exists.
        let writer = loop {
            match pipe::OpenOptions::new().open_sender(&path) {
                Ok(writer) => break writer,
                Err(e) => assert_eq!(e.raw_os_error(), Some(Errno::NXIO.raw_os_error())),
            }
            tokio::task::yield_now().await;
        };
        writer.writable().await.unwrap();
        writer.try_write(b"hello").unwrap();
        assert!(!ended.is_finished());
        drop(writer);
        ended.await.unwrap();
    }

    #[test]
    fn a_relative_path_is_refused_by_name() {
        let error = check(&stdout("out")).unwrap_err();
        assert!(error.to_string().starts_with("stdout \"out\""), "{error}");
        assert!(check(&stdout("binary:///bin/logger?id=1")).is_ok());
        assert!(check(&stdout(&format!("/{}", "a".repeat(MAX_PATH_LEN - 1)))).is_ok());
        assert!(check(&stdout(&format!("/{}", "a".repeat(MAX_PATH_LEN)))).is_err());
    }
}
