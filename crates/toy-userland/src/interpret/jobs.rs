//! The table of a shell's background commands.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::world::Signals;

/// The background commands of a shell. They end with it.
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

    /// Waits for the next one that ends; none if there are no more.
    pub(super) async fn next(&mut self) -> Option<(u32, u8)> {
        while let Some(ended) = self.tasks.join_next().await {
            // One that cannot be joined was ended with its shell.
            if let Ok((pid, code)) = ended {
                self.codes.insert(pid, code);
                return Some((pid, code));
            }
        }
        None
    }
}

/// Runs something until a signal ends it.
pub(crate) async fn until_killed(signals: &Signals, running: impl Future<Output = u8>) -> u8 {
    tokio::select! {
        biased;
        signal = signals.killed() => signal.exit_code(),
        code = running => code,
    }
}
