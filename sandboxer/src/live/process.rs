//! What goes on behind a running fake process, and its end.

use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::{Deleted, Result};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::console::Output;
use super::convert;
use super::core::{Committed, Core, Inner, LiveSlot};
use super::timers::{Due, What};
use super::userland;
use crate::refuse;
use crate::simulate::{logs, stdio};
use crate::upstream::Event;
use slot::Timestamp;
use slot::{Change, KILLED, ProcessId, ProcessState};
use views::ViewOp;

/// How soon an end that cannot be recorded is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// How often containers write to their logs.
const LOG_INTERVAL: Duration = Duration::from_millis(500);

/// Takes up every running process of a recovered slot.
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
        if let Err(e) = resume(core, live, &mut inner, &id) {
            warn!("{id} in sandbox {}: {e}", live.key);
        }
    }
}

/// Opens the streams of a process that has just been started or recovered, and
/// sees to it that it ends when its life is over. Returns its process id.
pub(super) fn resume(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    inner: &mut Inner,
    id: &ProcessId,
) -> Result<u32> {
    let process = inner.slot.process(id).map_err(refuse::change)?;
    let spec = process.spec.clone();
    let pid = spec.pid;
    let done_ns = process.ran_ns(Timestamp::now());
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
    let due = |what| Due {
        live: Arc::downgrade(live),
        id: id.clone(),
        pid,
        what,
        done_ns,
    };
    if log_rate(inner, id).is_some()
        && let Some(timer) = core.timers.set(LOG_INTERVAL, due(What::Log))
    {
        inner.attachments.tie_timer(pid, timer);
    }
    let (core, live) = (Arc::clone(core), Arc::clone(live));
    if !spec.command.is_empty() {
        if !spec.stdio.stdin.is_empty() {
            inner.attachments.shelled_mut(pid).stdin_closed = Some(CancellationToken::new());
        }
        let task = tokio::spawn(userland::run_process(core, live, id.clone(), spec));
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
        && let Some(timer) = core.timers.set(left, due(What::End))
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

/// How many lines a container writes a second, if it writes any.
fn log_rate(inner: &Inner, id: &ProcessId) -> Option<f64> {
    if id.exec.is_some() {
        return None;
    }
    let container = inner.slot.container(&id.container).ok()?;
    let rate = container.behaviour.as_ref()?.log_lines_per_second;
    (rate > 0.0).then_some(rate)
}

/// Opens a stream of an exec process as soon as somebody reads it, and holds it
/// until the process ends. Whoever comes after that, and before the process is
/// deleted, reads the end at once.
async fn write_nothing(live: Arc<LiveSlot>, id: ProcessId, pid: u32, path: String) {
    let is_known = || {
        let inner = live.lock();
        inner.is_ok_and(|inner| inner.slot.process(&id).is_ok_and(|p| p.spec.pid == pid))
    };
    let Some(stream) = stdio::open_for_writing(&path, is_known).await else {
        return;
    };
    if let Ok(mut inner) = live.lock()
        && is_running(&inner, &id, pid)
    {
        inner.attachments.hold(pid, [stream]);
    }
}

/// A process with standard input that runs nothing ends with it, as `cat` would.
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

/// The life of a process is over: it ends. If it is ended already, this does no harm.
pub(super) fn life_is_over(core: &Arc<Core>, live: &Arc<LiveSlot>, due: Due) {
    let life = {
        let Ok(inner) = live.lock() else { return };
        if !is_running(&inner, &due.id, due.pid) {
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
        core.timers.again(RETRY, due);
    }
}

/// containerd gives an end the reason that the memory was out only if it hears of
/// that before.
async fn end_out_of_memory(core: Arc<Core>, live: Arc<LiveSlot>, due: Due) {
    if let Some(publisher) = &core.publisher {
        let event = Event::oom(&live.key, &due.id.container);
        publisher.posted(event).await;
    }
    end(&core, &live, &due.id, due.pid, KILLED).await;
}

/// A container is to have written so many lines by now.
pub(super) fn log_is_due(core: &Arc<Core>, live: &Arc<LiveSlot>, due: Due) {
    let Ok(mut inner) = live.lock() else { return };
    if !is_running(&inner, &due.id, due.pid) {
        return;
    }
    let Some(rate) = log_rate(&inner, &due.id) else {
        return;
    };
    let Ok(process) = inner.slot.process(&due.id) else {
        return;
    };
    let ran_ns = process.ran_ns(Timestamp::now());
    let lines = logs::lines(rate, due.done_ns, ran_ns);
    if !lines.is_empty() {
        match userland::console(core, &mut inner, &due.id, due.pid) {
            Some(console) => console.try_write(Output::Stdout, lines.as_bytes()),
            None => {
                if let Some(stdout) = inner.attachments.streams(due.pid).first() {
                    stdio::try_write(stdout, lines.as_bytes());
                }
            }
        }
    }
    let due = Due {
        done_ns: ran_ns,
        ..due
    };
    core.timers.again(LOG_INTERVAL, due);
}

pub(super) fn is_running(inner: &Inner, id: &ProcessId, pid: u32) -> bool {
    inner.slot.process(id).is_ok_and(|process| {
        process.spec.pid == pid
            && matches!(process.state, ProcessState::Running | ProcessState::Paused)
    })
}

/// Ends a process that has come to its end by itself. The journal may be out of
/// space just then: the end is recorded as soon as it can be.
pub(super) async fn end(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    id: &ProcessId,
    pid: u32,
    code: u32,
) {
    while try_end(core, live, id, pid, code).is_err() {
        tokio::time::sleep(RETRY).await;
    }
}

fn try_end(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    id: &ProcessId,
    pid: u32,
    code: u32,
) -> Result<()> {
    let ended = match live.lock() {
        Ok(mut inner) if is_running(&inner, id, pid) => {
            core.commit(live, &mut inner, Change::Exit(id.clone(), code))
        }
        _ => return Ok(()),
    };
    match &ended {
        Ok(_) => debug!("{id} in sandbox {} ended with {code}", live.key),
        Err(e) => debug!("{id} in sandbox {} cannot end yet: {e}", live.key),
    }
    ended.map(drop)
}

/// Forgets a process; one that was never started is ended first, so that nobody
/// waits for it in vain.
///
/// # Errors
/// If it runs, or the journal fails.
pub(super) fn delete(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    inner: &mut Inner,
    id: ProcessId,
) -> Result<(Committed, Deleted)> {
    let process = inner.slot.process(&id).map_err(refuse::change)?;
    let (pid, exit) = (process.spec.pid, process.exit);
    let committed = core.commit(live, inner, Change::DeleteProcess(id.clone()))?;
    let deleted = Deleted {
        pid,
        exit: exit
            .or_else(|| committed.exit_of(pid))
            .map(convert::api_exit),
    };
    if id.exec.is_none() {
        let key = live.key.sibling(&id.container);
        // Before the id is free, or this would remove the view of its next owner.
        core.views.submit_lazily(ViewOp::Remove {
            key: live.key.clone(),
            container: Some(id.container),
        });
        if let Ok(key) = key {
            core.containers.remove(&key);
        }
    }
    Ok((committed, deleted))
}
