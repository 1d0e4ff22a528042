//! Background commands and `wait`, POSIX XCU 2.9.3.1.

use std::sync::Arc;

use super::interpreter::Interpreter;
use super::jobs::until_killed;
use crate::outcome::Outcome;
use crate::streams::Input;
use crate::syntax::AndOr;
use crate::world::{Process, Signals};

impl Interpreter {
    /// Starts a command in the background, and returns 0, or 2 with a message if
    /// [`Limits::jobs`](crate::Limits::jobs) commands run already.
    pub(super) async fn start_job(&mut self, command: &Arc<AndOr>) -> u8 {
        let Ok(permit) = Arc::clone(&self.forks).try_acquire_owned() else {
            self.complain("can't fork: Resource temporarily unavailable")
                .await;
            return 2;
        };
        let signals = Arc::<Signals>::default();
        let listed = self.directory.world.processes().start(Process {
            command: self.name.clone(),
            signals: Arc::clone(&signals),
        });
        let pid = listed.pid;
        let mut shell = self.subshell();
        shell.descriptors.stdin = Input::empty();
        shell.signals = Arc::clone(&signals);
        let command = Arc::clone(command);
        self.jobs.spawn(async move {
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

    /// Waits for a background command, or for all of them if `pid` is `None`, or until a
    /// trapped signal arrives. An unknown `pid` is 127.
    pub(crate) async fn wait_for(&mut self, pid: Option<u32>) -> Outcome {
        loop {
            if let Some(code) = pid.and_then(|pid| self.jobs.take_code(pid)) {
                return Ok(code);
            }
            let signals = Arc::clone(&self.signals);
            let ended = tokio::select! {
                ended = self.jobs.next() => ended,
                signal = signals.trapped() => {
                    self.run_traps().await?;
                    return Ok(signal.exit_code());
                }
            };
            if ended.is_none() {
                return Ok(if pid.is_some() { 127 } else { 0 });
            }
        }
    }
}
