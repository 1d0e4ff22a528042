//! Effects of signals on fake processes.

use std::collections::BTreeMap;
use std::time::Duration;

use containerd_sandbox::{Error, Result};
use toy_userland::Signal;

use slot::{KILLED, Reaction, SignalHandling};

/// Highest signal number of Linux (`SIGRTMAX`).
const LAST: u32 = 64;

/// Largest number of reactions that an annotation may state.
const MAX_REACTIONS: usize = 64;

/// Valid values of the annotation `on-signal`, for messages.
pub(crate) const RIGHT: &str = "a list such as TERM=0 after 2s, WINCH=ignore, of signals other than KILL and STOP, with exit \
     codes from 0 to 255";

/// Effect of a signal on a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The process goes on.
    None,
    /// The process ends with this exit code.
    Exit(u32),
}

/// Checks the Linux number of a signal (`signal(7)`). Signal 0 only asks whether a process
/// exists.
///
/// # Errors
/// `InvalidArgument` for a number that is no signal.
pub(crate) fn check(signal: u32) -> Result<()> {
    if signal <= LAST {
        return Ok(());
    }
    Err(Error::invalid_argument(format!(
        "signal {signal}: a number from 0 to {LAST} is needed"
    )))
}

/// Returns the effect of a signal that the process has no stated reaction to and no trap for.
///
/// KILL ends every process with 128 + 9. Signals that a process ignores by default, and those
/// that stop or continue it, have no effect. Of the others, a process without handlers ends with
/// 128 + the signal, unless it is the first of its PID namespace. A program that is not simulated
/// is taken for one that handles signals: TERM ends it with 128 + 15, as most do, and another
/// signal with 0, as a clean stop.
pub(crate) fn effect(signal: u32, handling: SignalHandling) -> Effect {
    const TERM: u32 = 15;
    match (signal, handling) {
        (9, _) => Effect::Exit(KILLED),
        // CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH
        (0 | 17..=23 | 28, _) | (_, SignalHandling::Protected) => Effect::None,
        (TERM, SignalHandling::Handled) | (_, SignalHandling::Default) => {
            Effect::Exit(128 + signal)
        }
        (_, SignalHandling::Handled) => Effect::Exit(0),
    }
}

/// Parses the value of the annotation `on-signal`: reactions by the number of the signal.
pub(crate) fn parse(text: &str) -> Option<BTreeMap<u32, Reaction>> {
    let mut reactions = BTreeMap::new();
    for item in text.split(',') {
        let (name, reaction) = item.split_once('=')?;
        let number = u32::from(Signal::parse(name.trim())?.0);
        // Nothing can handle KILL and STOP.
        if matches!(number, 0 | 9 | 19) || reactions.len() >= MAX_REACTIONS {
            return None;
        }
        reactions.insert(number, reaction_of(reaction)?);
    }
    Some(reactions)
}

fn reaction_of(text: &str) -> Option<Reaction> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (code, after) = match words[..] {
        ["ignore"] => return Some(Reaction::Ignore),
        [code] => (code, Duration::ZERO),
        [code, "after", time] => (code, humantime::parse_duration(time).ok()?),
        _ => return None,
    };
    Some(Reaction::Exit {
        code: code.parse().ok()?,
        after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::SignalHandling::{Default, Handled, Protected};

    #[test]
    fn the_effect_depends_on_the_signal_and_the_handlers() {
        for (signal, handled, default, protected) in [
            (9, Some(137), Some(137), Some(137)),
            (15, Some(143), Some(143), None),
            (1, Some(0), Some(129), None),
            (2, Some(0), Some(130), None),
            (10, Some(0), Some(138), None),
            (34, Some(0), Some(162), None),
            (64, Some(0), Some(192), None),
            (0, None, None, None),
            (17, None, None, None),
            (19, None, None, None),
            (23, None, None, None),
            (28, None, None, None),
        ] {
            for (handling, code) in [
                (Handled, handled),
                (Default, default),
                (Protected, protected),
            ] {
                let expected = code.map_or(Effect::None, Effect::Exit);
                assert_eq!(effect(signal, handling), expected, "{signal} {handling:?}");
            }
        }
    }

    #[test]
    fn a_number_beyond_the_last_signal_is_refused() {
        assert!(check(64).is_ok());
        assert!(check(65).is_err());
        assert!(check(u32::MAX).is_err());
    }

    #[test]
    fn reactions_are_a_list() {
        let exit = |code, after| Reaction::Exit {
            code,
            after: Duration::from_millis(after),
        };
        let parsed = parse("TERM=0 after 1500ms, SIGWINCH = 3,quit=ignore").unwrap();
        let expected = [(15, exit(0, 1500)), (28, exit(3, 0)), (3, Reaction::Ignore)];
        assert_eq!(parsed, BTreeMap::from(expected));
        for wrong in [
            "",
            "TERM",
            "TERM=",
            "TERM=x",
            "TERM=256",
            "KILL=0",
            "STOP=0",
            "9=0",
            "0=0",
            "NONE=0",
            "TERM=0 after soon",
            "TERM=0 after",
            "TERM=0,",
            "TERM=ignore now",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
