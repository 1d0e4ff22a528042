//! The world that a container's commands see: its files, its user and its processes. It is
//! made from a [`Setup`] and lives as long as the container, so that one command reads the
//! files that another has written.

mod capabilities;
mod error;
mod host;
mod image_volume;
mod memory;
mod mounts;
mod node;
pub(super) mod path;
mod processes;
mod room;
mod rootfs;
mod setup;
mod tree;
mod user;
mod volume;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

pub use capabilities::{Capabilities, CapabilitySet};
pub use error::FileError;
pub use host::{HostFiles, HostKind, HostNode, Special};
pub(super) use image_volume::of_image;
use memory::Memory;
pub use mounts::Mount;
pub(super) use node::{Device, Node, NodeKind};
use processes::{INIT, Running};
pub use processes::{PidNamespace, Signal, Signals};
pub(super) use processes::{Process, Processes};
pub use room::Room;
pub(super) use rootfs::{KERNEL_RELEASE, exchange_dot_and_slash};
pub use setup::{IdMap, Seccomp, Setup};
pub(super) use tree::{OpenMode, PROGRAM_DIRECTORIES, Tree};
pub use user::User;
pub use volume::Volume;

/// The files, processes and clock of one container.
#[derive(Debug)]
pub struct World {
    setup: Setup,
    started: Instant,
    tree: Mutex<Tree>,
    /// Files to place before the next look at the tree.
    changed: Mutex<Vec<(String, Vec<u8>)>>,
    hostname: Mutex<String>,
    processes: Arc<Processes>,
    memory: Memory,
    /// The first process in a namespace that the container shares.
    shared_init: Option<Running>,
}

impl World {
    /// Makes a world with programs of these names in `/bin`.
    pub(super) fn with_programs(setup: Setup, programs: &'static [&'static str]) -> Self {
        let tree = rootfs::tree(&setup, programs);
        let command = setup.command.join(" ");
        let (processes, shared_init) = match &setup.pid_namespace {
            None => (Arc::new(Processes::new(command)), None),
            Some(shared) => {
                let signals = Arc::default();
                let init = Process { command, signals };
                let running = shared.processes().start(init);
                (Arc::clone(shared.processes()), Some(running))
            }
        };
        Self {
            hostname: Mutex::new(setup.hostname.clone()),
            setup,
            started: Instant::now(),
            tree: Mutex::new(tree),
            changed: Mutex::default(),
            processes,
            memory: Memory::default(),
            shared_init,
        }
    }

    /// Sets the memory limit of the container, in bytes. Without one there is none.
    pub fn limit_memory(&self, bytes: u64) {
        self.memory.limit(bytes);
    }

    /// Returns whether a command wanted more memory than the container may use.
    pub fn is_out_of_memory(&self) -> bool {
        self.memory.is_exceeded()
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
        self.processes.signals(self.init()).unwrap_or_default()
    }

    /// Returns the process id of the container's first process.
    pub(super) fn init(&self) -> u32 {
        self.shared_init.as_ref().map_or(INIT, |init| init.pid)
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Locks the file tree. The lock must not be held across an await.
    pub(super) fn tree(&self) -> MutexGuard<'_, Tree> {
        let mut tree = self.tree.lock();
        for (path, content) in std::mem::take(&mut *self.changed.lock()) {
            tree.replace(&path, content);
        }
        tree
    }

    /// Replaces the contents of files of the container's own, such as those of its control group,
    /// before the next command looks at them. A file that does not exist is left out. The call
    /// waits for no command.
    pub fn replace_files(&self, files: Vec<(String, Vec<u8>)>) {
        *self.changed.lock() = files;
    }

    /// Returns whether the filter of system calls denies one of these.
    pub(super) fn denies(&self, calls: &[&str]) -> bool {
        let mut denied = self.setup.denied_calls.iter();
        denied.any(|denied| calls.contains(&denied.as_str()))
    }

    /// Returns the host name.
    pub(super) fn hostname(&self) -> String {
        self.hostname.lock().clone()
    }

    /// Changes the host name, sethostname(2): that of this container alone.
    ///
    /// # Errors
    /// [`FileError::NotPermitted`] without the capability `SYS_ADMIN`; [`FileError::Invalid`] for
    /// a name of more than 64 bytes.
    pub(super) fn set_hostname(&self, name: &str) -> Result<(), FileError> {
        const MAX_BYTES: usize = 64;
        let admin = CapabilitySet::from_names(["SYS_ADMIN"]).0;
        let is_admin = self.setup.capabilities.effective.0 & admin != 0;
        if !is_admin || self.denies(&["sethostname"]) {
            return Err(FileError::NotPermitted);
        }
        if name.len() > MAX_BYTES {
            return Err(FileError::Invalid);
        }
        name.clone_into(&mut self.hostname.lock());
        Ok(())
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
