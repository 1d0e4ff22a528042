//! A sandboxer of one's own, for the length of a run.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::endpoint;
use crate::error::EmbeddedError;
use crate::stop::Stop;

/// The program that is looked for.
pub const PROGRAM: &str = "resource-slot-sandboxer";

/// How its environment variables begin.
const PREFIX: &[u8] = b"RESOURCE_SLOT_";

/// Has it end when this program is killed.
const DIE_WITH_PARENT: &str = "RESOURCE_SLOT_DIE_WITH_PARENT";

/// How long it may take to answer its first call.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long it may take to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Pauses between attempts grow from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The log of a run stands beside its result.
const SEE_LOG: &str = "; see sandboxer.log";

/// How much of its log an error message shows, in bytes.
const LOG_TAIL: u64 = 2048;

/// A running sandboxer with a private socket and directory. Killed when dropped.
#[derive(Debug)]
pub struct Embedded {
    // Dropped in this order: the process first, then what it uses.
    child: KilledOnDrop,
    program: PathBuf,
    dir: TempDir,
}

#[derive(Debug)]
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // With what it may have started: a script, say, that runs the program. It
        // may have ended by itself; then there is nothing to do.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

/// How an embedded sandboxer ended.
#[derive(Debug)]
pub struct Stopped {
    /// What is wrong about it, in words; empty for a clean end.
    pub complaints: Vec<String>,
    dir: TempDir,
}

impl Stopped {
    /// The file with its log, there until this is dropped.
    pub fn log(&self) -> PathBuf {
        log_file(&self.dir)
    }
}

/// Where the program is: as given, else beside this one, else on PATH.
///
/// # Errors
/// [`EmbeddedError::NotFound`], which says what to do.
pub fn find(given: Option<&Path>) -> Result<PathBuf, EmbeddedError> {
    if let Some(given) = given {
        // A name without a slash would be looked for on PATH alone.
        return Ok(match env::current_dir() {
            Ok(here) if here.join(given).is_file() => here.join(given),
            _ => given.to_owned(),
        });
    }
    let own = env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = env::var_os("PATH").unwrap_or_default();
    search(beside.into_iter().chain(env::split_paths(&path)))
        .ok_or(EmbeddedError::NotFound { program: PROGRAM })
}

fn search(dirs: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    dirs.into_iter()
        .map(|dir| dir.join(PROGRAM))
        .find(|path| path.is_file())
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
    ) -> Result<Self, EmbeddedError> {
        let dir = tempfile::Builder::new()
            .prefix("loadgen-sandboxer-")
            .tempdir()
            .map_err(EmbeddedError::Directory)?;
        let log = File::create(log_file(&dir)).map_err(EmbeddedError::Directory)?;
        let mut command = Command::new(&program);
        // It is to do what the result says it was told, and nothing else.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(PREFIX) {
                command.env_remove(name);
            }
        }
        let child = command
            .env(DIE_WITH_PARENT, "true")
            .arg("--listen")
            .arg(socket(&dir))
            .arg("--dir")
            .arg(data(&dir))
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(EmbeddedError::Directory)?)
            .stderr(log)
            // A Ctrl-C on the terminal must not reach it while pods are under way.
            .process_group(0)
            .spawn();
        let child = match child {
            Ok(child) => KilledOnDrop(child),
            Err(source) => return Err(EmbeddedError::Spawn { program, source }),
        };
        let mut embedded = Self {
            child,
            program,
            dir,
        };
        embedded.wait_for_answer(namespace, stop)?;
        Ok(embedded)
    }

    /// The socket it listens on.
    pub fn socket(&self) -> PathBuf {
        socket(&self.dir)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Ends it with SIGTERM. If it is to be `emptied`, its directory must hold
    /// no sandbox any more.
    pub fn stop(mut self, stop: &Stop, emptied: bool) -> Stopped {
        let mut complaints = Vec::new();
        match self.terminate(stop) {
            Ok(status) if status.success() => {}
            Ok(status) => complaints.push(format!(
                "the sandboxer ended with {status} after SIGTERM{SEE_LOG}"
            )),
            Err(complaint) => complaints.push(complaint),
        }
        if emptied && let Some(left) = leftover(&data(&self.dir)) {
            complaints.push(format!("the sandboxer left {left} in its directory"));
        }
        Stopped {
            complaints,
            dir: self.dir,
        }
    }

    fn wait_for_answer(&mut self, namespace: &str, stop: &Stop) -> Result<(), EmbeddedError> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            if let Ok(Some(status)) = self.child.0.try_wait() {
                return Err(EmbeddedError::Died {
                    program: self.program.clone(),
                    status,
                    log: self.log_tail(),
                });
            }
            if stop.requested() {
                return Err(EmbeddedError::Interrupted);
            }
            match endpoint::probe(&self.socket(), namespace, START_LIMIT, stop) {
                Ok(_) => return Ok(()),
                Err(reason) if begun.elapsed() > START_LIMIT => {
                    return Err(EmbeddedError::Silent {
                        program: self.program.clone(),
                        seconds: START_LIMIT.as_secs(),
                        reason,
                        log: self.log_tail(),
                    });
                }
                Err(_) => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Its status at the end, or what is wrong.
    fn terminate(&mut self, stop: &Stop) -> Result<ExitStatus, String> {
        if let Ok(Some(status)) = self.child.0.try_wait() {
            return Err(format!(
                "the sandboxer ended by itself with {status}{SEE_LOG}"
            ));
        }
        let pid = Pid::from_child(&self.child.0);
        kill_process(pid, Signal::TERM)
            .map_err(|e| format!("cannot send the sandboxer SIGTERM: {e}"))?;
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        while begun.elapsed() < STOP_LIMIT && !stop.aborted() {
            match self.child.0.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => std::thread::sleep(pause),
                Err(e) => return Err(format!("cannot wait for the sandboxer: {e}")),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let waited = begun.elapsed().as_secs();
        Err(format!(
            "the sandboxer still ran {waited} s after SIGTERM and was killed{SEE_LOG}"
        ))
    }

    fn log_tail(&self) -> String {
        match tail(&log_file(&self.dir)) {
            Ok(text) if !text.is_empty() => format!("; its log ends:\n{text}"),
            _ => "; its log is empty".to_owned(),
        }
    }
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

fn tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
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
    fn the_program_is_taken_from_the_first_directory_that_has_it() {
        let (empty, one, two) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        fs::write(one.path().join(PROGRAM), "").unwrap();
        fs::write(two.path().join(PROGRAM), "").unwrap();
        let dirs = [empty.path(), one.path(), two.path()].map(Path::to_owned);
        assert_eq!(search(dirs), Some(one.path().join(PROGRAM)));
        assert_eq!(search([empty.path().to_owned()]), None);
    }

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
    fn the_tail_of_a_long_log_is_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let log = log_file(&dir);
        fs::write(&log, format!("{}\nlast line\n", "x".repeat(10_000))).unwrap();
        let text = tail(&log).unwrap();
        assert!(text.ends_with("x\nlast line") && text.len() < 2048);
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
