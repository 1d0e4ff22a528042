//! Programs of a gate: files, revisions to build, or running servers.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::process::program::sha256;
use crate::scratch::Scratch;
use crate::server::child::{self, ChildError};
use crate::server::containerd;
use crate::server::embedded::PROGRAM;
use crate::server::subject::{Containerd, Subject};
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
    /// The containerd is not there.
    #[error(transparent)]
    Child(#[from] ChildError),
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
    /// Subject, as given.
    pub asked: String,
    /// Commit of the build; `None` for a file.
    pub commit: Option<String>,
    /// SHA-256 of the program file, in hexadecimal; `None` for a server that was running before.
    pub sha256: Option<String>,
}

/// Both programs; built files exist until this is dropped.
#[derive(Debug)]
pub struct Programs {
    /// The program to compare with.
    pub base: Program,
    /// The program to compare.
    pub head: Program,
    /// Both, ready to be started: base, then head.
    pub subjects: [Subject; 2],
    /// Directory of the built programs.
    _built: Scratch,
}

/// Meaning of a name.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    File(PathBuf),
    /// Commit of a revision.
    Commit(String),
    /// A server that is running.
    Running,
}

impl Programs {
    /// Finds or builds both programs.
    ///
    /// # Errors
    /// [`ProgramError`], with the missing program or the failed step.
    pub fn of(
        base: &Subject,
        head: &Subject,
        stop: &Stop,
        style: Style,
    ) -> Result<Self, ProgramError> {
        // Both names are checked before the first build.
        let named = [named(base)?, named(head)?];
        let built = Scratch::new("gate").map_err(ProgramError::Directory)?;
        let mut found = Vec::new();
        for (asked, named) in [base, head].into_iter().zip(named) {
            if stop.requested() {
                return Err(ProgramError::Interrupted);
            }
            found.push(named.ready(asked, built.path(), stop, style)?);
        }
        let [(base, of_base), (head, of_head)] =
            found.try_into().map_err(|_| ProgramError::Interrupted)?;
        Ok(Self {
            base,
            head,
            subjects: [of_base, of_head],
            _built: built,
        })
    }
}

impl Named {
    /// Provides the program, which is built in `dir` if it is a revision.
    fn ready(
        self,
        asked: &Subject,
        dir: &Path,
        stop: &Stop,
        style: Style,
    ) -> Result<(Program, Subject), ProgramError> {
        let (path, commit) = match self {
            Self::File(path) => (Some(path), None),
            Self::Commit(commit) => {
                style.say(&format!("Building {asked} ({commit:.12})"));
                (Some(build(&commit, dir, stop)?), Some(commit))
            }
            Self::Running => (None, None),
        };
        let sha256 = path.as_deref().map(|path| {
            sha256(path).map_err(|source| ProgramError::Read {
                path: path.to_owned(),
                source,
            })
        });
        let program = Program {
            asked: asked.to_string(),
            commit,
            sha256: sha256.transpose()?,
        };
        let ready = match (asked.clone(), path) {
            (Subject::Sandboxer(_), Some(path)) => {
                Subject::Sandboxer(path.to_string_lossy().into_owned())
            }
            (Subject::Containerd(containerd), path) => Subject::Containerd(Containerd {
                program: path,
                ..containerd
            }),
            (other, _) => other,
        };
        Ok((program, ready))
    }
}

/// Finds the file of a subject; for a sandboxer without one, the commit of the revision with this
/// name.
fn named(asked: &Subject) -> Result<Named, ProgramError> {
    match asked {
        Subject::Sandboxer(name) => of_name(name),
        Subject::Containerd(containerd) => {
            Ok(containerd::find(containerd.program.as_deref()).map(Named::File)?)
        }
        Subject::Endpoint { .. } => Ok(Named::Running),
    }
}

fn of_name(asked: &str) -> Result<Named, ProgramError> {
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

    fn subject(text: &str) -> Subject {
        text.parse().unwrap()
    }

    fn programs(base: &str, head: &str) -> Result<Programs, ProgramError> {
        Programs::of(&subject(base), &subject(head), &Stop::new(), Style::Silent)
    }

    #[test]
    fn a_file_is_taken_as_it_is() {
        let found = programs("/bin/true", "/bin/true").unwrap();
        assert_eq!(found.base, found.head);
        assert_eq!(found.subjects[0], subject("/bin/true"));
        let length = found.base.sha256.as_deref().map(str::len);
        assert_eq!((length, &found.base.commit), (Some(64), &None));
    }

    #[test]
    fn a_containerd_and_a_running_server_keep_their_settings() {
        let (one, other) = (
            "containerd:/bin/true?handler=runc",
            "unix:///no.sock?handler=crun",
        );
        let found = programs(one, other).unwrap();
        assert_eq!(found.subjects, [one, other].map(subject));
        assert!(found.base.sha256.is_some() && found.head.sha256.is_none());
        assert_eq!([&*found.base.asked, &*found.head.asked], [one, other]);
    }

    #[test]
    fn an_unknown_name_is_in_the_error() {
        let message = programs("/bin/true", "no-such-thing")
            .unwrap_err()
            .to_string();
        assert!(message.contains("no-such-thing"), "{message}");
        let option = of_name("--help").unwrap_err().to_string();
        assert!(option.contains("--help"), "{option}");
    }

    #[test]
    fn nothing_is_built_once_a_stop_was_asked_for() {
        let stop = Stop::new();
        stop.request();
        let program = subject("/bin/true");
        let error = Programs::of(&program, &program, &stop, Style::Silent).unwrap_err();
        assert!(matches!(error, ProgramError::Interrupted));
    }
}
