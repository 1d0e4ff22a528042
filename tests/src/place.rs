//! Places for the files of a `loadgen` under test: its servers, its results, its processes.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{binary, eventually, read_json, run};

/// Directory of the programs' files. Processes that still use it are ended when it is dropped.
#[derive(Debug)]
pub struct Place {
    /// Directory of the sandboxer's socket and state.
    pub temporary: TempDir,
    /// Directory of the results.
    pub results: TempDir,
}

/// A sandboxer that listens in a [`Place`].
#[derive(Debug)]
pub struct Sandboxer {
    /// Directory of its state.
    pub dir: PathBuf,
}

impl Place {
    /// Makes the directories.
    ///
    /// # Panics
    /// If they cannot be made.
    #[expect(clippy::new_without_default, reason = "it does I/O")]
    pub fn new() -> Self {
        let dir = || tempfile::tempdir().expect("a temporary directory");
        Self {
            temporary: dir(),
            results: dir(),
        }
    }

    /// Returns the command of a run with these arguments.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.loadgen("run", args);
        command.arg("--no-progress");
        command
    }

    /// Returns a command of loadgen that keeps its files and results here.
    pub fn loadgen(&self, subcommand: &str, args: &[&str]) -> Command {
        let mut command = Command::new(binary("loadgen"));
        command
            .args([subcommand, "--results"])
            .arg(self.results.path())
            .args(args)
            .env("TMPDIR", self.temporary.path())
            .env("LOADGEN_FILES", self.temporary.path())
            .stdin(Stdio::null());
        command
    }

    /// Returns the result of a run, which must be good.
    ///
    /// # Panics
    /// If it is not.
    pub fn good(&self, command: &mut Command) -> Value {
        let output = command.output().expect("loadgen runs");
        let shown = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        let run = self.saved();
        let result = read_json(&run.join("result.json"));
        let histograms = fs::read_to_string(run.join("latencies.hlog")).expect("histograms");
        for operation in result["operations"].as_array().expect("a list") {
            let tag = format!("Tag={},", operation["operation"].as_str().expect("a name"));
            assert!(histograms.contains(&tag), "{tag} in {histograms}");
        }
        result
    }

    /// Returns the directory of the only result.
    ///
    /// # Panics
    /// If there is none, or another one.
    pub fn saved(&self) -> PathBuf {
        let mut runs = entries(self.results.path());
        let run = runs.pop().expect("the run is saved");
        assert!(runs.is_empty(), "one run, one directory: {runs:?}");
        run
    }

    /// Waits until the sandboxer has a container, and returns its bundle.
    ///
    /// # Panics
    /// If it has none within the time limit of [`eventually`].
    pub fn bundle(&self) -> PathBuf {
        let sandboxer = eventually("the sandboxer to start", || self.sandboxers().pop());
        eventually("a container to be created", || {
            let dir = sandboxer.dir.to_str().expect("temporary paths are UTF-8");
            let output = run(
                "resource-slot-sandboxer",
                &["inspect", "--json", "--dir", dir],
            );
            let state: Value = serde_json::from_slice(&output.stdout).ok()?;
            let slots = state["slots"].as_array()?;
            slots.iter().find_map(|slot| {
                let bundle = slot["slot"]["containers"][0]["bundle"].as_str()?;
                Some(PathBuf::from(bundle))
            })
        })
    }

    /// Waits until the sandboxer has the view of a pod.
    ///
    /// # Panics
    /// If it has none within the time limit of [`eventually`].
    pub fn first_view(&self) {
        eventually("a view of a pod", || {
            let sandboxer = self.sandboxers().pop()?;
            let pods = entries_if_any(&sandboxer.dir);
            pods.iter()
                .any(|path| path.join("resource_info.json").exists())
                .then_some(())
        });
    }

    /// Checks that no process and no file of a process is left.
    ///
    /// # Panics
    /// If one is.
    pub fn assert_empty(&self) {
        let left = entries(self.temporary.path());
        assert!(left.is_empty(), "{left:?}");
        let processes = self.processes();
        assert!(processes.is_empty(), "they end with the run: {processes:?}");
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
        let here = self.temporary.path().to_str().expect("UTF-8");
        assert!(!mounts.contains(here), "{mounts}");
    }

    /// Returns the processes that have a file of this directory among their arguments.
    pub fn processes(&self) -> Vec<Pid> {
        let arguments = arguments().into_iter();
        arguments
            .filter(|(_, args)| {
                args.iter()
                    .any(|arg| arg.starts_with(self.temporary.path()))
            })
            .map(|(pid, _)| pid)
            .collect()
    }

    /// Returns the sandboxers that listen in this directory.
    pub fn sandboxers(&self) -> Vec<Sandboxer> {
        arguments()
            .into_iter()
            .filter_map(|(_, args)| {
                let after = |flag: &str| {
                    let at = args.iter().position(|arg| arg == Path::new(flag))?;
                    args.get(at + 1)
                };
                let here = after("--listen")?.starts_with(self.temporary.path());
                here.then_some(Sandboxer {
                    dir: after("--dir")?.clone(),
                })
            })
            .collect()
    }
}

/// Returns the arguments of all processes.
fn arguments() -> Vec<(Pid, Vec<PathBuf>)> {
    entries(Path::new("/proc"))
        .into_iter()
        .filter_map(|process| {
            let pid = process.file_name()?.to_str()?.parse().ok()?;
            // A process that has ended meanwhile is left out.
            let line = fs::read(process.join("cmdline")).ok()?;
            let args = line
                .split(|byte| *byte == 0)
                .map(|arg| OsString::from_vec(arg.to_vec()).into())
                .collect();
            Some((Pid::from_raw(pid)?, args))
        })
        .collect()
}

impl Drop for Place {
    fn drop(&mut self) {
        for left in self.processes() {
            // The process may have ended meanwhile.
            let _ = kill_process(left, Signal::KILL);
        }
    }
}

/// Returns the paths in a directory.
///
/// # Panics
/// If it cannot be listed.
pub fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn entries_if_any(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Returns the hash of the plan with these options.
///
/// # Panics
/// If loadgen fails.
pub fn plan_hash(args: &[&str]) -> String {
    let output = run("loadgen", &[&["plan"], args].concat());
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("a hash is text");
    text.trim_end().to_owned()
}
