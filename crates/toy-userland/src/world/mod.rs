//! The world that a container's commands see: its files, its user and its processes. It is
//! made from a [`Setup`] and lives as long as the container, so that one command reads the
//! files that another has written.

mod capabilities;
mod error;
mod memory;
mod mounts;
pub(super) mod path;
mod processes;
mod rootfs;
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
use memory::Memory;
pub use mounts::Mount;
pub(super) use mounts::mount_of;
pub(super) use processes::{INIT, Process, Processes};
pub use processes::{Signal, Signals};
pub(super) use rootfs::{KERNEL_RELEASE, exchange_dot_and_slash};
pub use setup::{Seccomp, Setup};
pub(super) use tree::{Device, Node, NodeKind, OpenMode, PROGRAM_DIRECTORIES, Tree};
pub use user::User;

/// The files, processes and clock of one container.
#[derive(Debug)]
pub struct World {
    setup: Setup,
    started: Instant,
    tree: Mutex<Tree>,
    processes: Arc<Processes>,
    memory: Memory,
}

impl World {
    /// Makes a world with programs of these names in `/bin`.
    pub(super) fn with_programs(setup: Setup, programs: &'static [&'static str]) -> Self {
        let tree = rootfs::tree(&setup, programs);
        let processes = Processes::new(setup.command.join(" "));
        Self {
            setup,
            started: Instant::now(),
            tree: Mutex::new(tree),
            processes: Arc::new(processes),
            memory: Memory::default(),
        }
    }

    /// Sets the memory limit of the container, in bytes. Without one there is none.
    pub fn limit_memory(&self, bytes: u64) {
        self.memory.limit(bytes);
    }

    /// Waits until a command wants more memory than the limit. The command does not go on: the
    /// owner of the world is expected to end the container, as the kernel would.
    pub async fn out_of_memory(&self) {
        self.memory.exceeded().await;
    }

    /// Returns whether a command may use so many bytes of memory.
    pub(super) fn admits(&self, bytes: u64) -> bool {
        self.memory.admits(bytes)
    }

    /// Returns the signals that commands send to the container's first process. The simulation
    /// of that process receives them here.
    pub fn init_signals(&self) -> Arc<Signals> {
        self.processes.signals(INIT).unwrap_or_default()
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Locks the file tree. The lock must not be held across an await.
    pub(super) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock()
    }

    pub(super) fn processes(&self) -> &Arc<Processes> {
        &self.processes
    }

    /// Returns the time since the world was made, by tokio's clock.
    pub(super) fn age(&self) -> std::time::Duration {
        self.started.elapsed()
    }

    pub(super) fn now(&self) -> SystemTime {
        let now = self.setup.now.checked_add(self.age());
        now.unwrap_or(self.setup.now)
    }
}
