//! Commands in containers: run to their end, or with streams of their own.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use containerd_sandbox::{Code, Error, Key, Result};
use cri_api::v1::{
    AttachRequest, AttachResponse, ExecRequest, ExecResponse, ExecSyncRequest, ExecSyncResponse,
    PortForwardRequest, PortForwardResponse,
};
use parking_lot::Mutex;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tracing::debug;

use super::Cri;
use super::containers::check_running;
use crate::live::terminal::carry;
use crate::live::{Attachment, Output, ResourceSlotContainer, Written};
use crate::streaming::{Forwarder, Session, StreamingError, Streams, TerminalSize};
use slot::SandboxState;
use terminal::{Size, Terminal};
use toy_userland::Io;

/// Number of bytes of each output of a command that are kept, so that both outputs fit into
/// one message. Further bytes are dropped.
const MAX_OUTPUT: usize = 7 << 20;

impl Cri {
    /// Runs a command to its end.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container does not run; `DeadlineExceeded`
    /// if the command did not end in time and was killed; `InvalidArgument` without a
    /// command.
    pub(super) async fn exec_sync(&self, request: ExecSyncRequest) -> Result<ExecSyncResponse> {
        check_command(&request.cmd)?;
        let limit = match u64::try_from(request.timeout) {
            Ok(0) => None,
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                return Err(Error::invalid_argument(format!(
                    "timeout {}: a number of seconds, 0 or more, is needed",
                    request.timeout
                )));
            }
        };
        let container = self.container(&request.container_id)?;
        check_running(&container, "exec in")?;
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let io = Io {
            stdin: Box::new(tokio::io::empty()),
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
        };
        let ended = container.run(&request.cmd, io, None);
        let code = match limit {
            None => ended.await?,
            Some(limit) => tokio::time::timeout(limit, ended).await.map_err(|_| {
                let message = format!(
                    "timeout {}: the command did not end in time",
                    request.timeout
                );
                Error::new(Code::DeadlineExceeded, message)
            })??,
        };
        Ok(ExecSyncResponse {
            stdout: stdout.take(),
            stderr: stderr.take(),
            exit_code: i32::try_from(code).unwrap_or(i32::MAX),
        })
    }

    /// Returns a URL at which a command runs with the streams of the client that connects.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container does not run; `InvalidArgument`
    /// without a command or a stream; `ResourceExhausted` if too many URLs wait to be used.
    pub(super) async fn exec(&self, request: ExecRequest) -> Result<ExecResponse> {
        check_command(&request.cmd)?;
        let streams = Streams {
            stdin: request.stdin,
            stdout: request.stdout,
            stderr: request.stderr,
            tty: request.tty,
        };
        check_streams(streams)?;
        let container = self.container(&request.container_id)?;
        check_running(&container, "exec in")?;
        let command = request.cmd;
        let handler = Box::new(move |session: Session| {
            let run = async move {
                let ended = if streams.tty {
                    run_on_terminal(&container, &command, session).await
                } else {
                    let io = Io {
                        stdin: session.stdin,
                        stdout: session.stdout,
                        stderr: session.stderr,
                    };
                    container.run(&command, io, None).await
                };
                // The container may be gone by now, in which case the command cannot run.
                ended.map_or(NOT_RUN, exit_code)
            };
            Box::pin(run) as _
        });
        let url = self
            .streams
            .exec(streams, handler)
            .map_err(|e| refused(&e))?;
        Ok(ExecResponse { url })
    }

    /// Returns a URL that connects to the container's own streams.
    ///
    /// # Errors
    /// As [`Cri::exec`].
    pub(super) async fn attach(&self, request: AttachRequest) -> Result<AttachResponse> {
        let streams = Streams {
            stdin: request.stdin,
            stdout: request.stdout,
            stderr: request.stderr,
            tty: request.tty,
        };
        check_streams(streams)?;
        let container = self.container(&request.container_id)?;
        check_running(&container, "attach to")?;
        let handler = Box::new(move |session: Session| {
            let run = async move {
                // The container may be gone by now.
                if let Ok(attachment) = container.attach() {
                    show(&container, attachment, session).await;
                }
                0_u8
            };
            Box::pin(run) as _
        });
        let url = self
            .streams
            .attach(streams, handler)
            .map_err(|e| refused(&e))?;
        Ok(AttachResponse { url })
    }

    /// Returns a URL at which every port echoes the bytes sent to it.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the pod is not ready; `ResourceExhausted` if too
    /// many URLs wait to be used.
    pub(super) async fn port_forward(
        &self,
        request: PortForwardRequest,
    ) -> Result<PortForwardResponse> {
        let (key, sandbox) = self.pod(&request.pod_sandbox_id)?;
        if sandbox.read_pod(|_, slot, _| slot.state)? != SandboxState::Ready {
            return Err(Error::failed_precondition(format!(
                "cannot forward ports of pod {}: it is not ready",
                key.id()
            )));
        }
        let url = self.streams.port_forward(self.forwarder(&key));
        let url = url.map_err(|e| refused(&e))?;
        Ok(PortForwardResponse { url })
    }
}

impl Cri {
    /// Returns the other end of the ports of a pod: what answers probes.
    fn forwarder(&self, pod: &Key) -> Forwarder {
        let (answers, pod) = (self.answers.clone(), pod.clone());
        Arc::new(move |port, bytes| {
            let (answers, pod) = (answers.clone(), pod.clone());
            Box::pin(async move {
                let served = answers.serve(&pod, port, bytes).await;
                served.map_err(|e| io::Error::new(io::ErrorKind::ConnectionRefused, e))
            })
        })
    }
}

/// Exit code of a command that could not be run: a shell's code for a command that is found
/// and cannot be executed.
const NOT_RUN: u8 = 126;

fn exit_code(code: u32) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn check_command(command: &[String]) -> Result<()> {
    if command.is_empty() {
        return Err(Error::invalid_argument("cmd: a command is needed"));
    }
    Ok(())
}

/// Checks CRI's rules for the streams of a request.
fn check_streams(streams: Streams) -> Result<()> {
    let Streams {
        stdin,
        stdout,
        stderr,
        tty,
    } = streams;
    if !(stdin || stdout || stderr) {
        return Err(Error::invalid_argument(
            "stdin, stdout, stderr: one of them must be true",
        ));
    }
    if tty && stderr {
        return Err(Error::invalid_argument(
            "stderr true: a terminal (tty) has no standard error of its own; false is needed",
        ));
    }
    Ok(())
}

fn refused(error: &StreamingError) -> Error {
    match error {
        StreamingError::TooMany(_) => Error::resource_exhausted(error.to_string()),
        StreamingError::NoRandomness | StreamingError::Listen { .. } => {
            Error::unavailable(error.to_string())
        }
    }
}

/// Runs a command on a terminal of its own, of which the client is the user.
async fn run_on_terminal(
    container: &ResourceSlotContainer,
    command: &[String],
    session: Session,
) -> Result<u32> {
    let (manager, terminal) = ::terminal::open(Size::default());
    let io = Io {
        stdin: Box::new(terminal.input()),
        stdout: Box::new(terminal.output()),
        stderr: Box::new(terminal.output()),
    };
    let carried = carry(manager, session.stdin, session.stdout);
    let running = container.run(command, io, Some(terminal.clone()));
    let both = async { tokio::join!(running, carried).0 };
    tokio::select! {
        ended = both => ended,
        never = resize(Some(&terminal), session.resizes) => match never {},
    }
}

/// Gives a terminal the sizes of the client's. Never ends.
async fn resize(
    terminal: Option<&Terminal>,
    mut resizes: mpsc::Receiver<TerminalSize>,
) -> std::convert::Infallible {
    while let Some(size) = resizes.recv().await {
        if let Some(terminal) = terminal {
            terminal.resize(Size {
                columns: size.width,
                rows: size.height,
            });
        }
    }
    std::future::pending().await
}

/// Copies a container's streams to and from a client until the container ends or the client
/// goes away.
async fn show(container: &ResourceSlotContainer, mut attachment: Attachment, session: Session) {
    use containerd_sandbox::Container as _;

    let Session {
        stdin,
        mut stdout,
        mut stderr,
        resizes,
    } = session;
    let terminal = attachment.terminal.take();
    let write = async {
        loop {
            match attachment.written.recv().await {
                Ok(written) => show_one(written, &mut stdout, &mut stderr).await?,
                // A client that is too slow misses output.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    };
    let feed = async {
        if let Some(own) = &mut attachment.stdin {
            own.feed(stdin).await;
        }
        drop(attachment.stdin.take());
        std::future::pending::<io::Result<()>>().await
    };
    let shown = tokio::select! {
        shown = write => shown,
        shown = feed => shown,
        never = resize(terminal.as_ref(), resizes) => match never {},
        _ = container.wait(None) => Ok(()),
    };
    if shown.is_err() {
        return debug!("an attached client reads no more");
    }
    // The last output comes before the end.
    while let Ok(written) = attachment.written.try_recv() {
        if show_one(written, &mut stdout, &mut stderr).await.is_err() {
            return;
        }
    }
}

async fn show_one(
    (output, text): Written,
    stdout: &mut (impl AsyncWrite + Unpin),
    stderr: &mut (impl AsyncWrite + Unpin),
) -> io::Result<()> {
    match output {
        Output::Stdout => stdout.write_all(&text).await,
        Output::Stderr => stderr.write_all(&text).await,
    }
}

/// Output that is kept up to [`MAX_OUTPUT`].
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock())
    }
}

impl AsyncWrite for Captured {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut kept = self.0.lock();
        let room = MAX_OUTPUT.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
