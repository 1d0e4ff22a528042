//! A sandboxer of one's own, for the length of a run.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::drive::driver::DriverKind;
use crate::server::child::ChildError;
use crate::server::child::{self, Child, START_LIMIT};
use crate::server::endpoint;
use crate::server::image::NAMESPACE;
use crate::stop::Stop;

/// The program that is looked for.
pub const PROGRAM: &str = "resource-slot-sandboxer";

/// What messages call it.
const NAME: &str = "sandboxer";

/// How its environment variables begin.
const PREFIX: &[u8] = b"RESOURCE_SLOT_";

/// Has it end when this program is killed.
const DIE_WITH_PARENT: &str = "RESOURCE_SLOT_DIE_WITH_PARENT";

/// The log of a run stands beside its result.
const SEE_LOG: &str = "; see sandboxer.log";

/// A running sandboxer with a private socket and directory. Killed when dropped.
#[derive(Debug)]
pub struct Embedded {
    // Dropped in this order: the process first, then what it uses.
    child: Child,
    dir: TempDir,
}

/// How programs of one's own ended.
#[derive(Debug)]
pub struct Stopped {
    /// What is wrong about it, in words; empty for a clean end.
    pub complaints: Vec<String>,
    /// Their logs, there until this is dropped.
    pub logs: Vec<PathBuf>,
    /// Where the logs lie.
    pub(crate) dirs: Vec<TempDir>,
}

/// Where the program is: as given, else beside this one, else on PATH.
///
/// # Errors
/// [`ChildError::NotFound`], which says what to do.
pub fn find(given: Option<&Path>) -> Result<PathBuf, ChildError> {
    if let Some(given) = given {
        return Ok(child::given(given));
    }
    let own = env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = beside.into_iter().chain(env::split_paths(&path));
    child::search(PROGRAM, dirs).ok_or(ChildError::NotFound {
        program: PROGRAM,
        advice: "build it with `cargo build --release -p sandboxer`, or say where it is with \
                 --sandboxer PATH, or load a running sandboxer with --endpoint SOCKET",
    })
}

impl Embedded {
    /// Starts `program` and waits until it answers a call.
    ///
    /// # Errors
    /// If it cannot be started, ends, does not answer in time, or a stop is
    /// asked for meanwhile; where it helps with the end of its log.
    pub fn start(
        program: PathBuf,
        args: &[OsString],
        namespace: &str,
        stop: &Stop,
    ) -> Result<Self, ChildError> {
        Self::start_in(&env::temp_dir(), program, args, namespace, stop)
    }

    /// The same with its socket and directory below a given one.
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub fn start_in(
        parent: &Path,
        program: PathBuf,
        args: &[OsString],
        namespace: &str,
        stop: &Stop,
    ) -> Result<Self, ChildError> {
        let dir = directory(parent)?;
        let mut command = Command::new(&program);
        // It is to do what the result says it was told, and nothing else.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(PREFIX) {
                command.env_remove(name);
            }
        }
        command
            .env(DIE_WITH_PARENT, "true")
            .arg("--listen")
            .arg(socket(&dir))
            .arg("--dir")
            .arg(data(&dir))
            .args(args);
        Self::spawn(program, &mut command, dir, namespace, stop)
    }

    /// Starts this program as a sandboxer that does nothing; see [`crate::server::null`].
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub fn null(stop: &Stop) -> Result<Self, ChildError> {
        let dir = directory(&env::temp_dir())?;
        let program =
            env::current_exe().map_err(|source| ChildError::Directory { name: NAME, source })?;
        let mut command = Command::new(&program);
        command
            .args(["null", "--die-with-parent", "--listen"])
            .arg(socket(&dir));
        Self::spawn(program, &mut command, dir, NAMESPACE, stop)
    }

    fn spawn(
        program: PathBuf,
        command: &mut Command,
        dir: TempDir,
        namespace: &str,
        stop: &Stop,
    ) -> Result<Self, ChildError> {
        let child = Child::spawn(NAME, program, command, log_file(&dir))?;
        let mut embedded = Self { child, dir };
        let socket = embedded.socket();
        embedded.child.wait_for(stop, || {
            endpoint::probe(DriverKind::Ttrpc, &socket, namespace, START_LIMIT, stop)
        })?;
        Ok(embedded)
    }

    /// The socket it listens on.
    pub fn socket(&self) -> PathBuf {
        socket(&self.dir)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Ends it with SIGTERM. If it is to be `emptied`, its directory must hold
    /// no sandbox any more.
    pub fn stop(mut self, stop: &Stop, emptied: bool) -> Stopped {
        let mut complaints = Vec::new();
        match self.child.terminate(stop) {
            Ok(status) if status.success() => {}
            Ok(status) => complaints.push(format!(
                "the sandboxer ended with {status} after SIGTERM{SEE_LOG}"
            )),
            Err(complaint) => complaints.push(format!("{complaint}{SEE_LOG}")),
        }
        if emptied && let Some(left) = leftover(&data(&self.dir)) {
            complaints.push(format!("the sandboxer left {left} in its directory"));
        }
        Stopped {
            complaints,
            logs: vec![log_file(&self.dir)],
            dirs: vec![self.dir],
        }
    }
}

fn directory(parent: &Path) -> Result<TempDir, ChildError> {
    tempfile::Builder::new()
        .prefix("loadgen-sandboxer-")
        .tempdir_in(parent)
        .map_err(|source| ChildError::Directory { name: NAME, source })
}

fn socket(dir: &TempDir) -> PathBuf {
    dir.path().join("sandboxer.sock")
}

fn data(dir: &TempDir) -> PathBuf {
    dir.path().join("data")
}

fn log_file(dir: &TempDir) -> PathBuf {
    dir.path().join("sandboxer.log")
}

/// The first thing below `dir` that belongs to a sandbox: a directory named like
/// a plan's ids, or a view.
fn leftover(dir: &Path) -> Option<String> {
    for entry in fs::read_dir(dir).ok()?.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_id = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        if (is_dir && is_id) || name == "resource_info.json" {
            return Some(name.into_owned());
        }
        if is_dir && let Some(below) = leftover(&entry.path()) {
            return Some(format!("{name}/{below}"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_ends_is_noticed_with_its_status() {
        let error = Embedded::start("/bin/false".into(), &[], "k8s.io", &Stop::new());
        let message = error.unwrap_err().to_string();
        assert!(message.contains("ended (exit status: 1)"), "{message}");
        assert!(message.contains("its log is empty"), "{message}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Embedded::start("/no/such/file".into(), &[], "k8s.io", &Stop::new());
        assert!(error.unwrap_err().to_string().contains("/no/such/file"));
    }

    #[test]
    fn what_belongs_to_a_sandbox_is_a_leftover_and_the_journal_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("journal");
        fs::create_dir(&journal).unwrap();
        fs::write(journal.join("1.jsonl"), "{}").unwrap();
        fs::write(dir.path().join("lock"), "").unwrap();
        assert_eq!(leftover(dir.path()), None);
        let view = dir.path().join("k8s.io").join("pod1");
        fs::create_dir_all(&view).unwrap();
        fs::write(view.join("resource_info.json"), "{}").unwrap();
        assert_eq!(
            leftover(dir.path()).unwrap(),
            "k8s.io/pod1/resource_info.json"
        );
        fs::remove_dir_all(dir.path().join("k8s.io")).unwrap();
        fs::create_dir(dir.path().join("a1".repeat(32))).unwrap();
        assert_eq!(leftover(dir.path()).unwrap(), "a1".repeat(32));
    }
}
