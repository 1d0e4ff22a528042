//! Background commands, and signals that a script traps.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::task::JoinSet;

use super::{Input, Interpreter, Outcome, Unwind};
use crate::syntax::AndOr;
use crate::world::{Process, Signal, Signals};

/// The background commands of a shell. They end with it.
#[derive(Default)]
pub(crate) struct Jobs {
    tasks: JoinSet<(u32, u8)>,
    codes: BTreeMap<u32, u8>,
}

impl Jobs {
    /// Waits for the next one that ends; none if there are no more.
    async fn next(&mut self) -> Option<(u32, u8)> {
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

impl Interpreter {
    /// Starts a command in the background.
    pub(super) async fn start_job(&mut self, command: &Arc<AndOr>) -> u8 {
        let Ok(permit) = Arc::clone(&self.forks).try_acquire_owned() else {
            self.complain("can't fork: Resource temporarily unavailable")
                .await;
            return 2;
        };
        let signals = Arc::<Signals>::default();
        let listed = self.world.processes().start(Process {
            command: self.name.clone(),
            signals: Arc::clone(&signals),
        });
        let pid = listed.pid;
        let mut shell = self.subshell();
        shell.descriptors.stdin = Input::empty();
        shell.signals = Arc::clone(&signals);
        let command = Arc::clone(command);
        self.jobs.tasks.spawn(async move {
            let running = async {
                let outcome = shell.and_or(&command).await;
                shell.finish(outcome).await
            };
            let code = until_killed(&signals, running).await;
            drop((permit, listed));
            (pid, code)
        });
        self.last_job = Some(pid);
        0
    }

    /// Waits for a background command, or for all of them, or for a trap.
    pub(crate) async fn wait_for(&mut self, pid: Option<u32>) -> Outcome {
        loop {
            if let Some(code) = pid.and_then(|pid| self.jobs.codes.remove(&pid)) {
                return Ok(code);
            }
            let signals = Arc::clone(&self.signals);
            let ended = tokio::select! {
                ended = self.jobs.next() => ended,
                () = signals.trapped() => {
                    self.run_traps().await?;
                    return Ok(Signal::TERM.exit_code());
                }
            };
            if ended.is_none() {
                return Ok(if pid.is_some() { 127 } else { 0 });
            }
        }
    }

    /// Runs the actions of the trapped signals that have come.
    ///
    /// # Errors
    /// What an action asks for, such as the end of the shell.
    pub(super) fn run_traps(&mut self) -> BoxFuture<'_, Result<(), Unwind>> {
        Box::pin(async move {
            if self.in_trap {
                return Ok(());
            }
            while let Some(signal) = self.signals.take_trapped() {
                if let Some(action) = self.traps.get(&signal).cloned() {
                    self.run_trap(&action).await?;
                }
            }
            Ok(())
        })
    }

    /// Runs one action, which leaves `$?` as it was.
    pub(super) async fn run_trap(&mut self, action: &str) -> Result<(), Unwind> {
        let status = self.status;
        let list = self.parse(action).await?;
        self.in_trap = true;
        let outcome = self.list(&list).await;
        self.in_trap = false;
        self.status = status;
        outcome.map(|_| ())
    }
}
