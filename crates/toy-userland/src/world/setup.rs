//! What a caller says of a container.

use std::time::SystemTime;

use super::capabilities::Capabilities;
use super::mounts::Mount;
use super::user::User;

/// How system calls are filtered, as `/proc/self/status` numbers it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Seccomp {
    /// Not at all: 0.
    #[default]
    Disabled,
    /// A profile: 2.
    Filter,
}

/// A container as its spec and pod describe it. Paths need not be normal: they
/// are taken from the root.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The pod's host name.
    pub hostname: String,
    /// Environment variables, a later one above an earlier.
    pub environment: Vec<(String, String)>,
    /// Where processes start.
    pub working_directory: String,
    /// Who processes run as.
    pub user: User,
    /// What they may do.
    pub capabilities: Capabilities,
    /// Whether an exec may give them more.
    pub no_new_privileges: bool,
    /// How their system calls are filtered.
    pub seccomp: Seccomp,
    /// Kernel parameters by dotted name, such as `kernel.shm_rmid_forced`, above
    /// the ones that every container shows.
    pub sysctls: Vec<(String, String)>,
    /// Mounts in the order in which they are made. One for `/` says whether the
    /// root is read-only; without one it is not.
    pub mounts: Vec<Mount>,
    /// Files of the image or of volumes, by path. They take the place of
    /// `/etc/hosts` and the like.
    pub files: Vec<(String, Vec<u8>)>,
    /// The container's first process, as `ps` shows it.
    pub command: Vec<String>,
    /// How many processors `nproc` counts.
    pub processors: u32,
    /// The time at which the world is made; it goes on with tokio's clock.
    pub now: SystemTime,
    /// The most bytes that files may hold together.
    pub capacity_bytes: usize,
    /// The most files and directories.
    pub capacity_files: usize,
    /// The exit code of a command that is not built in: 127, as a shell gives
    /// it. With 0 nothing is said of it, either.
    pub unknown_command: u8,
}

impl Default for Setup {
    /// A container of root's with nothing stated, at the start of 1970.
    fn default() -> Self {
        Self {
            hostname: "localhost".to_owned(),
            environment: Vec::new(),
            working_directory: "/".to_owned(),
            user: User {
                name: "root".to_owned(),
                ..User::default()
            },
            capabilities: Capabilities::default(),
            no_new_privileges: false,
            seccomp: Seccomp::default(),
            sysctls: Vec::new(),
            mounts: Vec::new(),
            files: Vec::new(),
            command: vec!["/pause".to_owned()],
            processors: 1,
            now: SystemTime::UNIX_EPOCH,
            capacity_bytes: 4 << 20,
            capacity_files: 4096,
            unknown_command: 127,
        }
    }
}
