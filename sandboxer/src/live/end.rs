//! Ends of processes that come by themselves.

use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::Result;
use tracing::debug;

use super::core::Core;
use super::live_slot::LiveSlot;
use crate::upstream::Event;
use slot::{Change, ProcessId};

/// Time after which an end that could not be recorded is tried again.
pub(super) const RETRY: Duration = Duration::from_millis(200);

/// Ends a process that has come to its end by itself. If the journal fails, as for want of
/// space, the end is recorded as soon as it can be.
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

/// Ends a container for lack of memory. The event of that is published before the end, because
/// containerd only then gives the end its reason.
pub(super) async fn end_out_of_memory(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    id: &ProcessId,
    pid: u32,
) {
    let publisher = live
        .lock()
        .ok()
        .and_then(|inner| core.publisher_of(&inner.slot));
    if let Some(publisher) = publisher {
        publisher.posted(Event::oom(&live.key, &id.container)).await;
    }
    while try_change(core, live, id, pid, Change::OutOfMemory(id.clone())).is_err() {
        tokio::time::sleep(RETRY).await;
    }
}

/// Ends a process once; a process that does not run any more is left as it is.
///
/// # Errors
/// If the journal failed.
pub(super) fn try_end(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    id: &ProcessId,
    pid: u32,
    code: u32,
) -> Result<()> {
    try_change(core, live, id, pid, Change::Exit(id.clone(), code))
}

fn try_change(
    core: &Arc<Core>,
    live: &Arc<LiveSlot>,
    id: &ProcessId,
    pid: u32,
    change: Change,
) -> Result<()> {
    let ended = match live.lock() {
        Ok(mut inner) if inner.is_running(id, pid) => core.commit(live, &mut inner, change),
        _ => return Ok(()),
    };
    match &ended {
        Ok(_) => debug!("{id} in sandbox {} ended by itself", live.key),
        Err(e) => debug!("{id} in sandbox {} cannot end yet: {e}", live.key),
    }
    ended.map(drop)
}
