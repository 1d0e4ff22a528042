//! What a container's commands see: its files, its user, its processes. It is
//! made from a [`Setup`] and lives as long as the container, so that what one
//! exec writes the next one reads.

mod capabilities;
mod error;
mod files;
mod mounts;
pub(super) mod path;
mod processes;
mod setup;
mod tree;
mod user;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

pub use capabilities::{Capabilities, CapabilitySet};
pub use error::FileError;
pub(super) use files::{KERNEL_RELEASE, exchange_dot_and_slash};
pub use mounts::Mount;
pub(super) use mounts::mount_of;
pub(super) use processes::{INIT, Process, Processes};
pub use processes::{Signal, Signals};
pub use setup::{Seccomp, Setup};
pub(super) use tree::{Device, Kind, Node, Opening, PROGRAM_DIRECTORIES, Tree};
pub use user::User;

/// A container's world.
#[derive(Debug)]
pub struct World {
    setup: Setup,
    started: Instant,
    tree: Mutex<Tree>,
    processes: Arc<Processes>,
}

impl World {
    /// Makes the world that a description asks for, with programs of these names in `/bin`.
    pub(super) fn with_programs(setup: Setup, programs: &'static [&'static str]) -> Self {
        let tree = files::tree(&setup, programs);
        let processes = Processes::new(setup.command.join(" "));
        Self {
            setup,
            started: Instant::now(),
            tree: Mutex::new(tree),
            processes: Arc::new(processes),
        }
    }

    /// The signals that commands have sent to the container's first process, for
    /// whoever simulates that.
    pub fn init_signals(&self) -> Arc<Signals> {
        self.processes.signals(INIT).unwrap_or_default()
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The files. The lock must not be held across an await.
    pub(super) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock()
    }

    pub(super) fn processes(&self) -> &Arc<Processes> {
        &self.processes
    }

    /// How long the world has been there.
    pub(super) fn age(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    pub(super) fn now(&self) -> SystemTime {
        let now = self.setup.now.checked_add(self.age());
        now.unwrap_or(self.setup.now)
    }
}
