//! How long a fake process lives.

use std::time::Duration;

use containerd_sandbox::{Error, Result};

use super::delay::{self, Delay};
use super::random::Random;
use super::stated::{PREFIX, Stated};
use slot::{KILLED, PlannedExit};

/// The longest command with its arguments, in bytes, each with its final NUL: a
/// quarter of a stack of 8 MiB, execve(2).
const MAX_ARGS_BYTES: usize = 2 << 20;

/// The exit code of a command that is not found, as a shell gives it.
const NOT_FOUND: u32 = 127;

/// Instead of a time: until it is stopped.
const NEVER: &str = "never";

/// How a process is going to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Course {
    /// By itself.
    pub(crate) planned_exit: PlannedExit,
    /// By what it runs in the toy userland; empty: nothing.
    pub(crate) command: Vec<String>,
}

impl From<PlannedExit> for Course {
    fn from(life: PlannedExit) -> Self {
        Self {
            planned_exit: life,
            command: Vec::new(),
        }
    }
}

/// A container's first process lives as its annotations say, else as its command
/// does if the toy userland knows it, else until it is stopped.
///
/// # Errors
/// `InvalidArgument`, naming the annotation, its value and what would be right.
pub(crate) fn of_init(stated: &Stated, args: Vec<String>, random: &mut Random) -> Result<Course> {
    let never = stated.parsed::<String>("exit-after", NEVER)?.as_deref() == Some(NEVER);
    let ends_after = if never {
        None
    } else {
        drawn(stated, "exit-after", "exit-jitter", random)?
    };
    let exit_code: Option<u8> = stated.parsed("exit-code", "a number from 0 to 255")?;
    let oom = stated.parsed("oom", "true or false")?.unwrap_or(false);
    if ends_after.is_none() {
        if oom || exit_code.is_some() || stated.says("exit-jitter") {
            return Err(Error::invalid_argument(format!(
                "annotation {PREFIX}exit-after: missing; oom, exit-code and exit-jitter say how a \
                 container ends, not when"
            )));
        }
        return if never {
            Ok(Course::default())
        } else {
            of_command(args, |_| Course::default())
        };
    }
    let life = PlannedExit {
        ends_after,
        exit_code: if oom {
            KILLED
        } else {
            u32::from(exit_code.unwrap_or(0))
        },
        oom,
    };
    Ok(life.into())
}

/// A time that is stated by a distribution, and up to so much more.
///
/// # Errors
/// `InvalidArgument`, naming the annotation, its value and what would be right.
pub(crate) fn drawn(
    stated: &Stated,
    name: &str,
    jitter: &str,
    random: &mut Random,
) -> Result<Option<Duration>> {
    let time: Option<Delay> = stated.parsed(name, delay::RIGHT)?;
    let more = stated.get(jitter, "a time such as 250ms", |text| {
        humantime::parse_duration(text).ok()
    })?;
    let time = time.map(|time| time.draw(random));
    let more = more.map(|most| Delay::Uniform(Duration::ZERO, most).draw(random));
    Ok(match (time, more) {
        (None, None) => None,
        (time, more) => Some(
            time.unwrap_or_default()
                .saturating_add(more.unwrap_or_default()),
        ),
    })
}

/// What a command comes to: nothing is run that only waits, and what the toy userland
/// does not know comes to what `unknown` says.
fn of_command(args: Vec<String>, unknown: impl FnOnce(Vec<String>) -> Course) -> Result<Course> {
    let size: usize = args.iter().map(|arg| arg.len() + 1).sum();
    if size > MAX_ARGS_BYTES {
        return Err(Error::invalid_argument(format!(
            "args: {size} bytes, over the limit of {MAX_ARGS_BYTES}"
        )));
    }
    if let Some(idle) = toy_userland::idle(&args) {
        let life = PlannedExit {
            ends_after: idle.ends_after,
            exit_code: u32::from(idle.exit_code),
            oom: false,
        };
        return Ok(life.into());
    }
    Ok(match args.first() {
        Some(command) if toy_userland::is_known(command) => Course {
            command: args,
            ..Course::default()
        },
        _ => unknown(args),
    })
}

/// A process that exec adds runs in the toy userland, which knows what to say of a
/// command that it does not know.
///
/// # Errors
/// `InvalidArgument` for more arguments than Linux would take.
pub(crate) fn of_exec(args: Vec<String>, has_stdin: bool) -> Result<Course> {
    if args.is_empty() {
        // Nothing is found that could be run.
        let life = PlannedExit {
            ends_after: Some(Duration::ZERO),
            exit_code: NOT_FOUND,
            oom: false,
        };
        return Ok(life.into());
    }
    if has_stdin {
        // It may read it.
        return Ok(Course {
            command: args,
            ..Course::default()
        });
    }
    of_command(args, |args| Course {
        command: args,
        ..Course::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(args: &[&str]) -> Vec<String> {
        args.iter().map(ToString::to_string).collect()
    }

    fn annotated(said: &[(&str, &str)]) -> Result<PlannedExit> {
        let mut stated = Stated::default();
        for (name, value) in said {
            stated.add(name, value)?;
        }
        let script = args(&["sh", "-c", "echo hi; sleep 1"]);
        let course = of_init(&stated, script, &mut Random::of(1, &[]))?;
        assert_eq!(course.command.is_empty(), !said.is_empty());
        Ok(course.planned_exit)
    }

    #[test]
    fn a_container_lives_as_its_annotations_say() {
        assert_eq!(annotated(&[]), Ok(PlannedExit::default()));
        let life = annotated(&[("exit-after", "1500ms"), ("exit-code", "3")]).unwrap();
        assert_eq!(life.ends_after, Some(Duration::from_millis(1500)));
        assert_eq!((life.exit_code, life.oom), (3, false));
        let life = annotated(&[("exit-after", "0s"), ("oom", "true")]).unwrap();
        assert_eq!((life.exit_code, life.oom), (137, true));
    }

    #[test]
    fn a_container_may_be_said_to_run_whatever_its_command() {
        assert_eq!(
            annotated(&[("exit-after", "never")]),
            Ok(PlannedExit::default())
        );
        assert!(annotated(&[("exit-after", "never"), ("exit-code", "1")]).is_err());
    }

    #[test]
    fn jitter_adds_up_to_so_much() {
        let after = annotated(&[("exit-after", "1s"), ("exit-jitter", "100ms")]).unwrap();
        let after = after.ends_after.unwrap();
        assert!(after > Duration::from_secs(1) && after < Duration::from_millis(1100));
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        for (key, value) in [
            ("exit-after", "soon"),
            ("exit-code", "256"),
            ("exit-code", "-1"),
            ("oom", "perhaps"),
        ] {
            let message = annotated(&[(key, value)]).unwrap_err().to_string();
            assert!(
                message.contains(key) && message.contains(value),
                "{message}"
            );
        }
        let message = annotated(&[("oom", "true")]).unwrap_err().to_string();
        assert!(message.contains("exit-after"), "{message}");
    }

    #[test]
    fn a_container_whose_command_is_not_known_runs_until_it_is_stopped() {
        let course = |args: &[&str]| {
            let random = &mut Random::of(1, &[]);
            of_init(&Stated::default(), self::args(args), random).unwrap()
        };
        for endless in [
            &["/app/server", "--port=80"][..],
            &["sleep", "infinity"],
            &[],
        ] {
            assert_eq!(course(endless), Course::default(), "{endless:?}");
        }
        let script = ["sh", "-c", "exit 3"];
        assert_eq!(course(&script).command, args(&script));
        assert_eq!(course(&["false"]).planned_exit.exit_code, 1);
    }

    #[test]
    fn a_command_that_only_waits_is_timed_and_every_other_run() {
        let exec = |args: &[&str], stdin| of_exec(self::args(args), stdin).unwrap();
        let sleeps = exec(&["sleep", "1.5"], false);
        assert_eq!(
            sleeps.planned_exit.ends_after,
            Some(Duration::from_millis(1500))
        );
        assert!(sleeps.command.is_empty());
        assert_eq!(exec(&["true"], true).command, ["true"]);
        assert_eq!(exec(&["/app/probe"], false).command, ["/app/probe"]);
        assert_eq!(exec(&[], true).planned_exit.exit_code, 127);
    }

    #[test]
    fn more_arguments_than_linux_takes_are_refused() {
        let error = of_exec(vec!["x".repeat(MAX_ARGS_BYTES)], false).unwrap_err();
        assert!(error.to_string().starts_with("args: "), "{error}");
    }
}
