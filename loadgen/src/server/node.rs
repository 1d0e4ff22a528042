//! Starts a node for the run: a containerd and, for pods of the handler `resource-slot`, their
//! sandboxer.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use containerd_sandbox::client;
use otlp::Span;

use crate::process::accounting::{Accounting, Counted};
use crate::process::cgroup::Cgroup;
use crate::process::cpu_time::CpuClock;
use crate::process::tree;
use crate::result::software::{Configuration, CriVersion};
use crate::scratch::Scratch;
use crate::server::Cni;
use crate::server::child::{self, ChildError};
use crate::server::containerd::{Containerd, Home};
use crate::server::embedded::{Embedded, Stopped};
use crate::server::endpoint;
use crate::server::image::{self, NAMESPACE};
use crate::spans;
use crate::stop::Stop;
use crate::workload::runtime::{HANDLER, Network};

/// Name of containerd in messages.
const NAME: &str = "containerd";

/// Runtime handler in the default configuration of containerd.
const RUNC: &str = "runc";

/// Paths of the bundles and of CRI's files below containerd's state directory.
const BUNDLES: &str = "io.containerd.runtime.v2.task/k8s.io";
const CRI: &str = "io.containerd.grpc.v1.cri";

/// Number of additional open descriptors that a process may have at the end of a run:
/// connections that are opened once, and timers.
const DESCRIPTORS: usize = 16;

/// Time limit and poll interval for the descriptors of closed connections to disappear.
const CLOSING_LIMIT: Duration = Duration::from_secs(5);
const CLOSING_POLL: Duration = Duration::from_millis(10);

/// The daemons of a node. Dropping it kills them.
#[derive(Debug)]
pub struct Node {
    // Fields are dropped in this order: first the caller, then its server.
    containerd: Containerd,
    /// `None` if pods run on another runtime.
    sandboxer: Option<Embedded>,
    /// Cgroup of containerd and its pods; `None` if this process may not make one.
    cgroup: Option<Arc<Cgroup>>,
    /// Open descriptors of each process before the load.
    descriptors: Vec<usize>,
    dir: Scratch,
}

/// Programs of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    /// Path of containerd.
    pub containerd: PathBuf,
    /// Configuration file of containerd whose settings take precedence over the private ones.
    pub config: Option<PathBuf>,
    /// Variables of containerd's environment.
    pub env: Vec<(String, String)>,
    /// Runtime handlers of the pods. A program on PATH with the name of a handler that containerd
    /// does not know runs its containers.
    pub handlers: Vec<String>,
    /// Network of the pods.
    pub network: Network,
    /// CNI of the pods; `None` is the shipped plugin.
    pub cni: Option<Cni>,
    /// OTLP receiver of the spans of both daemons; `None` if they send none.
    pub spans: Option<String>,
    /// Path of the sandboxer; `None` if pods run on another runtime.
    pub sandboxer: Option<PathBuf>,
}

impl Node {
    /// Starts both daemons, with their files below `parent`, and stores the image for pods in
    /// containerd.
    ///
    /// # Errors
    /// A daemon that cannot be started or does not become ready in time.
    pub fn start(
        parent: &Path,
        programs: Programs,
        args: &[OsString],
        stop: &Stop,
    ) -> Result<Self, ChildError> {
        let mut args = args.to_vec();
        if let Some(endpoint) = &programs.spans {
            args.push(format!("--otlp={endpoint}").into());
        }
        let sandboxer = programs.sandboxer;
        let sandboxer = sandboxer.map(|path| Embedded::start(parent, path, &args, NAMESPACE, stop));
        let sandboxer = sandboxer.transpose()?;
        let directory = |source| ChildError::Directory { name: NAME, source };
        let dir = Scratch::new_in(parent, "containerd").map_err(directory)?;
        let served = sandboxer.as_ref().map(Embedded::socket);
        let config = programs.config.as_deref().map(found_config).transpose()?;
        let home = Home::new(dir.path(), served.as_deref(), config.as_deref());
        let home = home.map_err(directory)?;
        child::check_socket(&home.ttrpc_socket(), parent)?;
        for (handler, program) in runtimes(&programs.handlers) {
            home.add_runtime(handler, &program).map_err(directory)?;
        }
        let mut env = programs.env;
        let traced = programs.spans.as_deref();
        env.extend(traced.into_iter().flat_map(spans::variables));
        if programs.network == Network::Pod {
            let network = home.add_network(programs.cni.as_ref(), traced.is_some());
            env.extend(network.map_err(directory)?);
        }
        let cgroup = Cgroup::create().ok().map(Arc::new);
        let in_cgroup = cgroup.as_deref().map(Cgroup::server);
        let (program, in_cgroup) = (programs.containerd, in_cgroup.as_deref());
        let containerd = Containerd::start_supervised(program, home, &env, in_cgroup, stop)?;
        let socket = containerd.home().socket();
        endpoint::wait_on(stop, async {
            image::ensure(client::channel(&socket).await?).await
        })
        .map_err(|source| ChildError::Image { source })?;
        let mut node = Self {
            containerd,
            sandboxer,
            cgroup,
            descriptors: Vec::new(),
            dir,
        };
        let processes = node.processes().into_iter();
        node.descriptors = processes.map(|(_, pid)| descriptors(pid)).collect();
        Ok(node)
    }

    /// Returns the path of containerd's socket.
    pub fn socket(&self) -> PathBuf {
        self.containerd.home().socket()
    }

    /// Returns the version that containerd states; `None` if it states none.
    pub fn version(&self) -> Option<&CriVersion> {
        self.containerd.version()
    }

    /// Returns the effective configuration of containerd; `None` if it does not print one.
    pub fn configuration(&self) -> Option<Configuration> {
        self.containerd.configuration()
    }

    /// Returns the path of containerd's debug socket.
    pub fn debug_socket(&self) -> PathBuf {
        self.containerd.home().debug_socket()
    }

    /// Returns the spans of the CNI plugins that were run so far; none unless spans are collected.
    pub fn cni_spans(&self) -> Vec<Span> {
        spans::cni::spans(&self.containerd.home().cni_log())
    }

    /// Returns the roles and ids of the daemons.
    pub fn processes(&self) -> Vec<(&'static str, u32)> {
        let sandboxer = self.sandboxer.as_ref();
        let sandboxer = sandboxer.map(|sandboxer| ("sandboxer", sandboxer.pid()));
        let containerd = ("containerd", self.containerd.pid());
        sandboxer.into_iter().chain([containerd]).collect()
    }

    /// Returns the cgroup of containerd and its pods; `None` without one.
    pub fn cgroup(&self) -> Option<&Arc<Cgroup>> {
        self.cgroup.as_ref()
    }

    /// Returns the CPU time of both daemons and all that they started so far, as far as it can be
    /// counted in this way; `None` if it cannot.
    fn cpu(&self, accounting: Accounting) -> Option<Duration> {
        let below = match accounting {
            Accounting::Cgroup => self.cgroup.as_ref()?.cpu(),
            Accounting::ProcessTree => tree::cpu(self.containerd.root()),
            Accounting::Process => None,
        };
        let sandboxer = match &self.sandboxer {
            Some(sandboxer) => CpuClock::of(sandboxer.pid())?.now()?,
            None => Duration::ZERO,
        };
        Some(below? + sandboxer)
    }

    /// Returns the CPU time in each way that this machine permits, the best one first. Each is
    /// counted when it is asked for.
    pub fn counted(&self) -> impl Iterator<Item = Counted> {
        let ways = [Accounting::Cgroup, Accounting::ProcessTree];
        ways.into_iter().filter_map(|accounting| {
            let cpu = self.cpu(accounting)?;
            Some(Counted { accounting, cpu })
        })
    }

    /// Ends the daemons with SIGTERM. With `emptied`, remaining objects of pods are
    /// complaints.
    pub fn stop(self, stop: &Stop, emptied: bool) -> Stopped {
        let mut complaints = Vec::new();
        if emptied {
            for ((name, pid), before) in self.processes().into_iter().zip(&self.descriptors) {
                complaints.extend(not_closed(name, pid, *before));
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
            let cgroup = self.cgroup.as_deref();
            complaints.extend(cgroup.and_then(|cgroup| processes_left(&cgroup.processes())));
        }
        let mut stopped = Stopped::default();
        if let Some(sandboxer) = self.sandboxer {
            stopped = sandboxer.stop(stop, emptied);
        }
        stopped.complaints.splice(0..0, complaints);
        stopped.logs.push(log);
        stopped.dirs.push(self.dir);
        stopped
    }
}

/// Returns the handlers that containerd does not know by itself, and the programs on PATH with their
/// names.
fn runtimes(handlers: &[String]) -> impl Iterator<Item = (&str, PathBuf)> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_name = |handler: &&str| Path::new(handler).file_name() == Some(OsStr::new(handler));
    let unknown = handlers.iter().map(String::as_str);
    unknown
        .filter(|handler| ![HANDLER, RUNC].contains(handler))
        .filter(is_name)
        .filter_map(move |handler| {
            let program = child::search(handler, env::split_paths(&path))?;
            Some((handler, program))
        })
}

/// Returns the absolute path of a configuration file: containerd resolves relative ones by its own
/// rules.
fn found_config(path: &Path) -> Result<PathBuf, ChildError> {
    fs::canonicalize(path).map_err(|source| ChildError::Config {
        path: path.to_owned(),
        source,
    })
}

/// Returns a complaint about processes that a containerd without pods has left.
fn processes_left(pids: &[u32]) -> Option<String> {
    let name = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm"));
    let example = name(pids.first()?).unwrap_or_default();
    Some(format!(
        "containerd left {} processes, such as {}",
        pids.len(),
        example.trim()
    ))
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
