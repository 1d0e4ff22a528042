//! Cgroups (cgroups(7)) in which the CPU time of a server and of its pods is counted, with that of
//! processes that have ended.
//!
//! ```text
//! /loadgen-PID-N/server    the server and all that it starts
//! /loadgen-PID-N/pods      parent of the cgroups of its pods
//! ```
//!
//! With cgroup v1 the hierarchy of `cpuacct` counts (`cpuacct.usage`), with v2 the only one
//! (`usage_usec` in `cpu.stat`). The server does not lie in the upper directory, because with v2 a
//! cgroup with processes cannot have children with controllers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Mount point of the hierarchies.
const MOUNT: &str = "/sys/fs/cgroup";

/// Hierarchies of cgroup v1 that count CPU time: the usual name, and that of a single mount.
const COUNTING: [&str; 2] = ["cpu,cpuacct", "cpuacct"];

/// Time limit for the end of killed processes, and the pause between two looks.
const ENDING_LIMIT: Duration = Duration::from_secs(5);
const ENDING_POLL: Duration = Duration::from_millis(5);

/// Number of the next cgroup of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A cgroup for one server. Dropping it removes the cgroup and all below it.
#[derive(Debug)]
pub struct Cgroup {
    /// Path below the hierarchies, with a slash at its beginning.
    path: String,
    hierarchies: Hierarchies,
}

/// Mounted hierarchies.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchies {
    /// Directory of the hierarchy that counts CPU time.
    counting: PathBuf,
    /// Directories of all hierarchies, in which a runtime makes cgroups for pods.
    all: Vec<PathBuf>,
    is_v2: bool,
}

impl Hierarchies {
    fn find(mount: &Path) -> Option<Self> {
        if mount.join("cgroup.controllers").is_file() {
            return Some(Self {
                counting: mount.to_owned(),
                all: vec![mount.to_owned()],
                is_v2: true,
            });
        }
        let counting = COUNTING.iter().map(|name| mount.join(name));
        let mut counting = counting.filter(|dir| dir.join("cpuacct.usage").is_file());
        let entries = fs::read_dir(mount).into_iter().flatten().flatten();
        Some(Self {
            counting: counting.next()?,
            all: entries
                .map(|entry| entry.path())
                .filter(|dir| dir.is_dir())
                .collect(),
            is_v2: false,
        })
    }

    /// Removes the cgroups of killed processes of this program, as far as they are empty.
    fn sweep(&self) {
        for dir in &self.all {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let pid = name.to_str().and_then(maker);
                if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                    remove(&entry.path());
                }
            }
        }
    }

    /// Returns the CPU time of a cgroup so far, with that of all below it; `None` if it cannot be
    /// read.
    fn cpu(&self, path: &str) -> Option<Duration> {
        let dir = self.counting.join(path.trim_start_matches('/'));
        if self.is_v2 {
            usage(&fs::read_to_string(dir.join("cpu.stat")).ok()?)
        } else {
            let text = fs::read_to_string(dir.join("cpuacct.usage")).ok()?;
            text.trim().parse().ok().map(Duration::from_nanos)
        }
    }
}

/// Returns the process id in the name of a cgroup of this program.
fn maker(name: &str) -> Option<&str> {
    let (pid, number) = name.strip_prefix("loadgen-")?.split_once('-')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number(pid) && is_number(number)).then_some(pid)
}

/// Returns the CPU time in the text of `cpu.stat`.
fn usage(text: &str) -> Option<Duration> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, value) = lines.find(|(name, _)| *name == "usage_usec")?;
    value.trim().parse().ok().map(Duration::from_micros)
}

impl Cgroup {
    /// Makes a cgroup for a server.
    ///
    /// # Errors
    /// If the machine has no mounted hierarchy that counts CPU time, or this process may not change
    /// it.
    pub fn create() -> io::Result<Self> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no cgroup that counts CPU time");
        let hierarchies = Hierarchies::find(Path::new(MOUNT)).ok_or_else(missing)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let made = Self {
            path: format!("/loadgen-{}-{number}", std::process::id()),
            hierarchies,
        };
        made.hierarchies.sweep();
        fs::create_dir_all(made.server())?;
        Ok(made)
    }

    /// Returns the directory of the cgroup for the server. A process that writes its id into the file
    /// `cgroup.procs` there belongs to it, as do the processes that it starts from then on.
    pub fn server(&self) -> PathBuf {
        self.hierarchies
            .counting
            .join(&self.path[1..])
            .join("server")
    }

    /// Returns the path of the cgroup of a pod with this uid, in the form of a kubelet.
    pub fn of_pod(&self, uid: &str) -> String {
        format!("{}/pods/burstable/pod{uid}", self.path)
    }

    /// Returns the CPU time of the server, of its pods, and of all that they started.
    pub fn cpu(&self) -> Option<Duration> {
        self.hierarchies.cpu(&self.path)
    }

    /// Removes the cgroup of a pod from all hierarchies, as far as it is empty. A runtime removes
    /// those of containers alone, and a kubelet those of pods.
    pub fn remove_pod(&self, uid: &str) {
        self.remove(&self.of_pod(uid));
    }

    fn remove(&self, path: &str) {
        for hierarchy in &self.hierarchies.all {
            remove(&hierarchy.join(path.trim_start_matches('/')));
        }
    }

    /// Returns the ids of the processes in the cgroup and below it.
    pub fn processes(&self) -> Vec<u32> {
        let mut found = Vec::new();
        processes(&self.hierarchies.counting.join(&self.path[1..]), &mut found);
        found
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let begun = Instant::now();
        while !self.processes().is_empty() && begun.elapsed() < ENDING_LIMIT {
            thread::sleep(ENDING_POLL);
        }
        self.remove(&self.path);
    }
}

/// Removes a cgroup and those below it, as far as they are empty.
fn remove(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(dir);
}

fn processes(dir: &Path, found: &mut Vec<u32>) {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    found.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            processes(&entry.path(), found);
        }
    }
}

/// Cgroup of a process that this program did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfOther {
    path: String,
    hierarchies: Hierarchies,
}

impl OfOther {
    /// Returns the cgroup of a process, unless it is the root or that of this process: then others
    /// would be counted as well.
    pub fn of(pid: u32) -> Option<Self> {
        let hierarchies = Hierarchies::find(Path::new(MOUNT))?;
        let path_of = |pid: &str| {
            let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
            path(&text, hierarchies.is_v2)
        };
        let path = path_of(&pid.to_string())?;
        if path == "/" || path_of("self").is_some_and(|own| own == path) {
            return None;
        }
        let found = Self { path, hierarchies };
        found.cpu().is_some().then_some(found)
    }

    /// Returns the CPU time of all processes of the cgroup so far.
    pub fn cpu(&self) -> Option<Duration> {
        self.hierarchies.cpu(&self.path)
    }
}

/// Returns the path of the hierarchy that counts CPU time in the text of `/proc/PID/cgroup`.
fn path(text: &str, is_v2: bool) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    let counts = |controllers: &str| {
        if is_v2 {
            controllers.is_empty()
        } else {
            controllers.split(',').any(|name| name == "cpuacct")
        }
    };
    let (_, path) = lines.find(|(controllers, _)| counts(controllers))?;
    Some(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_path_is_that_of_the_hierarchy_that_counts() {
        let v1 = "4:memory:/a\n2:cpu,cpuacct:/b/c\n0::/d\n";
        assert_eq!(path(v1, false).as_deref(), Some("/b/c"));
        assert_eq!(path(v1, true).as_deref(), Some("/d"));
        assert_eq!(path("4:memory:/a\n", false), None);
    }

    #[test]
    fn the_maker_of_a_cgroup_is_in_its_name() {
        assert_eq!(maker("loadgen-123-0"), Some("123"));
        for other in [
            "loadgen-123",
            "loadgen--1",
            "loadgen-a-1",
            "loadgen-1-1.slice",
            "x-1-1",
        ] {
            assert_eq!(maker(other), None, "{other}");
        }
    }

    #[test]
    fn cpu_stat_has_microseconds() {
        let text = "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n";
        assert_eq!(usage(text), Some(Duration::from_micros(1_234_567)));
        assert_eq!(usage("user_usec 1\n"), None);
    }

    #[test]
    fn hierarchies_of_both_versions_are_found() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Hierarchies::find(dir.path()), None);
        for name in ["cpuacct", "memory"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("cpuacct/cpuacct.usage"), "1500\n").unwrap();
        let found = Hierarchies::find(dir.path()).unwrap();
        assert!(!found.is_v2 && found.all.len() == 2);
        assert_eq!(found.cpu("/"), Some(Duration::from_nanos(1500)));

        fs::write(dir.path().join("cgroup.controllers"), "").unwrap();
        fs::write(dir.path().join("cpu.stat"), "usage_usec 7\n").unwrap();
        let found = Hierarchies::find(dir.path()).unwrap();
        assert!(found.is_v2);
        assert_eq!(found.cpu("/"), Some(Duration::from_micros(7)));
    }

    /// Needs the permission to make cgroups.
    #[test]
    fn a_cgroup_counts_ended_processes_and_is_removed() {
        let Ok(cgroup) = Cgroup::create() else {
            return;
        };
        let script = "read go; sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let joined = fs::write(cgroup.server().join("cgroup.procs"), shell.id().to_string());
        if joined.is_err() {
            shell.kill().unwrap();
            shell.wait().unwrap();
            return;
        }
        assert_eq!(cgroup.processes(), [shell.id()]);
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert!(cgroup.cpu().unwrap() > Duration::from_millis(5));
        let server = cgroup.server();
        assert!(server.is_dir());
        drop(cgroup);
        assert!(!server.exists() && !server.parent().unwrap().exists());
    }
}
