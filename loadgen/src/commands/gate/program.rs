//! Programs of a gate: files, or revisions to build.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::process::program::sha256;
use crate::scratch::Scratch;
use crate::server::child;
use crate::server::embedded::PROGRAM;
use crate::show::progress::Style;
use crate::stop::Stop;

/// Cargo's build directory for gates, below its target directory. Both revisions and
/// later gates share the built dependencies.
const TARGET: &str = "gate";

/// Failure to provide a program of a gate.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// A stop was requested before the first round.
    #[error("interrupted before the first round")]
    Interrupted,
    /// There is no directory to build in.
    #[error("make a directory for the programs")]
    Directory(#[source] io::Error),
    /// The name is neither a file nor a revision.
    #[error("{asked} is neither a file nor a revision that git knows here: {reason}")]
    Unknown {
        /// Name as given.
        asked: String,
        /// Message of git.
        reason: String,
    },
    /// The file exists and cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The failure.
        #[source]
        source: io::Error,
    },
    /// The program cannot be built.
    #[error("build {commit}: {step}: {reason}")]
    Build {
        /// Commit of the build.
        commit: String,
        /// Failed step.
        step: &'static str,
        /// Reason of the failure.
        reason: String,
    },
}

/// One of the two programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// File or revision, as given.
    pub asked: String,
    /// Commit of the build; `None` for a file.
    pub commit: Option<String>,
    /// SHA-256 of the program file, in hexadecimal.
    pub sha256: String,
    /// Path of the program file.
    #[serde(skip)]
    pub path: PathBuf,
}

/// Both programs; built files exist until this is dropped.
#[derive(Debug)]
pub struct Programs {
    /// The program to compare with.
    pub base: Program,
    /// The program to compare.
    pub head: Program,
    /// Directory of the built programs.
    _built: Scratch,
}

/// Meaning of a name.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    File(PathBuf),
    /// Commit of a revision.
    Commit(String),
}

impl Programs {
    /// Finds or builds both programs.
    ///
    /// # Errors
    /// [`ProgramError`], with the missing program or the failed step.
    pub fn of(base: &str, head: &str, stop: &Stop, style: Style) -> Result<Self, ProgramError> {
        // Both names are checked before the first build.
        let named = [named(base)?, named(head)?];
        let built = Scratch::new("gate").map_err(ProgramError::Directory)?;
        let mut programs = Vec::new();
        for (asked, named) in [base, head].into_iter().zip(named) {
            if stop.requested() {
                return Err(ProgramError::Interrupted);
            }
            let (path, commit) = match named {
                Named::File(path) => (path, None),
                Named::Commit(commit) => {
                    style.say(&format!("Building {asked} ({commit:.12})"));
                    let path = build(&commit, built.path(), stop)?;
                    (path, Some(commit))
                }
            };
            programs.push(Program {
                asked: asked.to_owned(),
                commit,
                sha256: sha256(&path).map_err(|source| ProgramError::Read {
                    path: path.clone(),
                    source,
                })?,
                path,
            });
        }
        let [base, head] = programs.try_into().map_err(|_| ProgramError::Interrupted)?;
        Ok(Self {
            base,
            head,
            _built: built,
        })
    }
}

/// Finds the file with this name, else the commit of the revision with this name.
fn named(asked: &str) -> Result<Named, ProgramError> {
    let path = Path::new(asked);
    if path.is_file() {
        return Ok(Named::File(child::given(path)));
    }
    let revision = format!("{asked}^{{commit}}");
    git(
        None,
        &["rev-parse", "--verify", "--end-of-options", &revision],
    )
    .map(Named::Commit)
    .map_err(|reason| ProgramError::Unknown {
        asked: asked.to_owned(),
        reason,
    })
}

/// Builds the sandboxer of a commit in a temporary worktree; returns the path of the
/// program, in `dir`.
fn build(commit: &str, dir: &Path, stop: &Stop) -> Result<PathBuf, ProgramError> {
    let failed = |step| {
        move |reason| ProgramError::Build {
            commit: commit.to_owned(),
            step,
            reason,
        }
    };
    let top =
        git(None, &["rev-parse", "--show-toplevel"]).map_err(failed("find the repository"))?;
    let top = PathBuf::from(top);
    let worktree = Worktree::add(&top, dir.join(format!("tree-{commit}")), commit)
        .map_err(failed("git worktree add"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| top.join("target"), |given| top.join(given))
        .join(TARGET);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "-p", "sandboxer"])
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(&worktree.path)
        .stdin(Stdio::null())
        // Cargo writes progress and errors to standard error, shared with this
        // program.
        .stdout(Stdio::null())
        .status()
        .map_err(|e| e.to_string())
        .and_then(|status| {
            if status.success() {
                Ok(())
            } else {
                Err(format!("{status}; see above"))
            }
        });
    if stop.requested() {
        return Err(ProgramError::Interrupted);
    }
    built.map_err(failed("cargo build --release -p sandboxer"))?;
    // The next build overwrites the program in the target directory.
    let program = dir.join(format!("{PROGRAM}-{commit}"));
    fs::copy(target.join("release").join(PROGRAM), &program)
        .map_err(|e| failed("copy the program")(e.to_string()))?;
    Ok(program)
}

/// Git worktree, removed when dropped.
struct Worktree<'a> {
    repository: &'a Path,
    path: PathBuf,
}

impl<'a> Worktree<'a> {
    fn add(repository: &'a Path, path: PathBuf, commit: &str) -> Result<Self, String> {
        // Owned from here on, because git may create the worktree and fail
        // nevertheless.
        let worktree = Self { repository, path };
        let path = worktree.path.to_string_lossy();
        let add = ["worktree", "add", "--force", "--detach", &path, commit];
        git(Some(repository), &add)?;
        drop(path);
        Ok(worktree)
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        let path = self.path.to_string_lossy();
        // The parent directory is removed in any case, and git notices that by
        // itself.
        let _ = git(
            Some(self.repository),
            &["worktree", "remove", "--force", &path],
        );
    }
}

/// Returns the output of git.
///
/// # Errors
/// The message of git.
fn git(dir: Option<&Path>, args: &[&str]) -> Result<String, String> {
    let output = Command::new("git")
        .args(args)
        .current_dir(dir.unwrap_or(Path::new(".")))
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot run git: {e}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_as_it_is() {
        let programs = Programs::of("/bin/true", "/bin/true", &Stop::new(), Style::Silent).unwrap();
        assert_eq!(programs.base, programs.head);
        assert_eq!(programs.base.path, Path::new("/bin/true"));
        assert_eq!(
            (programs.base.sha256.len(), &programs.base.commit),
            (64, &None)
        );
    }

    #[test]
    fn an_unknown_name_is_in_the_error() {
        let error = Programs::of("/bin/true", "no-such-thing", &Stop::new(), Style::Silent);
        let message = error.unwrap_err().to_string();
        assert!(message.contains("no-such-thing"), "{message}");
        let option = named("--help").unwrap_err().to_string();
        assert!(option.contains("--help"), "{option}");
    }

    #[test]
    fn nothing_is_built_once_a_stop_was_asked_for() {
        let stop = Stop::new();
        stop.request();
        let error = Programs::of("/bin/true", "/bin/true", &stop, Style::Silent).unwrap_err();
        assert!(matches!(error, ProgramError::Interrupted));
    }
}
