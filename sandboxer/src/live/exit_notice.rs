//! Exits that a change caused, until their waiters are told.

use std::sync::Arc;

use containerd_sandbox::ExitSignal;
use tokio::runtime::Handle;

use super::convert;
use super::core::Core;
use super::live_slot::LiveSlot;
use slot::{Ended, Exit};

/// Exits that a change caused. The notice is given when it is dropped, because the
/// caller of the change may be gone by then.
pub(super) struct ExitNotice {
    /// `None` for a change that ended nothing.
    exits: Option<Exits>,
    is_durable: bool,
}

/// Contents of a notice. Without `Drop` of its own: a runtime that shuts down drops the
/// task that gives the notice, and must not be handed another task by that.
struct Exits {
    core: Arc<Core>,
    live: Arc<LiveSlot>,
    sandbox: Option<(Arc<ExitSignal>, Exit)>,
    processes: Vec<Ended>,
}

impl ExitNotice {
    pub(super) fn new(
        core: &Arc<Core>,
        live: &Arc<LiveSlot>,
        sandbox: Option<(Arc<ExitSignal>, Exit)>,
        processes: Vec<Ended>,
    ) -> Self {
        let is_empty = sandbox.is_none() && processes.is_empty();
        let exits = (!is_empty).then(|| Exits {
            core: Arc::clone(core),
            live: Arc::clone(live),
            sandbox,
            processes,
        });
        Self {
            exits,
            is_durable: false,
        }
    }

    /// Records that the change is as durable as was asked for.
    pub(super) fn set_durable(&mut self) {
        self.is_durable = true;
    }

    /// Returns the exit of a process, if the change ended it.
    pub(super) fn exit_of(&self, pid: u32) -> Option<Exit> {
        let mut processes = self.exits.iter().flat_map(|exits| &exits.processes);
        let ended = processes.find(|ended| ended.pid == pid);
        ended.map(|ended| ended.exit)
    }
}

impl Exits {
    fn fire_sandbox(&mut self) {
        if let Some((signal, exit)) = self.sandbox.take() {
            signal.fire(convert::api_exit(exit));
        }
    }

    /// Waits until the change is certain to be as durable as was asked for, and tells
    /// the waiters. Exits of processes follow [`Settings::exit_delay`] later, so that the
    /// reply to the call that ended them goes first.
    ///
    /// [`Settings::exit_delay`]: super::core::Settings::exit_delay
    async fn tell(mut self, is_durable: bool) {
        if !is_durable {
            self.core.certain().await;
        }
        self.fire_sandbox();
        let delay = self.core.settings.exit_delay;
        if delay.is_zero() {
            // On a runtime with one thread the task that replies runs first.
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(delay).await;
        }
        for ended in &self.processes {
            self.live.release(ended);
        }
    }
}

impl Drop for ExitNotice {
    fn drop(&mut self) {
        let Some(mut exits) = self.exits.take() else {
            return;
        };
        if self.is_durable {
            exits.fire_sandbox();
        }
        if exits.processes.is_empty() && exits.sandbox.is_none() {
            return;
        }
        // Without a runtime no waiter is left.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(exits.tell(self.is_durable));
        }
    }
}
