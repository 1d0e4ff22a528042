//! Commands of containers in the toy userland, whichever door they came through.

use std::sync::Arc;

use containerd_sandbox::{Container as _, Error, Result};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::sync::broadcast;
use tracing::{debug, warn};

use super::console::{Console, Log, Output, Written};
use super::container::ResourceSlotContainer;
use super::core::{Core, Inner, LiveSlot};
use super::process;
use super::setup;
use crate::refuse;
use crate::simulate::stdio::{self, Stdin};
use slot::{Container, KILLED, NewProcess, ProcessId, ProcessState, Stdio};
use toy_userland::{Io, Limits, Reader, Setup, Shell, World, Writer};

/// Where the description of a container's world comes from.
enum Source {
    Ready(Box<Setup>),
    Bundle {
        path: String,
        hints: Option<Box<slot::PodHints>>,
    },
}

fn source(inner: &Inner, container: &str) -> Result<Source> {
    let pod = &inner.slot.sandbox;
    let container = inner.slot.container(container).map_err(refuse::change)?;
    Ok(match (&container.cri, &pod.cri) {
        (Some(own), Some(pod)) => {
            Source::Ready(Box::new(setup::of_cri(&pod.config, &pod.ip, &own.config)))
        }
        _ => Source::Bundle {
            path: container.bundle.clone(),
            hints: pod.hints.clone(),
        },
    })
}

/// What the commands of a container see. It is made for the first of them.
async fn world(core: &Arc<Core>, live: &Arc<LiveSlot>, container: &str) -> Result<Arc<World>> {
    let (pid, source) = {
        let inner = live.lock()?;
        let pid = inner
            .slot
            .container(container)
            .map_err(refuse::change)?
            .init
            .spec
            .pid;
        let known = inner.attachments.shelled(pid);
        if let Some(world) = known.and_then(|shelled| shelled.world.as_ref()) {
            return Ok(Arc::clone(world));
        }
        (pid, source(&inner, container)?)
    };
    let mut setup = match source {
        Source::Ready(setup) => *setup,
        Source::Bundle { path, hints } => {
            let read = move || setup::of_bundle(&path, hints.as_deref());
            let read = tokio::task::spawn_blocking(read).await;
            let read = read.map_err(|e| Error::internal(format!("read a bundle: {e}")))?;
            read.unwrap_or_else(|e| {
                debug!("commands of container {container} know nothing of it: {e}");
                Setup::default()
            })
        }
    };
    setup.unknown_command = core.settings.unknown_command;
    if setup.command.is_empty() {
        setup.command = Setup::default().command;
    }
    let mut inner = live.lock()?;
    let init = ProcessId::init(container);
    if !process::is_running(&inner, &init, pid) {
        return Err(not_running(container));
    }
    let runs_itself = !inner
        .slot
        .process(&init)
        .map_err(refuse::change)?
        .spec
        .command
        .is_empty();
    let shelled = inner.attachments.shelled_mut(pid);
    if let Some(world) = &shelled.world {
        return Ok(Arc::clone(world));
    }
    let world = Arc::new(World::new(setup));
    shelled.world = Some(Arc::clone(&world));
    if !runs_itself {
        // Its commands may send signals to the process that only waits.
        let signals = world.init_signals();
        let (core, live) = (Arc::clone(core), Arc::clone(live));
        let task = tokio::spawn(async move {
            let code = signals.killed().await.exit_code();
            process::end(&core, &live, &init, pid, u32::from(code)).await;
        });
        inner.attachments.tie(pid, task.abort_handle());
    }
    Ok(world)
}

fn not_running(container: &str) -> Error {
    Error::failed_precondition(format!("container {container} does not run"))
}

/// Runs the command of a process that has just been started or recovered, and ends
/// the process with it.
pub(super) async fn run_process(
    core: Arc<Core>,
    live: Arc<LiveSlot>,
    id: ProcessId,
    spec: NewProcess,
) {
    let world = match world(&core, &live, &id.container).await {
        Ok(world) => world,
        Err(e) => return debug!("{id} in sandbox {}: {e}", live.key),
    };
    let Some(mut io) = streams(&core, &live, &id, &spec).await else {
        return;
    };
    let stated = live.lock().ok().and_then(|inner| {
        let container = inner.slot.container(&id.container).ok()?;
        id.exec.as_ref()?;
        StatedAnswer::of(container)
    });
    if let Some(stated) = stated {
        let code = stated.give(&mut io).await;
        drop(io);
        return process::end(&core, &live, &id, spec.pid, code).await;
    }
    let shell = match id.exec {
        None => Shell::first(world, Limits::default()),
        Some(_) => Shell::new(world, Limits::default()),
    };
    match live.lock() {
        Ok(mut inner) if process::is_running(&inner, &id, spec.pid) => {
            let shelled = inner.attachments.shelled_mut(spec.pid);
            shelled.signals = Some(shell.signals());
        }
        _ => return,
    }
    let code = shell.run(&spec.command, io).await;
    let console = live.lock().ok().and_then(|inner| {
        let shelled = inner.attachments.shelled(spec.pid);
        shelled.and_then(|shelled| shelled.console.clone())
    });
    if let Some(console) = console {
        // Whoever sees the end may look at the log.
        console.flush().await;
    }
    process::end(&core, &live, &id, spec.pid, u32::from(code)).await;
}

/// The streams of a process; `None` if it is gone before they are there.
async fn streams(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    id: &ProcessId,
    spec: &NewProcess,
) -> Option<Io> {
    if id.exec.is_none()
        && let Some((console, stdin)) = new_console(core, live, id, spec.pid)
    {
        return Some(Io {
            stdin,
            stdout: Box::new(console.writer(Output::Stdout)),
            stderr: Box::new(console.writer(Output::Stderr)),
        });
    }
    let Stdio { stdin, stdout, .. } = &spec.stdio;
    let stderr = if spec.stdio.terminal {
        stdout
    } else {
        &spec.stdio.stderr
    };
    let (stdout, stderr) = if id.exec.is_some() {
        let is_known = || {
            let inner = live.lock();
            inner.is_ok_and(|inner| process::is_running(&inner, id, spec.pid))
        };
        tokio::join!(exec_output(stdout, is_known), exec_output(stderr, is_known))
    } else {
        (own_output(stdout), own_output(stderr))
    };
    let closed = {
        let inner = live.lock().ok()?;
        let shelled = inner.attachments.shelled(spec.pid);
        shelled.and_then(|shelled| shelled.stdin_closed.clone())
    };
    let stdin: Reader = match closed.and_then(|closed| Stdin::open(stdin, closed)) {
        Some(stdin) => Box::new(stdin),
        None => Box::new(tokio::io::empty()),
    };
    Some(Io {
        stdin,
        stdout,
        stderr,
    })
}

/// An output of an exec, once somebody reads it.
async fn exec_output(path: &str, is_known: impl Fn() -> bool) -> Writer {
    if path.is_empty() {
        return Box::new(tokio::io::sink());
    }
    let stream = stdio::open_for_writing(path, is_known).await;
    match stream.map(pipe::Sender::from_owned_fd) {
        Some(Ok(sender)) => Box::new(sender),
        Some(Err(e)) => {
            warn!("cannot write to {path:?}: {e}");
            Box::new(tokio::io::sink())
        }
        None => Box::new(tokio::io::sink()),
    }
}

/// An output of a container itself, which is held so that its reader may come and go.
fn own_output(path: &str) -> Writer {
    match stdio::open_held(path).map(pipe::Sender::from_owned_fd) {
        Some(Ok(sender)) => Box::new(sender),
        _ => Box::new(tokio::io::sink()),
    }
}

/// The console of a container of CRI's door, made anew, and what its command reads.
fn new_console(
    core: &Core,
    live: &LiveSlot,
    id: &ProcessId,
    pid: u32,
) -> Option<(Arc<Console>, Reader)> {
    let mut inner = live.lock().ok()?;
    let has_stdin = {
        let own = inner.slot.container(&id.container).ok()?.cri.as_ref()?;
        own.config.stdin
    };
    let (console, stdin) = Console::new(log(core, &inner, id));
    let console = Arc::new(console);
    inner.attachments.shelled_mut(pid).console = Some(Arc::clone(&console));
    let stdin: Reader = if has_stdin {
        Box::new(stdin)
    } else {
        Box::new(tokio::io::empty())
    };
    Some((console, stdin))
}

fn log(core: &Core, inner: &Inner, id: &ProcessId) -> Option<(Log, super::appender::Appender)> {
    let pod = inner.slot.sandbox.cri.as_ref()?;
    let own = inner.slot.container(&id.container).ok()?.cri.as_ref()?;
    let (directory, path) = (&pod.config.log_directory, &own.config.log_path);
    if directory.is_empty() || path.is_empty() {
        return None;
    }
    let log = Log {
        directory: directory.as_str().into(),
        path: path.as_str().into(),
    };
    Some((log, core.appender()?))
}

/// The console of a running container of CRI's door: its command's, or one for what
/// it is seen to write.
pub(super) fn console(
    core: &Core,
    inner: &mut Inner,
    id: &ProcessId,
    pid: u32,
) -> Option<Arc<Console>> {
    inner.slot.container(&id.container).ok()?.cri.as_ref()?;
    let known = inner.attachments.shelled(pid);
    if let Some(console) = known.and_then(|shelled| shelled.console.as_ref()) {
        return Some(Arc::clone(console));
    }
    let (console, _) = Console::new(log(core, inner, id));
    let console = Arc::new(console);
    inner.attachments.shelled_mut(pid).console = Some(Arc::clone(&console));
    Some(console)
}

/// What every command that is run in a container answers, if that was stated.
pub(super) struct StatedAnswer {
    output: String,
    code: u8,
}

impl StatedAnswer {
    pub(super) fn of(container: &Container) -> Option<Self> {
        let conduct = container.behaviour.as_ref()?;
        let is_stated = conduct.exec_output.is_some() || conduct.exec_code.is_some();
        is_stated.then(|| Self {
            output: conduct.exec_output.clone().unwrap_or_default(),
            code: conduct.exec_code.unwrap_or(0),
        })
    }

    async fn give(self, io: &mut Io) -> u32 {
        // Whoever reads it may be gone.
        let _ = io.stdout.write_all(self.output.as_bytes()).await;
        u32::from(self.code)
    }
}

impl ResourceSlotContainer {
    /// Runs a command in the container, beside its processes, and gives its exit code.
    /// The end of the container ends it by SIGKILL; so does dropping the future.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container does not run.
    pub(crate) async fn run(&self, argv: &[String], mut io: Io) -> Result<u32> {
        let stated = {
            let inner = self.live.lock()?;
            let container = inner
                .slot
                .container(&self.id.container)
                .map_err(refuse::change)?;
            if !matches!(
                container.init.state,
                ProcessState::Running | ProcessState::Paused
            ) {
                return Err(not_running(&self.id.container));
            }
            StatedAnswer::of(container)
        };
        if let Some(stated) = stated {
            return Ok(stated.give(&mut io).await);
        }
        let world = world(&self.core, &self.live, &self.id.container).await?;
        let shell = Shell::new(world, Limits::default());
        tokio::select! {
            code = shell.run(argv, io) => Ok(u32::from(code)),
            _ = self.wait(None) => Ok(KILLED),
        }
    }

    /// What the container writes from now on, and its standard input if it has one
    /// and nobody else is attached to that.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container does not run.
    pub(crate) fn attach(&self) -> Result<Attachment> {
        let mut inner = self.live.lock()?;
        let container = inner
            .slot
            .container(&self.id.container)
            .map_err(refuse::change)?;
        let pid = container.init.spec.pid;
        let has_stdin = container.cri.as_ref().is_some_and(|own| own.config.stdin);
        let once = container
            .cri
            .as_ref()
            .is_some_and(|own| own.config.stdin_once);
        if !process::is_running(&inner, &self.id, pid) {
            return Err(not_running(&self.id.container));
        }
        let console = console(&self.core, &mut inner, &self.id, pid)
            .ok_or_else(|| Error::not_found(format!("{} not found", self.id)))?;
        let stdin = if has_stdin {
            console.take_stdin()
        } else {
            None
        };
        Ok(Attachment {
            written: console.watch(),
            stdin: stdin.map(|stream| AttachedStdin {
                stream: Some(stream),
                console: (!once).then_some(console),
            }),
        })
    }
}

/// A view of a running container.
pub(crate) struct Attachment {
    /// What it writes.
    pub(crate) written: broadcast::Receiver<Written>,
    /// What it reads.
    pub(crate) stdin: Option<AttachedStdin>,
}

/// The standard input of a container, for one who is attached. It goes back when this
/// is dropped, or ends if it was to be there for one only.
pub(crate) struct AttachedStdin {
    stream: Option<tokio::io::DuplexStream>,
    console: Option<Arc<Console>>,
}

impl AttachedStdin {
    /// Has the container read all that comes from `reader`.
    pub(crate) async fn feed(&mut self, mut reader: Reader) {
        if let Some(stream) = &mut self.stream {
            // A container that reads no more is no failure.
            let _ = tokio::io::copy(&mut reader, stream).await;
        }
    }
}

impl Drop for AttachedStdin {
    fn drop(&mut self) {
        if let (Some(stream), Some(console)) = (self.stream.take(), &self.console) {
            console.give_back_stdin(stream);
        }
    }
}
