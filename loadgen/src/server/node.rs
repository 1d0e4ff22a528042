//! Starts a node for the run: a containerd and the sandboxer for its pods.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use containerd_sandbox::client;

use crate::result::software::CriVersion;
use crate::scratch::Scratch;
use crate::server::child::{self, ChildError};
use crate::server::containerd::{Containerd, Home};
use crate::server::embedded::{Embedded, Stopped};
use crate::server::endpoint;
use crate::server::image::{self, NAMESPACE};
use crate::stop::Stop;

/// Name of containerd in messages.
const NAME: &str = "containerd";

/// Paths of the bundles and of CRI's files below containerd's state directory.
const BUNDLES: &str = "io.containerd.runtime.v2.task/k8s.io";
const CRI: &str = "io.containerd.grpc.v1.cri";

/// Number of additional open descriptors that a process may have at the end of a run:
/// connections that are opened once, and timers.
const DESCRIPTORS: usize = 16;

/// Time limit and poll interval for the descriptors of closed connections to disappear.
const CLOSING_LIMIT: Duration = Duration::from_secs(5);
const CLOSING_POLL: Duration = Duration::from_millis(10);

/// The two daemons of a node. Dropping it kills them.
#[derive(Debug)]
pub struct Node {
    // Fields are dropped in this order: first the caller, then its server.
    containerd: Containerd,
    sandboxer: Embedded,
    descriptors: (usize, usize),
    dir: Scratch,
}

/// Programs of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// Path of containerd.
    pub containerd: PathBuf,
    /// Path of the sandboxer.
    pub sandboxer: PathBuf,
}

impl Node {
    /// Starts both daemons and stores the image for pods in containerd.
    ///
    /// # Errors
    /// A daemon that cannot be started or does not become ready in time.
    pub fn start(programs: Programs, args: &[OsString], stop: &Stop) -> Result<Self, ChildError> {
        let sandboxer = Embedded::start(programs.sandboxer, args, NAMESPACE, stop)?;
        let directory = |source| ChildError::Directory { name: NAME, source };
        let dir = Scratch::new("containerd").map_err(directory)?;
        let home = Home::new(dir.path(), &sandboxer.socket()).map_err(directory)?;
        child::check_socket(&home.ttrpc_socket(), &std::env::temp_dir())?;
        let containerd = Containerd::start_with_parent(programs.containerd, home, stop)?;
        let socket = containerd.home().socket();
        endpoint::wait_on(stop, async {
            image::ensure(client::channel(&socket).await?).await
        })
        .map_err(|source| ChildError::Image { source })?;
        Ok(Self {
            descriptors: (descriptors(containerd.pid()), descriptors(sandboxer.pid())),
            containerd,
            sandboxer,
            dir,
        })
    }

    /// Returns the path of containerd's socket.
    pub fn socket(&self) -> PathBuf {
        self.containerd.home().socket()
    }

    /// Returns the version that containerd states; `None` if it states none.
    pub fn version(&self) -> Option<&CriVersion> {
        self.containerd.version()
    }

    /// Returns the roles and ids of both processes.
    pub fn processes(&self) -> [(&'static str, u32); 2] {
        [
            ("sandboxer", self.sandboxer.pid()),
            ("containerd", self.containerd.pid()),
        ]
    }

    /// Ends both daemons with SIGTERM. With `emptied`, remaining objects of pods are
    /// complaints.
    pub fn stop(self, stop: &Stop, emptied: bool) -> Stopped {
        let mut complaints = Vec::new();
        if emptied {
            let before = [self.descriptors.1, self.descriptors.0];
            for ((name, pid), before) in self.processes().into_iter().zip(before) {
                complaints.extend(not_closed(name, pid, before));
            }
        }
        let state = self.containerd.home().state();
        let log = self.containerd.home().log();
        match self.containerd.terminate(stop) {
            Ok((_home, status)) if status.success() => {}
            Ok((_home, status)) => complaints.push(format!(
                "containerd ended with {status} after SIGTERM; see containerd.log"
            )),
            Err(complaint) => complaints.push(format!("{complaint}; see containerd.log")),
        }
        if emptied {
            complaints.extend(leftovers(&state));
        }
        let mut stopped = self.sandboxer.stop(stop, emptied);
        stopped.complaints.splice(0..0, complaints);
        stopped.logs.push(log);
        stopped.dirs.push(self.dir);
        stopped
    }
}

/// Returns the number of open descriptors of a process.
fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Returns a complaint if a process keeps descriptors open.
fn not_closed(name: &str, pid: u32, before: usize) -> Option<String> {
    let begun = Instant::now();
    loop {
        let now = descriptors(pid);
        if now <= before + DESCRIPTORS {
            return None;
        }
        if begun.elapsed() > CLOSING_LIMIT {
            return Some(format!(
                "the {name} has {now} descriptors open, {before} before the load"
            ));
        }
        std::thread::sleep(CLOSING_POLL);
    }
}

/// Returns complaints about remaining files of pods below containerd's state directory.
fn leftovers(state: &Path) -> Vec<String> {
    let mut fifos = Vec::new();
    find_fifos(&state.join(CRI), &mut fifos);
    let entries = |dir: &str| -> Vec<PathBuf> {
        let entries = fs::read_dir(state.join(dir)).into_iter().flatten();
        entries.flatten().map(|entry| entry.path()).collect()
    };
    [
        ("bundles", entries(BUNDLES)),
        ("FIFOs", fifos),
        ("sandbox directories", entries(&format!("{CRI}/sandboxes"))),
        (
            "container directories",
            entries(&format!("{CRI}/containers")),
        ),
    ]
    .into_iter()
    .filter_map(|(what, left)| {
        let example = left.first()?.strip_prefix(state).ok()?.display();
        Some(format!(
            "containerd left {} {what}, such as {example}",
            left.len()
        ))
    })
    .collect()
}

fn find_fifos(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => find_fifos(&entry.path(), found),
            Ok(kind) if kind.is_fifo() => found.push(entry.path()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_and_fifos_are_leftovers() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(leftovers(state.path()), Vec::<String>::new());
        let io = state.path().join(CRI).join("containers/c1/io/1");
        fs::create_dir_all(&io).unwrap();
        fs::create_dir_all(state.path().join(BUNDLES).join("c1")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            io.join("c1-stdout"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let left = leftovers(state.path());
        assert_eq!(
            left[0],
            format!("containerd left 1 bundles, such as {BUNDLES}/c1")
        );
        assert!(left[1].contains("1 FIFOs") && left[1].ends_with("c1-stdout"));
        assert_eq!(left.len(), 3);
    }

    #[test]
    fn open_files_are_descriptors() {
        let before = descriptors(std::process::id());
        let files: Vec<_> = (0..DESCRIPTORS + 50)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        assert!(descriptors(std::process::id()) > before + DESCRIPTORS);
        drop(files);
        assert_eq!(descriptors(u32::MAX), 0);
    }
}
