//! Behaviour of pods, containers and processes, as drawn when they are created.

use std::time::Duration;

use containerd_sandbox::{Error, Result};

use super::annotations::{Annotations, PREFIX};
use super::delay::{self, Delay};
use super::failure::Failure;
use super::random::Random;
use slot::{Behaviour, KILLED, PlannedExit, SignalHandling};

/// Longest command with its arguments, in bytes, each argument with its final NUL: a
/// quarter of a stack of 8 MiB, execve(2).
const MAX_ARGS_BYTES: usize = 2 << 20;

/// A shell's exit code for a command that is not found.
const NOT_FOUND: u32 = 127;

/// Value of `exit-after` for a container that runs until it is stopped.
const NEVER: &str = "never";

/// Behaviour of a process: how it is going to end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProcessBehaviour {
    /// Planned end by a timer.
    pub(crate) planned_exit: PlannedExit,
    /// Command that runs in the toy userland and whose end is the process's end; empty for
    /// none.
    pub(crate) command: Vec<String>,
    /// Effect of signals that the command does not trap.
    pub(crate) signals: SignalHandling,
}

impl ProcessBehaviour {
    /// Returns the behaviour of the first process of a PID namespace, if `is_first` is set.
    pub(crate) fn protected(mut self, is_first: bool) -> Self {
        if is_first && self.signals == SignalHandling::Default {
            self.signals = SignalHandling::Protected;
        }
        self
    }
}

/// Behaviour of a container.
#[derive(Debug, Default)]
pub(crate) struct ContainerBehaviour {
    /// How the container's first process ends.
    pub(crate) process: ProcessBehaviour,
    /// What the container does while it runs; `None` if nothing is stated.
    pub(crate) conduct: Option<Box<Behaviour>>,
    /// Creations that fail.
    pub(crate) fail_create: Option<Failure>,
}

/// Behaviour of a pod.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct PodBehaviour {
    /// Annotations of the pod, which also hold for its containers.
    pub(crate) annotations: Annotations,
    /// Time that the start of the sandbox takes.
    pub(crate) start_delay: Duration,
    /// Creations of the sandbox that fail.
    pub(crate) fail_create: Option<Failure>,
    /// Starts of the sandbox that fail.
    pub(crate) fail_start: Option<Failure>,
}

impl From<PlannedExit> for ProcessBehaviour {
    fn from(life: PlannedExit) -> Self {
        Self {
            planned_exit: life,
            ..Self::default()
        }
    }
}

/// Draws the behaviour of a container's first process: as its annotations state, else as
/// its command does if the toy userland has that command, else endless.
///
/// # Errors
/// `InvalidArgument`, naming the annotation, its value and the valid values.
pub(crate) fn of_init(
    annotations: &Annotations,
    args: Vec<String>,
    random: &mut Random,
) -> Result<ProcessBehaviour> {
    let never = annotations
        .parsed::<String>("exit-after", NEVER)?
        .as_deref()
        == Some(NEVER);
    let ends_after = if never {
        None
    } else {
        drawn(annotations, "exit-after", "exit-jitter", random)?
    };
    let exit_code: Option<u8> = annotations.parsed("exit-code", "a number from 0 to 255")?;
    let oom = annotations.parsed("oom", "true or false")?.unwrap_or(false);
    if ends_after.is_none() {
        if oom || exit_code.is_some() || annotations.says("exit-jitter") {
            return Err(Error::invalid_argument(format!(
                "annotation {PREFIX}exit-after: missing; oom, exit-code and exit-jitter say how a \
                 container ends, not when"
            )));
        }
        return if never {
            Ok(ProcessBehaviour::default())
        } else {
            of_command(args, |_| ProcessBehaviour::default())
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

/// Draws a time from the distribution in the annotation `name`, plus a uniform extra of at
/// most the time in the annotation `jitter`. Returns `None` if neither is stated.
///
/// # Errors
/// `InvalidArgument`, naming the annotation, its value and the valid values.
pub(crate) fn drawn(
    annotations: &Annotations,
    name: &str,
    jitter: &str,
    random: &mut Random,
) -> Result<Option<Duration>> {
    let time: Option<Delay> = annotations.parsed(name, delay::RIGHT)?;
    let more = annotations.get(jitter, "a time such as 250ms", |text| {
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

/// Returns the behaviour of a command. A command that only waits becomes a timer, and a
/// command that the toy userland does not have becomes what `unknown` returns.
fn of_command(
    args: Vec<String>,
    unknown: impl FnOnce(Vec<String>) -> ProcessBehaviour,
) -> Result<ProcessBehaviour> {
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
        let signals = if idle.handles_term {
            SignalHandling::Handled
        } else {
            SignalHandling::Default
        };
        return Ok(ProcessBehaviour {
            signals,
            ..life.into()
        });
    }
    Ok(match args.first() {
        Some(command) if toy_userland::is_known(command) => ProcessBehaviour {
            command: args,
            signals: SignalHandling::Default,
            ..ProcessBehaviour::default()
        },
        _ => unknown(args),
    })
}

/// Returns the behaviour of a process added by exec. It runs in the toy userland, which
/// also answers for commands that it does not have.
///
/// # Errors
/// `InvalidArgument` for more arguments than Linux would take.
pub(crate) fn of_exec(args: Vec<String>, has_stdin: bool) -> Result<ProcessBehaviour> {
    if args.is_empty() {
        // Nothing can be run.
        let life = PlannedExit {
            ends_after: Some(Duration::ZERO),
            exit_code: NOT_FOUND,
            oom: false,
        };
        return Ok(life.into());
    }
    if has_stdin {
        // The command may read standard input, so it is not reduced to a timer.
        return Ok(ProcessBehaviour {
            command: args,
            signals: SignalHandling::Default,
            ..ProcessBehaviour::default()
        });
    }
    of_command(args, |args| ProcessBehaviour {
        command: args,
        signals: SignalHandling::Default,
        ..ProcessBehaviour::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(args: &[&str]) -> Vec<String> {
        args.iter().map(ToString::to_string).collect()
    }

    fn annotated(said: &[(&str, &str)]) -> Result<PlannedExit> {
        let mut annotations = Annotations::default();
        for (name, value) in said {
            annotations.add(name, value)?;
        }
        let script = args(&["sh", "-c", "echo hi; sleep 1"]);
        let behaviour = of_init(&annotations, script, &mut Random::of(1, &[]))?;
        assert_eq!(behaviour.command.is_empty(), !said.is_empty());
        Ok(behaviour.planned_exit)
    }

    #[test]
    fn annotations_state_when_and_how_a_container_ends() {
        assert_eq!(annotated(&[]), Ok(PlannedExit::default()));
        let life = annotated(&[("exit-after", "1500ms"), ("exit-code", "3")]).unwrap();
        assert_eq!(life.ends_after, Some(Duration::from_millis(1500)));
        assert_eq!((life.exit_code, life.oom), (3, false));
        let life = annotated(&[("exit-after", "0s"), ("oom", "true")]).unwrap();
        assert_eq!((life.exit_code, life.oom), (137, true));
    }

    #[test]
    fn an_annotation_lets_a_container_run_for_ever_with_any_command() {
        assert_eq!(
            annotated(&[("exit-after", "never")]),
            Ok(PlannedExit::default())
        );
        assert!(annotated(&[("exit-after", "never"), ("exit-code", "1")]).is_err());
    }

    #[test]
    fn jitter_adds_at_most_its_time() {
        let after = annotated(&[("exit-after", "1s"), ("exit-jitter", "100ms")]).unwrap();
        let after = after.ends_after.unwrap();
        assert!(after > Duration::from_secs(1) && after < Duration::from_millis(1100));
    }

    #[test]
    fn an_annotation_that_cannot_be_read_is_named() {
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
        let behaviour = |args: &[&str]| {
            let random = &mut Random::of(1, &[]);
            of_init(&Annotations::default(), self::args(args), random).unwrap()
        };
        for endless in [&["/app/server", "--port=80"][..], &["/pause"], &[]] {
            assert_eq!(
                behaviour(endless),
                ProcessBehaviour::default(),
                "{endless:?}"
            );
        }
        let sleeps = behaviour(&["sleep", "infinity"]);
        assert_eq!(sleeps.signals, SignalHandling::Default);
        assert_eq!(sleeps.planned_exit, PlannedExit::default());
        let script = ["sh", "-c", "exit 3"];
        assert_eq!(behaviour(&script).command, args(&script));
        assert_eq!(behaviour(&["false"]).planned_exit.exit_code, 1);
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
