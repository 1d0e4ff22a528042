//! What goes on behind a running fake process, and its end.

use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::{Deleted, Result};
use tracing::{debug, warn};

use super::core::{Committed, Core, Inner, LiveSlot};
use crate::simulate::stdio;
use crate::slot::{Change, KILLED, NewProcess, ProcessId, ProcessState};
use crate::store::ViewOp;
use crate::time::Timestamp;
use crate::upstream::Event;

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
    let process = inner.slot.process(id)?;
    let spec = process.spec.clone();
    let pid = spec.pid;
    let left = spec
        .life
        .ends_after
        .map(|after| after.saturating_sub(Duration::from_nanos(process.ran_ns(Timestamp::now()))));
    if id.exec.is_none() && !spec.stdio.is_unset() {
        let streams = stdio::hold(&spec.stdio);
        if !streams.is_empty() {
            inner.attachments.hold(pid, streams);
        }
    }
    if id.exec.is_some() {
        for path in [&spec.stdio.stdout, &spec.stdio.stderr] {
            if !path.is_empty() {
                let (live, id, path) = (Arc::clone(live), id.clone(), path.clone());
                tokio::spawn(write_nothing(live, id, pid, path));
            }
        }
    }
    let has_background = left.is_some() || !spec.stdio.stdin.is_empty();
    if has_background {
        let (core, live, id) = (Arc::clone(core), Arc::clone(live), id.clone());
        let task = tokio::spawn(run(core, live, id, spec, left));
        inner.attachments.tie(pid, task.abort_handle());
    }
    Ok(pid)
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

/// What a process does until it ends by itself. If it is ended meanwhile, what
/// is left of this does no harm.
async fn run(
    core: Arc<Core>,
    live: Arc<LiveSlot>,
    id: ProcessId,
    spec: NewProcess,
    left: Option<Duration>,
) {
    let code = tokio::select! {
        () = sleep(left) => spec.life.exit_code,
        () = stdio::stdin_ended(&spec.stdio.stdin) => 0,
    };
    let publisher = match live.lock() {
        Ok(inner) if spec.life.oom && code == KILLED => core.publisher_of(&inner.slot),
        _ => None,
    };
    // containerd gives an end this reason only if it hears of it before.
    if let Some(publisher) = publisher {
        publisher.posted(Event::oom(&live.key, &id.container)).await;
    }
    end(&core, &live, &id, spec.pid, code).await;
}

fn is_running(inner: &Inner, id: &ProcessId, pid: u32) -> bool {
    inner.slot.process(id).is_ok_and(|process| {
        process.spec.pid == pid
            && matches!(process.state, ProcessState::Running | ProcessState::Paused)
    })
}

async fn sleep(left: Option<Duration>) {
    match left {
        Some(left) => tokio::time::sleep(left).await,
        None => std::future::pending().await,
    }
}

/// Ends a process that has come to its end by itself. The journal may be out of
/// space just then: the end is recorded as soon as it can be.
async fn end(core: &Arc<Core>, live: &Arc<LiveSlot>, id: &ProcessId, pid: u32, code: u32) {
    const RETRY: Duration = Duration::from_millis(200);
    loop {
        let ended = match live.lock() {
            Ok(mut inner) if is_running(&inner, id, pid) => {
                core.commit(live, &mut inner, Change::Exit(id.clone(), code))
            }
            _ => return,
        };
        match ended {
            Ok(_) => return debug!("{id} in sandbox {} ended with {code}", live.key),
            Err(e) => debug!("{id} in sandbox {} cannot end yet: {e}", live.key),
        }
        tokio::time::sleep(RETRY).await;
    }
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
    let process = inner.slot.process(&id)?;
    let (pid, exit) = (process.spec.pid, process.exit);
    let committed = core.commit(live, inner, Change::DeleteProcess(id.clone()))?;
    let deleted = Deleted {
        pid,
        exit: exit.or_else(|| committed.exit_of(pid)).map(Into::into),
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
