//! Fake processes: the streams, timers and tasks behind a running process.

use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::Duration;

use containerd_sandbox::{Deleted, Result};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::commit::Committed;
use super::console::{Console, Output};
use super::convert;
use super::core::Core;
use super::end::{self, end, try_end};
use super::live_slot::{Due, Inner, LiveSlot, Purpose};
use super::simulated_log::Lines;
use super::{stdio, userland};
use crate::refuse;
use crate::upstream::Event;
use slot::{Change, KILLED, ProcessId, ProcessState};

/// Interval in which containers write to their logs.
const LOG_INTERVAL: Duration = Duration::from_millis(500);

/// Resumes every running process of a recovered slot.
pub(super) fn resume_all(core: &Arc<Core>, live: &Arc<LiveSlot>) {
    let Ok(mut inner) = live.lock() else { return };
    let running: Vec<ProcessId> = inner
        .slot
        .containers
        .iter()
        .flat_map(|container| {
            let execs = container
                .execs
                .iter()
                .map(|(exec, process)| (ProcessId::exec(&container.id, exec), process));
            std::iter::once((ProcessId::init(&container.id), &container.init)).chain(execs)
        })
        .filter(|(_, process)| {
            matches!(process.state, ProcessState::Running | ProcessState::Paused)
        })
        .map(|(id, _)| id)
        .collect();
    for id in running {
        if let Err(e) = resume(core, live, &mut inner, &id, Begun::Before) {
            warn!("{id} in sandbox {}: {e}", live.key);
        }
    }
}

/// Start of a process, seen from this daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    Now,
    /// Under an earlier daemon.
    Before,
}

/// Opens the streams of a process that has just been started or recovered, and sets up the
/// timers and tasks that end it. Returns its process id.
pub(super) fn resume(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    inner: &mut Inner,
    id: &ProcessId,
    begun: Begun,
) -> Result<u32> {
    let process = inner.slot.process(id).map_err(refuse::change)?;
    let spec = process.spec.clone();
    let pid = spec.pid;
    let done_ns = process.ran_ns(core.now());
    let left = spec
        .planned_exit
        .ends_after
        .map(|after| after.saturating_sub(Duration::from_nanos(done_ns)));
    if id.exec.is_none() && !spec.stdio.is_unset() {
        let streams = stdio::hold(&spec.stdio);
        if !streams.is_empty() {
            inner.attachments.hold(pid, streams);
        }
    }
    let due = |purpose, lines| Due {
        live: Arc::downgrade(live),
        id: id.clone(),
        pid,
        purpose,
        lines,
    };
    if let Some(rate) = log_rate(inner, id) {
        let ran = match begun {
            Begun::Now => Duration::ZERO,
            Begun::Before => Duration::from_nanos(done_ns),
        };
        let due = due(Purpose::Log, Some(Lines::after(rate, ran)));
        if let Some(timer) = core.timers.set(LOG_INTERVAL, due) {
            inner.attachments.tie_timer(pid, timer);
        }
    }
    let (core, live) = (Arc::clone(core), Arc::clone(live));
    if !spec.command.is_empty() {
        if !spec.stdio.stdin.is_empty() {
            inner.attachments.shell_mut(pid).stdin_closed = Some(CancellationToken::new());
        }
        if spec.stdio.terminal {
            let (manager, terminal) = ::terminal::open(::terminal::Size::default());
            let shell = inner.attachments.shell_mut(pid);
            (shell.manager, shell.terminal) = (Some(manager), Some(terminal));
        }
        let id = id.clone();
        let task = tokio::spawn(async move {
            if let Some(code) = userland::run_process(&core, &live, &id, &spec).await {
                end(&core, &live, &id, pid, code).await;
            }
        });
        inner.attachments.tie(pid, task.abort_handle());
        return Ok(pid);
    }
    if id.exec.is_some() {
        for path in [&spec.stdio.stdout, &spec.stdio.stderr] {
            if !path.is_empty() {
                let (live, id, path) = (Arc::clone(&live), id.clone(), path.clone());
                tokio::spawn(write_nothing(live, id, pid, path));
            }
        }
    }
    if let Some(left) = left
        && let Some(timer) = core.timers.set(left, due(Purpose::End, None))
    {
        inner.attachments.tie_timer(pid, timer);
    }
    if !spec.stdio.stdin.is_empty() {
        let task = tokio::spawn(end_with_stdin(
            core,
            live,
            id.clone(),
            pid,
            spec.stdio.stdin,
        ));
        inner.attachments.tie(pid, task.abort_handle());
    }
    Ok(pid)
}

/// Returns the rate of a container's log lines per second, if it writes any.
fn log_rate(inner: &Inner, id: &ProcessId) -> Option<f64> {
    if id.exec.is_some() {
        return None;
    }
    let container = inner.slot.container(&id.container).ok()?;
    let rate = container.behaviour.as_ref()?.log_lines_per_second;
    (rate > 0.0).then_some(rate)
}

/// Opens an output of an exec process as soon as it has a reader, and holds it until the
/// process ends. A reader that comes after the end, and before the process is deleted,
/// reads the end of the stream at once.
async fn write_nothing(live: Arc<LiveSlot>, id: ProcessId, pid: u32, path: String) {
    let is_known = || {
        let inner = live.lock();
        inner.is_ok_and(|inner| inner.slot.process(&id).is_ok_and(|p| p.spec.pid == pid))
    };
    let Some(stream) = stdio::open_for_writing(&path, is_known).await else {
        return;
    };
    if let Ok(mut inner) = live.lock()
        && inner.is_running(&id, pid)
    {
        inner.attachments.hold(pid, [stream]);
    }
}

/// Ends a process without a command when its standard input ends, as `cat` would.
async fn end_with_stdin(
    core: Arc<Core>,
    live: Arc<LiveSlot>,
    id: ProcessId,
    pid: u32,
    path: String,
) {
    stdio::stdin_ended(&path).await;
    end(&core, &live, &id, pid, 0).await;
}

/// Handles a timer of a process that has fired.
pub(super) fn fire(core: &Arc<Core>, due: Due) {
    let Some(live) = due.live.upgrade() else {
        return;
    };
    match due.purpose {
        Purpose::End => end_is_due(core, &live, due),
        Purpose::Log => log_is_due(core, &live, due),
        Purpose::Signalled(code) => {
            if try_end(core, &live, &due.id, due.pid, code.into()).is_err() {
                core.timers.again(end::RETRY, due);
            }
        }
    }
}

/// Ends a process by its timer, unless the process has ended before.
fn end_is_due(core: &Arc<Core>, live: &Arc<LiveSlot>, due: Due) {
    let life = {
        let Ok(inner) = live.lock() else { return };
        if !inner.is_running(&due.id, due.pid) {
            return;
        }
        let Ok(process) = inner.slot.process(&due.id) else {
            return;
        };
        let life = process.spec.planned_exit.clone();
        if life.oom && life.exit_code == KILLED && core.publisher_of(&inner.slot).is_some() {
            tokio::spawn(end_out_of_memory(Arc::clone(core), Arc::clone(live), due));
            return;
        }
        life
    };
    if try_end(core, live, &due.id, due.pid, life.exit_code).is_err() {
        core.timers.again(end::RETRY, due);
    }
}

/// Publishes the OOM event before the end, because containerd only then gives the end the
/// reason "out of memory".
async fn end_out_of_memory(core: Arc<Core>, live: Arc<LiveSlot>, due: Due) {
    if let Some(publisher) = &core.publisher {
        let event = Event::oom(&live.key, &due.id.container);
        publisher.posted(event).await;
    }
    end(&core, &live, &due.id, due.pid, KILLED).await;
}

/// Hands the simulated lines that are due to the thread that writes them, and sets the timer
/// anew.
fn log_is_due(core: &Arc<Core>, live: &Arc<LiveSlot>, due: Due) {
    let Some(lines) = due.lines.clone() else {
        return;
    };
    let Ok(mut inner) = live.lock() else { return };
    if !inner.is_running(&due.id, due.pid) {
        return;
    }
    let Ok(process) = inner.slot.process(&due.id) else {
        return;
    };
    let is_running = process.state == ProcessState::Running;
    let range = lines.due(Instant::now(), is_running);
    if !range.is_empty()
        && let Some(writer) = core.line_writer()
    {
        let end = range.end;
        let target = match userland::console(core, &mut inner, &due.id, due.pid) {
            Some(console) => Target::Console(console),
            None => Target::Stdout(Arc::downgrade(live), due.pid),
        };
        let of_lines = Arc::clone(&lines);
        if writer.try_write(move || target.write(&of_lines, range)) {
            lines.handed_over(end);
        }
    }
    drop(inner);
    core.timers.again(LOG_INTERVAL, due);
}

/// Destination of simulated lines.
enum Target {
    Console(Arc<Console>),
    /// The first stream of a process, if the process still runs.
    Stdout(Weak<LiveSlot>, u32),
}

impl Target {
    /// Writes lines, and returns the number of bytes.
    fn write(&self, lines: &Lines, range: Range<u64>) -> usize {
        match self {
            Self::Console(console) => {
                let text = lines.text(range, || console.last_simulated_line());
                if let Err(e) = console.write_now(Output::Stdout, text.as_bytes()) {
                    debug!("simulated lines of a log are lost: {e}");
                }
                text.len()
            }
            Self::Stdout(live, pid) => {
                let text = lines.text(range, || None);
                if let Some(live) = live.upgrade()
                    && let Ok(inner) = live.lock()
                    && let Some(stdout) = inner.attachments.streams(*pid).first()
                {
                    stdio::try_write(stdout, text.as_bytes());
                }
                text.len()
            }
        }
    }
}

/// Deletes a process. A process that was never started is ended first, so that its waiters
/// get an exit.
///
/// # Errors
/// `FailedPrecondition` if the process runs; the journal's error.
pub(super) fn delete(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    inner: &mut Inner,
    id: ProcessId,
) -> Result<(Committed, Deleted)> {
    let process = inner.slot.process(&id).map_err(refuse::change)?;
    let (pid, exit) = (process.spec.pid, process.exit);
    let committed = core.commit(live, inner, Change::DeleteProcess(id))?;
    let deleted = Deleted {
        pid,
        exit: exit
            .or_else(|| committed.exit_of(pid))
            .map(convert::api_exit),
    };
    Ok((committed, deleted))
}
