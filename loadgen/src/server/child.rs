//! A program that runs during a measurement.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use containerd_sandbox::{MAX_SOCKET_PATH, SocketPath};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::stop::Stop;

/// Time limit for the first reply of a started program.
pub const START_LIMIT: Duration = Duration::from_secs(30);

/// Time limit for the end of a program after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Shortest and longest pause between attempts; the pauses grow from one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Maximum length of the end of the log in an error message, in bytes.
const LOG_TAIL: u64 = 2048;

/// Reason for which a program for the run could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// No such program was found.
    #[error("cannot find {program} beside loadgen or on PATH; {advice}")]
    NotFound {
        /// Name of the program.
        program: &'static str,
        /// Advice for the user.
        advice: &'static str,
    },
    /// The program cannot be executed.
    #[error("start the {name} {}", program.display())]
    Spawn {
        /// Name of the program in messages.
        name: &'static str,
        /// Path of the program.
        program: PathBuf,
        /// Error of the system.
        #[source]
        source: io::Error,
    },
    /// The private directory of the program cannot be created.
    #[error("make a private directory for the {name}")]
    Directory {
        /// Name of the program in messages.
        name: &'static str,
        /// Error of the file system.
        #[source]
        source: io::Error,
    },
    /// The socket of the program would have too long a path.
    #[error(
        "the socket {} would have {length} bytes in its path, and Linux allows {MAX_SOCKET_PATH}: set \
         --files to a directory whose path has at most {room}",
        socket.display()
    )]
    Socket {
        /// Path of the socket.
        socket: PathBuf,
        /// Length of the path, in bytes.
        length: usize,
        /// Longest path of a directory for temporary files, in bytes.
        room: usize,
    },
    /// The program ended before it replied.
    #[error("the {name} {} ended ({status}) before it answered{log}", program.display())]
    Died {
        /// Name of the program in messages.
        name: &'static str,
        /// Path of the program.
        program: PathBuf,
        /// Exit status of the program.
        status: ExitStatus,
        /// End of the program's log, on separate lines.
        log: String,
    },
    /// The program runs, but does not reply.
    #[error("the {name} {} did not answer within {seconds} s: {reason}{log}", program.display())]
    Silent {
        /// Name of the program in messages.
        name: &'static str,
        /// Path of the program.
        program: PathBuf,
        /// Time limit, in seconds.
        seconds: u64,
        /// Error of the last attempt.
        reason: containerd_sandbox::Error,
        /// End of the program's log, on separate lines.
        log: String,
    },
    /// The configuration file for containerd cannot be read.
    #[error("read the configuration of containerd {}", path.display())]
    Config {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        #[source]
        source: io::Error,
    },
    /// containerd does not accept the image for pods.
    #[error("put an image into containerd")]
    Image {
        /// Error of containerd.
        #[source]
        source: containerd_sandbox::Error,
    },
    /// A stop was requested during the start.
    #[error("interrupted before the load began")]
    Interrupted,
}

/// A running program with a log file. Dropping it kills the program.
#[derive(Debug)]
pub struct Child {
    process: KilledOnDrop,
    /// Process of the program itself; that of a supervisor is its parent.
    main: Option<u32>,
    name: &'static str,
    program: PathBuf,
    log: PathBuf,
}

#[derive(Debug)]
struct KilledOnDrop(std::process::Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // The signal also ends processes that the program has started, such as the
        // program that a script runs. It fails if the program has ended by itself.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Child {
    /// Starts `command`, which runs `program`, with both outputs redirected to `log`.
    /// `name` is its name in messages.
    ///
    /// # Errors
    /// A program that cannot be started, or a log that cannot be written.
    pub fn spawn(
        name: &'static str,
        program: PathBuf,
        command: &mut Command,
        log: PathBuf,
    ) -> Result<Self, ChildError> {
        let directory = |source| ChildError::Directory { name, source };
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(directory)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(directory)?)
            .stderr(file)
            // In a process group of its own, so that a Ctrl-C on the terminal does not
            // end the program while pods are in progress.
            .process_group(0)
            .spawn();
        match process {
            Ok(process) => Ok(Self {
                process: KilledOnDrop(process),
                main: None,
                name,
                program,
                log,
            }),
            Err(source) => Err(ChildError::Spawn {
                name,
                program,
                source,
            }),
        }
    }

    /// Returns the process id of the program.
    pub fn pid(&self) -> u32 {
        self.main.unwrap_or_else(|| self.process.0.id())
    }

    /// Returns the id of the process that was started: of the program, or of its supervisor.
    pub fn root(&self) -> u32 {
        self.process.0.id()
    }

    /// States the process of a program that runs below a supervisor.
    pub fn set_main(&mut self, pid: u32) {
        self.main = Some(pid);
    }

    /// Returns the path of the program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Returns the path of the log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Waits until `probe` succeeds.
    ///
    /// # Errors
    /// A program that ends or does not reply in time, with the end of its log; a
    /// requested stop.
    pub fn wait_for<T>(
        &mut self,
        stop: &Stop,
        mut probe: impl FnMut() -> Result<T, containerd_sandbox::Error>,
    ) -> Result<T, ChildError> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            if let Ok(Some(status)) = self.process.0.try_wait() {
                return Err(ChildError::Died {
                    name: self.name,
                    program: self.program.clone(),
                    status,
                    log: self.log_tail(),
                });
            }
            if stop.requested() {
                return Err(ChildError::Interrupted);
            }
            match probe() {
                Ok(answer) => return Ok(answer),
                Err(reason) if begun.elapsed() > START_LIMIT => {
                    return Err(ChildError::Silent {
                        name: self.name,
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

    /// Ends the program with SIGTERM. Returns its exit status.
    ///
    /// # Errors
    /// A message if the program had ended by itself, or does not end in time. Dropping it
    /// then kills it.
    pub fn terminate(&mut self, stop: &Stop) -> Result<ExitStatus, String> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let Self { name, process, .. } = self;
        if let Ok(Some(status)) = process.0.try_wait() {
            return Err(format!("the {name} ended by itself with {status}"));
        }
        kill_process(pid.unwrap_or(Pid::from_child(&process.0)), Signal::TERM)
            .map_err(|e| format!("cannot send the {name} SIGTERM: {e}"))?;
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        while begun.elapsed() < STOP_LIMIT && !stop.aborted() {
            match process.0.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => std::thread::sleep(pause),
                Err(e) => return Err(format!("cannot wait for the {name}: {e}")),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        let waited = begun.elapsed().as_secs();
        Err(format!(
            "the {name} still ran {waited} s after SIGTERM and was killed"
        ))
    }

    /// Kills the program at once, as `kill -9` does.
    ///
    /// # Errors
    /// Errors of the kernel.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.process.0.kill()?;
        self.process.0.wait()
    }

    fn log_tail(&self) -> String {
        match tail(&self.log) {
            Ok(text) if !text.is_empty() => format!("; its log ends:\n{text}"),
            _ => "; its log is empty".to_owned(),
        }
    }
}

/// Checks that a socket below `parent`, a directory for temporary files, can have its path.
///
/// # Errors
/// [`ChildError::Socket`], with the longest path that `parent` may have.
pub(crate) fn check_socket(socket: &Path, parent: &Path) -> Result<(), ChildError> {
    if SocketPath::new(socket).is_ok() {
        return Ok(());
    }
    let length = socket.as_os_str().len();
    let below = length.saturating_sub(parent.as_os_str().len());
    Err(ChildError::Socket {
        socket: socket.to_owned(),
        length,
        room: MAX_SOCKET_PATH.saturating_sub(below),
    })
}

/// Returns the path of a program in a form that names a file: a plain name would be
/// searched for on PATH only, not in the current directory.
pub(crate) fn given(path: &Path) -> PathBuf {
    match fs::canonicalize(path) {
        Ok(found) if found.is_file() && path.is_relative() => found,
        _ => path.to_owned(),
    }
}

/// Returns the first file with this name in the directories.
pub(crate) fn search(name: &str, dirs: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    dirs.into_iter()
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}

fn tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
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
        fs::write(one.path().join("p"), "").unwrap();
        fs::write(two.path().join("p"), "").unwrap();
        let dirs = [empty.path(), one.path(), two.path()].map(Path::to_owned);
        assert_eq!(search("p", dirs), Some(one.path().join("p")));
        assert_eq!(search("p", [empty.path().to_owned()]), None);
    }

    #[test]
    fn the_tail_of_a_long_log_is_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        fs::write(&log, format!("{}\nlast line\n", "x".repeat(10_000))).unwrap();
        let text = tail(&log).unwrap();
        assert!(text.ends_with("x\nlast line") && text.len() < 2048);
    }

    #[test]
    fn the_output_goes_to_the_log_and_the_end_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo no; exit 3"]);
        let log = dir.path().join("log");
        let mut child = Child::spawn("script", "sh".into(), &mut command, log).unwrap();
        let never = || Err::<(), _>(containerd_sandbox::Error::unavailable("nobody"));
        let error = child.wait_for(&Stop::new(), never).unwrap_err().to_string();
        assert!(
            error.contains("exit status: 3") && error.ends_with("no"),
            "{error}"
        );
    }
}
