//! Commands of containers in the toy userland, for every API.

use std::sync::Arc;

use containerd_sandbox::{Error, Result};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tracing::{debug, warn};

use super::appender::{Appender, Log};
use super::console::{Console, Output};
use super::core::Core;
use super::end::{end, end_out_of_memory};
use super::live_slot::{Inner, LiveSlot};
use super::setup::{self, Described};
use super::stdio::{self, Stdin};
use super::terminal::Screen;
use super::volumes;
use crate::refuse;
use slot::{Container, NewProcess, Origin, ProcessId, SignalHandling, Stdio};
use terminal::{Size, Terminal};
use toy_userland::{Io, Limits, Reader, Setup, Shell, World, Writer};

/// Exit code of a command that could not be run, as a shell gives it.
const NOT_RUN: u32 = 126;

/// Returns the world that a container's commands see, which is made for the first of them.
pub(super) async fn world(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    container: &str,
) -> Result<Arc<World>> {
    let (pid, source) = {
        let inner = live.lock()?;
        let pid = inner
            .slot
            .container(container)
            .map_err(refuse::change)?
            .init
            .spec
            .pid;
        let known = inner.attachments.shell(pid);
        if let Some(world) = known.and_then(|shell| shell.world.as_ref()) {
            return Ok(Arc::clone(world));
        }
        (
            pid,
            setup::source(&inner.slot, container).map_err(refuse::change)?,
        )
    };
    let mut described = setup::read(source).await?.unwrap_or_else(|e| {
        debug!("commands of container {container} know nothing of it: {e}");
        Described::default()
    });
    let setup = &mut described.setup;
    setup.unknown_command = core.settings.unknown_command;
    if setup.command.is_empty() {
        setup.command = Setup::default().command;
    }
    if !described.seccomp_profile.is_empty() {
        setup.denied_calls = denied_calls(core, &described.seccomp_profile).await;
    }
    let mut inner = live.lock()?;
    let init = ProcessId::init(container);
    if !inner.is_running(&init, pid) {
        return Err(not_running(container));
    }
    let spec = &inner.slot.process(&init).map_err(refuse::change)?.spec;
    let runs_itself = !spec.command.is_empty();
    let is_protected = spec.signals == SignalHandling::Protected;
    let memory_limit = inner
        .slot
        .container(container)
        .map_err(refuse::change)?
        .info
        .memory_limit;
    let known = inner.attachments.shell(pid);
    if let Some(world) = known.and_then(|shell| shell.world.as_ref()) {
        return Ok(Arc::clone(world));
    }
    let Described {
        mut setup,
        binds,
        images,
        shares_pids,
        seccomp_profile: _,
        owner,
    } = described;
    if shares_pids {
        let shared = inner.pid_namespace.get_or_insert_default();
        setup.pid_namespace = Some(shared.clone());
    }
    for image in images {
        image.mount(&mut setup);
    }
    let own = inner.slot.container(container).map_err(refuse::change)?;
    setup.files.extend(setup::cgroup::files(own));
    let rules = &core.settings.host;
    inner
        .volumes
        .mount(&mut setup, &binds, &owner, rules, &core.lookers);
    let world = Arc::new(World::new(setup));
    if is_protected {
        world.init_signals().protect();
    }
    inner.attachments.shell_mut(pid).world = Some(Arc::clone(&world));
    if let Some(limit) = memory_limit {
        world.limit_memory(limit);
        let (core, live, world) = (Arc::clone(core), Arc::clone(live), Arc::clone(&world));
        let init = init.clone();
        let task = tokio::spawn(async move {
            world.out_of_memory().await;
            end_out_of_memory(&core, &live, &init, pid).await;
        });
        inner.attachments.tie(pid, task.abort_handle());
    }
    if !runs_itself {
        // The container's commands may send signals to its first process, which only waits.
        let signals = world.init_signals();
        let (core, live, world) = (Arc::clone(core), Arc::clone(live), Arc::clone(&world));
        let task = tokio::spawn(async move {
            let code = signals.killed().await.exit_code();
            if !world.is_out_of_memory() {
                end(&core, &live, &init, pid, u32::from(code)).await;
            }
        });
        inner.attachments.tie(pid, task.abort_handle());
    }
    Ok(world)
}

/// Returns the system calls that a seccomp profile on the node denies. A profile that cannot be
/// read denies none.
async fn denied_calls(core: &Arc<Core>, profile: &str) -> Vec<String> {
    if core.settings.host.is_off {
        return Vec::new();
    }
    let (path, lookers) = (profile.to_owned(), core.lookers.clone());
    let read = move || volumes::read_file(&path, &lookers);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(text)) => setup::seccomp::denied(&text),
        Ok(Err(e)) => {
            debug!("seccomp profile {profile:?}: {e}");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

pub(super) fn not_running(container: &str) -> Error {
    Error::failed_precondition(format!("container {container} does not run"))
}

/// Runs the command of a process that has just been started or recovered. Returns its exit
/// code, or `None` if the process ended before its command.
pub(super) async fn run_process(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    id: &ProcessId,
    spec: &NewProcess,
) -> Option<u32> {
    let world = match world(core, live, &id.container).await {
        Ok(world) => world,
        Err(e) => {
            debug!("{id} in sandbox {}: {e}", live.key);
            return None;
        }
    };
    let (mut io, on_terminal) = streams(core, live, id, spec).await?;
    let answer = live.lock().ok().and_then(|inner| {
        let container = inner.slot.container(&id.container).ok()?;
        id.exec.as_ref()?;
        ExecAnswer::of(container)
    });
    if let Some(answer) = answer {
        return Some(answer.give(&mut io).await);
    }
    let mut shell = match id.exec {
        None => Shell::first(Arc::clone(&world), Limits::default()),
        Some(_) => Shell::new(Arc::clone(&world), Limits::default()),
    };
    let (terminal, screen) = on_terminal.unzip();
    if let Some(terminal) = terminal {
        shell = shell.on_terminal(terminal);
    }
    match live.lock() {
        Ok(mut inner) if inner.is_running(id, spec.pid) => {
            inner.attachments.shell_mut(spec.pid).signals = Some(shell.signals());
        }
        _ => return None,
    }
    let code = match core.run(shell, &spec.command, io).await {
        Ok(code) => code,
        Err(e) => {
            debug!("{id} in sandbox {}: {e}", live.key);
            NOT_RUN
        }
    };
    if id.exec.is_none() && world.is_out_of_memory() {
        // The container ends for that reason, which the exit code alone does not tell.
        return None;
    }
    if let Some(screen) = screen {
        screen.drained().await;
    }
    let console = live.lock().ok().and_then(|inner| {
        let shell = inner.attachments.shell(spec.pid);
        shell.and_then(|shell| shell.console.clone())
    });
    if let Some(console) = console {
        // A client that sees the end may read the log at once.
        console.flush().await;
    }
    Some(code)
}

/// Opens the streams of a process. Returns `None` if the process ends before.
async fn streams(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    id: &ProcessId,
    spec: &NewProcess,
) -> Option<(Io, Option<OnTerminal>)> {
    if id.exec.is_none()
        && let Some(streams) = new_console(core, live, id, spec.pid)
    {
        return Some(streams);
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
            inner.is_ok_and(|inner| inner.is_running(id, spec.pid))
        };
        tokio::join!(exec_output(stdout, is_known), exec_output(stderr, is_known))
    } else {
        (own_output(stdout), own_output(stderr))
    };
    let closed = {
        let inner = live.lock().ok()?;
        let shell = inner.attachments.shell(spec.pid);
        shell.and_then(|shell| shell.stdin_closed.clone())
    };
    let stdin: Reader = match closed.and_then(|closed| Stdin::open(stdin, closed)) {
        Some(stdin) => Box::new(stdin),
        None => Box::new(tokio::io::empty()),
    };
    let given = {
        let mut inner = live.lock().ok()?;
        let shell = inner.attachments.shell_mut(spec.pid);
        shell.terminal.clone().zip(shell.manager.take())
    };
    let Some((terminal, manager)) = given else {
        let io = Io {
            stdin,
            stdout,
            stderr,
        };
        return Some((io, None));
    };
    let screen = Screen::start(manager, stdin, stdout);
    Some((io_of(&terminal), Some((terminal, screen))))
}

/// Terminal of a process, and the task that shows its output.
type OnTerminal = (Terminal, Screen);

fn io_of(terminal: &Terminal) -> Io {
    Io {
        stdin: Box::new(terminal.input()),
        stdout: Box::new(terminal.output()),
        stderr: Box::new(terminal.output()),
    }
}

/// Opens an output of an exec, once it has a reader.
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

/// Opens an output of a container itself, held open so that its reader may come and go.
fn own_output(path: &str) -> Writer {
    match stdio::open_held(path).map(pipe::Sender::from_owned_fd) {
        Some(Ok(sender)) => Box::new(sender),
        _ => Box::new(tokio::io::sink()),
    }
}

/// Makes the console of a container of the CRI API anew, and returns the streams of the container's
/// command.
fn new_console(
    core: &Core,
    live: &LiveSlot,
    id: &ProcessId,
    pid: u32,
) -> Option<(Io, Option<OnTerminal>)> {
    let mut inner = live.lock().ok()?;
    let container = inner.slot.container(&id.container).ok()?;
    if container.origin() != Origin::Cri {
        return None;
    }
    let has_stdin = setup::stdin(container).is_wanted;
    if setup::has_terminal(container) {
        let (manager, terminal) = ::terminal::open(Size::default());
        let (screen, keyboard) = tokio::io::split(manager);
        let log = log(core, &inner, id);
        let console = Arc::new(Console::on_terminal(
            log,
            terminal.clone(),
            Box::new(keyboard),
        ));
        inner.attachments.shell_mut(pid).console = Some(Arc::clone(&console));
        let screen = Screen::of(screen, console.writer(Output::Stdout));
        return Some((io_of(&terminal), Some((terminal, screen))));
    }
    let (console, stdin) = Console::new(log(core, &inner, id));
    let console = Arc::new(console);
    inner.attachments.shell_mut(pid).console = Some(Arc::clone(&console));
    let stdin: Reader = if has_stdin {
        Box::new(stdin)
    } else {
        Box::new(tokio::io::empty())
    };
    let io = Io {
        stdin,
        stdout: Box::new(console.writer(Output::Stdout)),
        stderr: Box::new(console.writer(Output::Stderr)),
    };
    Some((io, None))
}

fn log(core: &Core, inner: &Inner, id: &ProcessId) -> Option<(Log, Appender)> {
    let log = setup::log(&inner.slot, &id.container)?;
    Some((log, core.appender()?))
}

/// Returns the console of a running container of the CRI API: that of its command, or a new
/// one for its simulated lines.
pub(super) fn console(
    core: &Core,
    inner: &mut Inner,
    id: &ProcessId,
    pid: u32,
) -> Option<Arc<Console>> {
    if inner.slot.container(&id.container).ok()?.origin() != Origin::Cri {
        return None;
    }
    let known = inner.attachments.shell(pid);
    if let Some(console) = known.and_then(|shell| shell.console.as_ref()) {
        return Some(Arc::clone(console));
    }
    let (console, _) = Console::new(log(core, inner, id));
    let console = Arc::new(console);
    inner.attachments.shell_mut(pid).console = Some(Arc::clone(&console));
    Some(console)
}

/// Stated answer to every command that is run in a container.
pub(super) struct ExecAnswer {
    output: String,
    code: u8,
}

impl ExecAnswer {
    pub(super) fn of(container: &Container) -> Option<Self> {
        let conduct = container.behaviour.as_ref()?;
        let is_stated = conduct.exec_output.is_some() || conduct.exec_code.is_some();
        is_stated.then(|| Self {
            output: conduct.exec_output.clone().unwrap_or_default(),
            code: conduct.exec_code.unwrap_or(0),
        })
    }

    pub(super) async fn give(self, io: &mut Io) -> u32 {
        // The reader may be gone.
        let _ = io.stdout.write_all(self.output.as_bytes()).await;
        u32::from(self.code)
    }
}
