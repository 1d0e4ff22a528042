//! A node of one's own: a containerd whose pods run on a sandboxer of one's own.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use containerd_sandbox::client;
use tempfile::TempDir;

use crate::server::child::ChildError;
use crate::server::containerd::{Containerd, Home};
use crate::server::embedded::{Embedded, Stopped};
use crate::server::endpoint;
use crate::server::image::{self, NAMESPACE};
use crate::stop::Stop;

/// What messages call containerd.
const NAME: &str = "containerd";

/// Below containerd's state directory: where bundles lie, and what CRI keeps.
const BUNDLES: &str = "io.containerd.runtime.v2.task/k8s.io";
const CRI: &str = "io.containerd.grpc.v1.cri";

/// How many more descriptors than before a process may have open when all is
/// over: connections that are opened once, and timers.
const DESCRIPTORS: usize = 16;

/// How long descriptors of connections that were closed may stay open.
const CLOSING_LIMIT: Duration = Duration::from_secs(5);
const CLOSING_POLL: Duration = Duration::from_millis(10);

/// Both daemons. Killed when dropped.
#[derive(Debug)]
pub struct Node {
    // Dropped in this order: who calls first, then who is called.
    containerd: Containerd,
    sandboxer: Embedded,
    descriptors: (usize, usize),
    dir: TempDir,
}

/// Which programs a node is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// The containerd.
    pub containerd: PathBuf,
    /// The sandboxer.
    pub sandboxer: PathBuf,
}

impl Node {
    /// Starts both and puts the image for pods into containerd.
    ///
    /// # Errors
    /// If one of them cannot be started, or does not do as it should in time.
    pub fn start(programs: Programs, args: &[OsString], stop: &Stop) -> Result<Self, ChildError> {
        let sandboxer = Embedded::start(programs.sandboxer, args, NAMESPACE, stop)?;
        let directory = |source| ChildError::Directory { name: NAME, source };
        let dir = tempfile::Builder::new()
            .prefix("loadgen-containerd-")
            .tempdir()
            .map_err(directory)?;
        let home = Home::new(dir.path(), &sandboxer.socket()).map_err(directory)?;
        let containerd = Containerd::start(programs.containerd, home, stop)?;
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

    /// Where containerd listens.
    pub fn socket(&self) -> PathBuf {
        self.containerd.home().socket()
    }

    /// The processes: what they are, and their ids.
    pub fn processes(&self) -> [(&'static str, u32); 2] {
        [
            ("sandboxer", self.sandboxer.pid()),
            ("containerd", self.containerd.pid()),
        ]
    }

    /// Ends both with SIGTERM. If they are to be `emptied`, no pod may have left
    /// anything.
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

/// How many descriptors a process has open.
fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Complains about a process that keeps descriptors open.
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

/// Complains about what pods left below containerd's state directory.
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
