//! Effects of signals on fake processes.

use containerd_sandbox::{Error, Result};

use slot::KILLED;

/// Highest signal number of Linux (`SIGRTMAX`).
const LAST: u32 = 64;

/// Effect of a signal on a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// The process goes on.
    None,
    /// The process ends with this exit code.
    Exit(u32),
}

/// Returns the effect of a signal by its Linux number (`signal(7)`). KILL and TERM end a
/// process with 128 + signal. Other signals that end a process by default end it with 0, as
/// a clean stop would. Signals that a process ignores by default, and those that stop or
/// continue it, have no effect. Signal 0 only asks whether the process exists.
///
/// # Errors
/// `InvalidArgument` for a number that is no signal.
pub(crate) fn effect(signal: u32) -> Result<Effect> {
    const TERM: u32 = 15;
    match signal {
        0 => Ok(Effect::None),
        9 => Ok(Effect::Exit(KILLED)),
        TERM => Ok(Effect::Exit(128 + TERM)),
        // CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH
        17..=23 | 28 => Ok(Effect::None),
        1..=LAST => Ok(Effect::Exit(0)),
        _ => Err(Error::invalid_argument(format!(
            "signal {signal}: a number from 0 to {LAST} is needed"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kill_and_term_leave_their_mark_in_the_exit_code() {
        assert_eq!(effect(9), Ok(Effect::Exit(137)));
        assert_eq!(effect(15), Ok(Effect::Exit(143)));
    }

    #[test]
    fn other_ending_signals_are_a_clean_stop() {
        for signal in [1, 2, 3, 10, 34, 64] {
            assert_eq!(effect(signal), Ok(Effect::Exit(0)), "{signal}");
        }
    }

    #[test]
    fn signals_that_are_ignored_by_default_have_no_effect() {
        for signal in [0, 17, 18, 19, 23, 28] {
            assert_eq!(effect(signal), Ok(Effect::None), "{signal}");
        }
    }

    #[test]
    fn a_number_beyond_the_last_signal_is_refused() {
        assert!(effect(65).is_err());
        assert!(effect(u32::MAX).is_err());
    }
}
