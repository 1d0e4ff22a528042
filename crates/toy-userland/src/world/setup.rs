//! The description of a container, from which its world is made.

use std::time::SystemTime;

use super::capabilities::Capabilities;
use super::mounts::Mount;
use super::processes::PidNamespace;
use super::user::User;

/// Filter of system calls, in the terms of `/proc/self/status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Seccomp {
    /// No filter: 0.
    #[default]
    Disabled,
    /// Filter by a profile: 2.
    Filter,
}

/// A range of user or group ids in a user namespace, user_namespaces(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IdMap {
    /// First id in the container.
    pub inside: u32,
    /// Id outside of the container that the first id is.
    pub outside: u32,
    /// Number of ids.
    pub length: u32,
}

/// Description of a container, from its OCI spec and its pod. Paths are normalised, and start
/// at the root.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Host name of the pod.
    pub hostname: String,
    /// Names and values of environment variables. A later value replaces an earlier one.
    pub environment: Vec<(String, String)>,
    /// Working directory of new processes.
    pub working_directory: String,
    /// User that the processes run as.
    pub user: User,
    /// Capabilities of the processes.
    pub capabilities: Capabilities,
    /// Whether an execve(2) may not grant more privileges, as in prctl(2).
    pub no_new_privileges: bool,
    /// Filter of the processes' system calls.
    pub seccomp: Seccomp,
    /// Names of the system calls that the filter denies with `EPERM`. `hostname`, `chmod` and
    /// `chown` ask for theirs.
    pub denied_calls: Vec<String>,
    /// Names, such as `kernel.shm_rmid_forced`, and values of kernel parameters. They replace
    /// those that every container has.
    pub sysctls: Vec<(String, String)>,
    /// Mounts in the order in which they are made. The root is read-only only if a mount for `/`
    /// is.
    pub mounts: Vec<Mount>,
    /// Paths and contents of files of the image or of volumes. They replace files that every
    /// container has, such as `/etc/hosts`.
    pub files: Vec<(String, Vec<u8>)>,
    /// Further lines of `/etc/passwd`, passwd(5).
    pub passwd: Vec<String>,
    /// Further lines of `/etc/group`, group(5).
    pub group: Vec<String>,
    /// Paths that the container cannot see: a file is empty and an existing directory has nothing
    /// in it.
    pub masked_paths: Vec<String>,
    /// User ids of the container's user namespace; none if it has no own one.
    pub uid_map: Vec<IdMap>,
    /// Group ids of the container's user namespace; none if it has no own one.
    pub gid_map: Vec<IdMap>,
    /// Command of the container's first process, as `ps` shows it.
    pub command: Vec<String>,
    /// Process id namespace that the container shares with others; `None` for one of its own.
    pub pid_namespace: Option<PidNamespace>,
    /// Number of processors that `nproc` prints; at least 1 is printed.
    pub processors: u32,
    /// Memory of the machine that `/proc/meminfo` shows, in bytes.
    pub memory_bytes: u64,
    /// Time of day at which the world is made. It advances with tokio's clock.
    pub now: SystemTime,
    /// Capacity of the file tree in bytes: the contents and paths of all files together.
    pub capacity_bytes: usize,
    /// Most files and directories.
    pub capacity_files: usize,
    /// Exit code of a command that is not built in; a real shell's is 127. With 0, there is no
    /// message either.
    pub unknown_command: u8,
}

impl Default for Setup {
    /// Describes a container that runs as root, at the start of 1970.
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
            denied_calls: Vec::new(),
            sysctls: Vec::new(),
            mounts: Vec::new(),
            files: Vec::new(),
            passwd: Vec::new(),
            group: Vec::new(),
            masked_paths: Vec::new(),
            uid_map: Vec::new(),
            gid_map: Vec::new(),
            command: vec!["/pause".to_owned()],
            pid_namespace: None,
            processors: 1,
            memory_bytes: 8 << 30,
            now: SystemTime::UNIX_EPOCH,
            capacity_bytes: 4 << 20,
            capacity_files: 4096,
            unknown_command: 127,
        }
    }
}
