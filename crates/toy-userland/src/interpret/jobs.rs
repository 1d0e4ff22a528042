//! The table of a shell's background commands.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::world::Signals;

/// The background commands of a shell. Dropping the table ends them.
#[derive(Default)]
pub(crate) struct Jobs {
    tasks: JoinSet<(u32, u8)>,
    codes: BTreeMap<u32, u8>,
}

impl Jobs {
    /// Adds a task, which ends with the command's process id and exit code.
    pub(super) fn spawn(&mut self, task: impl Future<Output = (u32, u8)> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Takes the exit code of a command that has ended.
    pub(super) fn take_code(&mut self, pid: u32) -> Option<u8> {
        self.codes.remove(&pid)
    }

    /// Waits until a background command ends, and returns its process id and exit code; `None`
    /// if no command is left.
    pub(super) async fn next(&mut self) -> Option<(u32, u8)> {
        while let Some(ended) = self.tasks.join_next().await {
            // A task that cannot be joined was aborted.
            if let Ok((pid, code)) = ended {
                self.codes.insert(pid, code);
                return Some((pid, code));
            }
        }
        None
    }
}

/// Runs a process to its end, or until a signal ends it. Returns the exit code.
pub(crate) async fn until_killed(signals: &Signals, running: impl Future<Output = u8>) -> u8 {
    tokio::select! {
        biased;
        signal = signals.killed() => signal.exit_code(),
        code = running => code,
    }
}
