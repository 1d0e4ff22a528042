//! Starts a sandboxer for the duration of a run.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::drive::driver::DriverKind;
use crate::scratch::Scratch;
use crate::server::child::ChildError;
use crate::server::child::{self, Child, START_LIMIT};
use crate::server::endpoint;
use crate::server::image::NAMESPACE;
use crate::stop::Stop;

/// Name of the program.
pub const PROGRAM: &str = "resource-slot-sandboxer";

/// Name of the program in messages.
const NAME: &str = "sandboxer";

/// Prefix of the sandboxer's environment variables.
const PREFIX: &[u8] = b"RESOURCE_SLOT_";

/// Variable that makes the sandboxer end when this program is killed.
const DIE_WITH_PARENT: &str = "RESOURCE_SLOT_DIE_WITH_PARENT";

/// Hint for messages: the log is saved in the directory of the result.
const SEE_LOG: &str = "; see sandboxer.log";

/// A running sandboxer with a private socket and directory. Dropping it kills the
/// process.
#[derive(Debug)]
pub struct Embedded {
    // Fields are dropped in this order: first the process, then its files.
    child: Child,
    dir: Scratch,
    /// Directory in which the sandboxer keeps its state.
    data: PathBuf,
}

/// End of the programs that were started for a run.
#[derive(Debug, Default)]
pub struct Stopped {
    /// Complaints about the end; empty for a clean end.
    pub complaints: Vec<String>,
    /// Logs of the programs. They exist until this is dropped.
    pub logs: Vec<PathBuf>,
    /// Directories that contain the logs.
    pub(crate) dirs: Vec<Scratch>,
}

/// Returns the path of the program: `given`, else the one beside this program, else the
/// first one on PATH.
///
/// # Errors
/// [`ChildError::NotFound`] with advice for the user.
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
    /// Starts `program`, with its socket and directory below `parent`, and waits until it replies
    /// to a call. An argument `--dir` names a directory that stays.
    ///
    /// # Errors
    /// A program that cannot be started, ends, or does not reply in time, with the end of
    /// its log if there is one; a requested stop.
    pub fn start(
        parent: &Path,
        program: PathBuf,
        args: &[OsString],
        namespace: &str,
        stop: &Stop,
    ) -> Result<Self, ChildError> {
        let dir = directory(parent)?;
        let mut command = Command::new(&program);
        // The recorded arguments must describe the sandboxer completely, so the variables
        // that also configure it are removed.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(PREFIX) {
                command.env_remove(name);
            }
        }
        command
            .env(DIE_WITH_PARENT, "true")
            .arg("--listen")
            .arg(socket(&dir))
            .args(args);
        let data = stated_directory(args).unwrap_or_else(|| {
            let data = dir.path().join("data");
            command.arg("--dir").arg(&data);
            data
        });
        Self::spawn(program, &mut command, (dir, data), namespace, stop)
    }

    /// Starts this program as the null sandboxer; see [`crate::server::null`].
    ///
    /// # Errors
    /// As [`Embedded::start`].
    pub fn null(parent: &Path, stop: &Stop) -> Result<Self, ChildError> {
        let dir = directory(parent)?;
        let program =
            env::current_exe().map_err(|source| ChildError::Directory { name: NAME, source })?;
        let mut command = Command::new(&program);
        command
            .args(["null", "--die-with-parent", "--listen"])
            .arg(socket(&dir));
        let data = dir.path().join("data");
        Self::spawn(program, &mut command, (dir, data), NAMESPACE, stop)
    }

    fn spawn(
        program: PathBuf,
        command: &mut Command,
        (dir, data): (Scratch, PathBuf),
        namespace: &str,
        stop: &Stop,
    ) -> Result<Self, ChildError> {
        let child = Child::spawn(NAME, program, command, log_file(&dir))?;
        let mut embedded = Self { child, dir, data };
        let socket = embedded.socket();
        embedded.child.wait_for(stop, || {
            endpoint::probe(DriverKind::Ttrpc, &socket, namespace, START_LIMIT, stop)
        })?;
        Ok(embedded)
    }

    /// Returns the path of the socket.
    pub fn socket(&self) -> PathBuf {
        socket(&self.dir)
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Ends the sandboxer with SIGTERM. With `emptied`, a sandbox in its directory is a
    /// complaint.
    pub fn stop(mut self, stop: &Stop, emptied: bool) -> Stopped {
        let mut complaints = Vec::new();
        match self.child.terminate(stop) {
            Ok(status) if status.success() => {}
            Ok(status) => complaints.push(format!(
                "the sandboxer ended with {status} after SIGTERM{SEE_LOG}"
            )),
            Err(complaint) => complaints.push(format!("{complaint}{SEE_LOG}")),
        }
        if emptied && let Some(left) = leftover(&self.data) {
            complaints.push(format!("the sandboxer left {left} in its directory"));
        }
        Stopped {
            complaints,
            logs: vec![log_file(&self.dir)],
            dirs: vec![self.dir],
        }
    }
}

fn directory(parent: &Path) -> Result<Scratch, ChildError> {
    let dir = Scratch::new_in(parent, "sandboxer")
        .map_err(|source| ChildError::Directory { name: NAME, source })?;
    child::check_socket(&socket(&dir), parent)?;
    Ok(dir)
}

fn socket(dir: &Scratch) -> PathBuf {
    dir.path().join("sandboxer.sock")
}

/// Returns the directory that the arguments of a sandboxer state.
pub fn stated_directory(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--dir" {
            return args.next().map(PathBuf::from);
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix("--dir=")) {
            return Some(path.into());
        }
    }
    None
}

fn log_file(dir: &Scratch) -> PathBuf {
    dir.path().join("sandboxer.log")
}

/// Returns the first entry below `dir` that belongs to a sandbox: a directory with the
/// name of a planned id, or a view.
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
        let error = Embedded::start(
            &env::temp_dir(),
            "/bin/false".into(),
            &[],
            "k8s.io",
            &Stop::new(),
        );
        let message = error.unwrap_err().to_string();
        assert!(message.contains("ended (exit status: 1)"), "{message}");
        assert!(message.contains("its log is empty"), "{message}");
    }

    #[test]
    fn the_directory_of_the_arguments_is_found() {
        let stated = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(OsString::from).collect();
            stated_directory(&args)
        };
        assert_eq!(stated(&["--history"]), None);
        assert_eq!(stated(&["--dir"]), None);
        assert_eq!(
            stated(&["--sync", "none", "--dir", "/d"]),
            Some("/d".into())
        );
        assert_eq!(stated(&["--dir=/d", "--history"]), Some("/d".into()));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = Embedded::start(
            &env::temp_dir(),
            "/no/such/file".into(),
            &[],
            "k8s.io",
            &Stop::new(),
        );
        assert!(error.unwrap_err().to_string().contains("/no/such/file"));
    }

    #[test]
    fn files_of_a_sandbox_are_leftovers_and_the_journal_is_not() {
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
