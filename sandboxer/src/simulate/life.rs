//! How long a fake process lives.

use std::collections::HashMap;
use std::time::Duration;

use containerd_sandbox::{Error, Result, quoted};

use crate::slot::{KILLED, Life};
use crate::userland;

/// The annotations that say how a container ends.
const EXIT_AFTER: &str = "resource-slot.kuasar.io/exit-after";
const EXIT_CODE: &str = "resource-slot.kuasar.io/exit-code";
const OOM: &str = "resource-slot.kuasar.io/oom";

/// The longest command with its arguments, in bytes, each with its final NUL: a
/// quarter of a stack of 8 MiB, execve(2).
const MAX_ARGS_BYTES: usize = 2 << 20;

/// The exit code of a command that is not found, as a shell gives it.
const NOT_FOUND: u32 = 127;

/// How a process is going to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Course {
    /// By itself.
    pub(crate) life: Life,
    /// By what it runs in the toy userland; empty: nothing.
    pub(crate) command: Vec<String>,
}

impl From<Life> for Course {
    fn from(life: Life) -> Self {
        Self {
            life,
            command: Vec::new(),
        }
    }
}

/// A container's first process lives as its annotations say, else as its command
/// does if the toy userland knows it, else until it is stopped.
///
/// # Errors
/// `InvalidArgument`, naming the annotation, its value and what would be right.
pub(crate) fn of_init(annotations: &HashMap<String, String>, args: Vec<String>) -> Result<Course> {
    let ends_after = stated(
        annotations,
        EXIT_AFTER,
        "a time such as 5s or 250ms",
        |text| humantime::parse_duration(text).ok(),
    )?;
    let exit_code = stated(annotations, EXIT_CODE, "a number from 0 to 255", |text| {
        text.parse::<u8>().ok().map(u32::from)
    })?;
    let oom = stated(annotations, OOM, "true or false", |text| text.parse().ok())?;
    let oom = oom.unwrap_or(false);
    if ends_after.is_none() && (oom || exit_code.is_some()) {
        return Err(Error::invalid_argument(format!(
            "annotation {EXIT_AFTER}: missing; {OOM} and {EXIT_CODE} say how a container ends, not when"
        )));
    }
    if ends_after.is_none() {
        return of_command(args, |_| Course::default());
    }
    let life = Life {
        ends_after,
        exit_code: if oom { KILLED } else { exit_code.unwrap_or(0) },
        oom,
    };
    Ok(life.into())
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
    if let Some(idle) = userland::idle(&args) {
        let life = Life {
            ends_after: idle.ends_after,
            exit_code: u32::from(idle.exit_code),
            oom: false,
        };
        return Ok(life.into());
    }
    Ok(match args.first() {
        Some(command) if userland::is_known(command) => Course {
            command: args,
            ..Course::default()
        },
        _ => unknown(args),
    })
}

/// Those of the annotations that say how a container lives.
pub(crate) fn stated_by(annotations: &HashMap<String, String>) -> HashMap<String, String> {
    let known = [EXIT_AFTER, EXIT_CODE, OOM];
    let stated = annotations
        .iter()
        .filter(|(key, _)| known.contains(&key.as_str()));
    stated
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn stated<T>(
    annotations: &HashMap<String, String>,
    key: &str,
    right: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    let Some(text) = annotations.get(key) else {
        return Ok(None);
    };
    match read(text) {
        Some(value) => Ok(Some(value)),
        None => Err(Error::invalid_argument(format!(
            "annotation {key} {}: {right} is needed",
            quoted(text)
        ))),
    }
}

/// A process that exec adds runs in the toy userland, which knows what to say of a
/// command that it does not know.
///
/// # Errors
/// `InvalidArgument` for more arguments than Linux would take.
pub(crate) fn of_exec(args: Vec<String>, has_stdin: bool) -> Result<Course> {
    if args.is_empty() {
        // Nothing is found that could be run.
        let life = Life {
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

    fn annotated(annotations: &[(&str, &str)]) -> Result<Life> {
        let script = args(&["sh", "-c", "echo hi; sleep 1"]);
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let course = of_init(&annotations.iter().map(pair).collect(), script)?;
        assert_eq!(course.command.is_empty(), !annotations.is_empty());
        Ok(course.life)
    }

    #[test]
    fn a_container_lives_as_its_annotations_say() {
        assert_eq!(annotated(&[]), Ok(Life::default()));
        let life = annotated(&[(EXIT_AFTER, "1500ms"), (EXIT_CODE, "3")]).unwrap();
        assert_eq!(life.ends_after, Some(Duration::from_millis(1500)));
        assert_eq!((life.exit_code, life.oom), (3, false));
        let life = annotated(&[(EXIT_AFTER, "0s"), (OOM, "true")]).unwrap();
        assert_eq!((life.exit_code, life.oom), (137, true));
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        for (key, value) in [
            (EXIT_AFTER, "soon"),
            (EXIT_CODE, "256"),
            (EXIT_CODE, "-1"),
            (OOM, "perhaps"),
        ] {
            let message = annotated(&[(key, value)]).unwrap_err().to_string();
            assert!(
                message.contains(key) && message.contains(value),
                "{message}"
            );
        }
        let message = annotated(&[(OOM, "true")]).unwrap_err().to_string();
        assert!(message.contains(EXIT_AFTER), "{message}");
    }

    #[test]
    fn a_container_whose_command_is_not_known_runs_until_it_is_stopped() {
        let course = |args: &[&str]| of_init(&HashMap::new(), self::args(args)).unwrap();
        for endless in [
            &["/app/server", "--port=80"][..],
            &["sleep", "infinity"],
            &[],
        ] {
            assert_eq!(course(endless), Course::default(), "{endless:?}");
        }
        let script = ["sh", "-c", "exit 3"];
        assert_eq!(course(&script).command, args(&script));
        assert_eq!(course(&["false"]).life.exit_code, 1);
    }

    #[test]
    fn a_command_that_only_waits_is_timed_and_every_other_run() {
        let exec = |args: &[&str], stdin| of_exec(self::args(args), stdin).unwrap();
        let sleeps = exec(&["sleep", "1.5"], false);
        assert_eq!(sleeps.life.ends_after, Some(Duration::from_millis(1500)));
        assert!(sleeps.command.is_empty());
        assert_eq!(exec(&["true"], true).command, ["true"]);
        assert_eq!(exec(&["/app/probe"], false).command, ["/app/probe"]);
        assert_eq!(exec(&[], true).life.exit_code, 127);
    }

    #[test]
    fn more_arguments_than_linux_takes_are_refused() {
        let error = of_exec(vec!["x".repeat(MAX_ARGS_BYTES)], false).unwrap_err();
        assert!(error.to_string().starts_with("args: "), "{error}");
    }
}
