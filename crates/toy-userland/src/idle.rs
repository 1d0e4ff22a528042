//! Commands that only wait. Most containers without work run one of them, and simulating one
//! takes no shell.

use std::time::Duration;

use crate::commands::duration;
use crate::syntax::{CommandKind, Limits, List, Part, Pipeline, Word, parse};
use crate::world::Signal;

/// Behaviour of a command that only waits. A signal has its default effect on the command.
/// Whether the effect comes from a trap makes a difference for the first process of a PID
/// namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idle {
    /// Time that it waits; `None` means without end.
    pub ends_after: Option<Duration>,
    /// Exit code after that time.
    pub exit_code: u8,
    /// Whether the command handles SIGTERM, with the effect of the default.
    pub handles_term: bool,
}

/// A wait of at least this time, a year, counts as one without end.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Bounds of a script that only waits. The caller recognises one among its other work, so it
/// reads no long script.
const IDLE_SCRIPT: Limits = Limits {
    bytes: 4096,
    words: 256,
    depth: 0,
    max_depth: 16,
};

impl Idle {
    fn at_once(exit_code: u8) -> Self {
        Self {
            ends_after: Some(Duration::ZERO),
            exit_code,
            handles_term: false,
        }
    }

    fn after(time: Duration) -> Self {
        Self {
            ends_after: (time < FOR_EVER).then_some(time),
            exit_code: 0,
            handles_term: false,
        }
    }

    const FOR_EVER: Self = Self {
        ends_after: None,
        exit_code: 0,
        handles_term: false,
    };

    fn with_handler(self, handles_term: bool) -> Self {
        Self {
            handles_term: self.handles_term || handles_term,
            ..self
        }
    }
}

/// Returns the last name of a path.
fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Returns the behaviour of a command that only waits, or that ends at once without output;
/// `None` for any other command.
///
/// Such commands are `sleep`, `pause`, `top`, `true`, `false`, `tail -f /dev/null`, and a
/// shell's script that amounts to one of them, such as
/// `trap 'exit 143' TERM; sleep infinity & wait`.
pub fn idle(argv: &[String]) -> Option<Idle> {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let (command, args) = words.split_first()?;
    match (base_name(command), args) {
        ("sh" | "ash" | "dash" | "bash", ["-c", script]) => {
            let script = parse(script, IDLE_SCRIPT).ok()?;
            of_script(&script)
        }
        (command, args) => of_command(command, args),
    }
}

fn of_command(command: &str, args: &[&str]) -> Option<Idle> {
    match (command, args) {
        // The output of `top` in a container's log is of no use, so it is left out.
        ("top", []) | ("tail", ["-f", "/dev/null"]) => Some(Idle::FOR_EVER),
        ("pause", []) => Some(Idle::FOR_EVER.with_handler(true)),
        ("true" | ":", []) => Some(Idle::at_once(0)),
        ("false", []) => Some(Idle::at_once(1)),
        ("sleep", [first, rest @ ..]) => {
            let mut total = duration(first)?;
            for more in rest {
                total = total.saturating_add(duration(more)?);
            }
            Some(Idle::after(total))
        }
        _ => None,
    }
}

fn of_script(script: &List) -> Option<Idle> {
    let (mut waited_for, mut handles_term) = (None::<Idle>, false);
    let mut items = script.0.iter().peekable();
    while let Some(item) = items.next() {
        if !item.command.rest.is_empty() {
            return None;
        }
        let is_last = items.peek().is_none();
        let Some(words) = literal(&item.command.first) else {
            let endless = is_last && !item.background && is_endless_sleep(&item.command.first);
            return endless.then_some(Idle::FOR_EVER.with_handler(handles_term));
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (&words[..], item.background) {
            (["trap", action, signals @ ..], false) if changes_nothing(action, signals) => {
                handles_term = true;
            }
            (["sleep", args @ ..], true) => {
                waited_for = Some(of_command("sleep", args)?);
            }
            (["wait"], false) if is_last => {
                return waited_for.map(|idle| idle.with_handler(handles_term));
            }
            // A program in place of the shell has no trap, and a shell runs the trap only
            // after the program in its foreground has ended.
            (["exec", command, args @ ..] | [command, args @ ..], false) if is_last => {
                return of_command(base_name(command), args);
            }
            _ => return None,
        }
    }
    None
}

/// Returns whether a trap has the effect of the signal without the trap: the end of the shell
/// with the signal's exit code.
fn changes_nothing(action: &str, signals: &[&str]) -> bool {
    let code = action
        .strip_prefix("exit ")
        .and_then(|code| code.trim().parse::<u8>().ok());
    let same = |signal: &&str| {
        let signal = Signal::parse(signal);
        signal.is_some_and(|signal| signal == Signal::TERM && code == Some(signal.exit_code()))
    };
    !signals.is_empty() && signals.iter().all(same)
}

/// Returns whether a pipeline is an endless loop around `sleep`, such as
/// `while true; do sleep 60; done`.
fn is_endless_sleep(pipeline: &Pipeline) -> bool {
    let [command] = &pipeline.commands[..] else {
        return false;
    };
    let CommandKind::Loop {
        until: false,
        condition,
        body,
    } = &command.kind
    else {
        return false;
    };
    let only = |list: &List| {
        let [item] = &list.0[..] else { return None };
        let is_plain = !item.background && item.command.rest.is_empty();
        let words = is_plain.then(|| literal(&item.command.first)).flatten()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (command, args) = words.split_first()?;
        of_command(command, args)
    };
    let sleeps = only(body).is_some_and(|idle| idle.ends_after != Some(Duration::ZERO));
    !pipeline.negated
        && command.redirects.is_empty()
        && only(condition) == Some(Idle::at_once(0))
        && sleeps
}

/// Returns the words of a simple command, if all are literal and it has neither assignments
/// nor redirections.
fn literal(pipeline: &Pipeline) -> Option<Vec<String>> {
    let [command] = &pipeline.commands[..] else {
        return None;
    };
    let CommandKind::Simple { assignments, words } = &command.kind else {
        return None;
    };
    if pipeline.negated
        || !command.redirects.is_empty()
        || !assignments.is_empty()
        || words.is_empty()
    {
        return None;
    }
    words.iter().map(literal_word).collect()
}

fn literal_word(word: &Word) -> Option<String> {
    let mut text = String::new();
    for part in &word.0 {
        match part {
            Part::Plain(plain) if !plain.contains(['*', '?', '[']) => text.push_str(plain),
            Part::Quoted(quoted) => text.push_str(quoted),
            _ => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(argv: &[&str]) -> Option<Idle> {
        idle(&argv.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    fn script(script: &str) -> Option<Idle> {
        of(&["/bin/sh", "-c", script])
    }

    #[test]
    fn commands_that_only_wait_need_no_shell() {
        assert_eq!(of(&["/bin/true"]), Some(Idle::at_once(0)));
        assert_eq!(of(&["false"]), Some(Idle::at_once(1)));
        assert_eq!(
            of(&["sleep", "1m", "1.5"]),
            Some(Idle::after(Duration::from_millis(61_500)))
        );
        for endless in [
            &["sleep", "infinity"][..],
            &["top"],
            &["tail", "-f", "/dev/null"],
        ] {
            assert_eq!(of(endless), Some(Idle::FOR_EVER), "{endless:?}");
        }
        let handles = Idle::FOR_EVER.with_handler(true);
        assert_eq!(of(&["/pause"]), Some(handles));
        let trap = "trap 'exit 143' TERM; sleep 2147483647 & wait";
        assert_eq!(script(trap), Some(handles));
    }

    #[test]
    fn scripts_that_only_wait_need_no_shell() {
        for endless in [
            "sleep infinity",
            "exec sleep infinity",
            "top",
            "while true; do sleep 5; done",
            "while :; do sleep 3600; done",
        ] {
            assert_eq!(script(endless), Some(Idle::FOR_EVER), "{endless}");
        }
        let three = Some(Idle::after(Duration::from_secs(3)));
        assert_eq!(script("sleep 3 & wait"), three);
        assert_eq!(script("sleep 3"), three);
    }

    #[test]
    fn commands_that_do_more_are_left_to_a_shell() {
        for more in [
            "sleep 3; echo done",
            "trap 'exit 0' TERM; sleep 3 & wait",
            "trap 'echo bye' TERM; sleep infinity & wait",
            "sleep 3 && false",
            "sleep $TIME",
            "sleep 3 > /log",
            "! sleep 3",
            "A=1 sleep 3",
            "while true; do echo x; sleep 1; done",
            "while true; do true; done",
            "until true; do sleep 1; done",
            "wait",
            "sleep",
            "sleep x",
            "sleep 1 | cat",
            "(sleep 1)",
            "",
            "if",
        ] {
            assert_eq!(script(more), None, "{more}");
        }
        assert_eq!(of(&["server", "--port", "80"]), None);
        assert_eq!(of(&["true", "x"]), None);
        assert_eq!(of(&[]), None);
    }
}
