//! State that all sandboxes share.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use containerd_sandbox::server::Limit;
use containerd_sandbox::{Error, Key, Result};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::appender::Appender;
use super::drain::Drain;
use super::live_slot::{Due, LiveSlot, sandbox_not_found};
use super::log_root::LogRoot;
use super::observe::{Observer, PortWatch};
use super::scripts::Scripts;
use super::simulated_log::LineWriter;
use super::timers::Timers;
use super::volumes::{HostRules, Lookers};
use crate::clock::Clock;
use crate::simulate::pids::Pids;
use crate::simulate::profile::Profile;
use crate::simulate::usage::Sampling;
use crate::upstream::Publisher;
use journal::Journal;
use pod_resources::Rules;
use slot::{Moment, Origin, Slot, Table};
use toy_userland::{Io, Shell};
use views::Views;

/// Settings of the sandboxer that a user can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Behaviour of pods and containers, and calls that fail.
    pub profile: Arc<Profile>,
    /// Choices of how resource values are read.
    pub rules: Rules,
    /// Time from the call that ends a process to the process's exit. containerd needs the
    /// reply to Kill before the one to Wait. Zero is enough on a runtime with one thread,
    /// where the task that replies to Kill runs first.
    pub exit_delay: Duration,
    /// Exit code of a command that the toy userland does not have.
    pub unknown_command: u8,
    /// Largest number of sandboxes.
    pub max_sandboxes: usize,
    /// Directory below which alone log files are written.
    pub log_root: LogRoot,
    /// Clocks of the changes and of everything that takes time.
    pub clock: Arc<Clock>,
    /// Memory of the node in bytes, from which OOM score adjustments were computed; 0 if it
    /// is not known.
    pub node_memory: u64,
    /// Rules for the files of the node that containers mount.
    pub host: HostRules,
    /// For tests: extra CPU time of everything, in percent.
    pub slowdown_percent: u32,
}

/// State that all sandboxes share.
pub(super) struct Core {
    pub(super) sandboxes: Table<Key, LiveSlot>,
    /// Number of sandboxes and its limit.
    pub(super) count: Limit,
    /// Sandbox of each container, because the task API names a container only.
    pub(super) containers: Table<Key, LiveSlot>,
    pub(super) journal: Journal,
    pub(super) views: Views,
    pub(super) pids: Pids,
    pub(super) drain: Drain,
    pub(super) timers: Timers<Due>,
    /// Started when the first container writes to a log; `None` if that failed.
    pub(super) appender: OnceLock<Option<Appender>>,
    /// Started when the first container writes simulated lines; `None` if that failed.
    pub(super) line_writer: OnceLock<Option<LineWriter>>,
    /// Started when the first container runs a command; `None` if that failed.
    pub(super) scripts: OnceLock<Option<Scripts>>,
    /// Threads that look at files of the node.
    pub(super) lookers: Lookers,
    /// Publisher of events to containerd; `None` without `--containerd-address`.
    pub(super) publisher: Option<Publisher>,
    /// Observer of the CRI API's pods, once that API is open.
    pub(super) observer: OnceLock<Observer>,
    /// Watch over changes of the pods' ports, once something answers on them.
    pub(super) port_watch: OnceLock<PortWatch>,
    /// Turns of the lists of all pods: one for each thread that serves requests.
    pub(super) lists: Semaphore,
    pub(super) settings: Settings,
}

impl Core {
    pub(super) fn slot(&self, key: &Key) -> Result<Arc<LiveSlot>> {
        self.sandboxes
            .get(key)
            .ok_or_else(|| sandbox_not_found(key))
    }

    /// Returns the present moment.
    pub(super) fn now(&self) -> Moment {
        self.settings.clock.now()
    }

    /// Returns what a reading of simulated usage depends on beside the slot.
    pub(super) fn sampling(&self) -> Sampling {
        Sampling {
            now: self.now(),
            node_memory: self.settings.node_memory,
        }
    }

    /// Returns the publisher for a slot's events; `None` for slots of the CRI API, of
    /// which containerd knows nothing.
    pub(super) fn publisher_of(&self, slot: &Slot) -> Option<&Publisher> {
        let publisher = self.publisher.as_ref()?;
        (slot.sandbox.origin() == Origin::SandboxApi).then_some(publisher)
    }

    /// Waits until every earlier change is as durable as was asked for, for a reply that
    /// rests on them.
    ///
    /// # Errors
    /// If durability failed.
    pub(super) async fn settled_so_far(&self) -> Result<()> {
        Ok(self.journal.barrier().await?)
    }

    /// Waits as [`Core::settled_so_far`] does, and tries again after each failure.
    pub(super) async fn certain(&self) {
        const RETRY: Duration = Duration::from_millis(200);
        while self.journal.barrier().await.is_err() {
            sleep(RETRY).await;
        }
    }

    /// Returns the appender to log files, unless its thread could not be started.
    pub(super) fn appender(&self) -> Option<Appender> {
        let start = || match Appender::start(self.settings.log_root.clone()) {
            Ok(appender) => Some(appender),
            Err(e) => {
                tracing::warn!("containers have no logs: {e}");
                None
            }
        };
        self.appender.get_or_init(start).clone()
    }

    /// Returns the writer of simulated lines, unless its thread could not be started.
    pub(super) fn line_writer(&self) -> Option<&LineWriter> {
        let start = || match LineWriter::start() {
            Ok(writer) => Some(writer),
            Err(e) => {
                tracing::warn!("containers have no simulated lines: {e}");
                None
            }
        };
        self.line_writer.get_or_init(start).as_ref()
    }

    /// Runs a command in the toy userland, and returns its exit code. Dropping the future kills
    /// the command.
    ///
    /// # Errors
    /// `ResourceExhausted` if the system had no thread for commands.
    pub(super) async fn run(&self, shell: Shell, argv: &[String], io: Io) -> Result<u32> {
        let start = || match Scripts::start() {
            Ok(scripts) => Some(scripts),
            Err(e) => {
                tracing::warn!("commands of containers cannot run: {e}");
                None
            }
        };
        match self.scripts.get_or_init(start) {
            Some(scripts) => Ok(scripts.run(shell, argv.to_vec(), io).await),
            None => Err(Error::resource_exhausted(
                "the system has no thread for commands of containers",
            )),
        }
    }

    /// Returns the number of live sandboxes.
    pub(super) fn len(&self) -> usize {
        self.sandboxes.len()
    }
}
