//! How long a fake process lives.

use std::time::Duration;

use containerd_sandbox::Process;

use crate::slot::Life;

/// A container's first process runs until it is stopped, whatever its command.
pub(crate) fn of_init() -> Life {
    Life::default()
}

/// A process that exec adds ends at once with 0, as a probe that finds all well.
/// `false` ends with 1, `sleep N` runs for N seconds, and one with standard
/// input runs until that ends.
pub(crate) fn of_exec(process: &Process, has_stdin: bool) -> Life {
    let mut args = process.args.iter().map(String::as_str);
    let command = args
        .next()
        .map(|path| path.rsplit_once('/').map_or(path, |(_, name)| name));
    let (ends_after, exit_code) = match (command, args.next()) {
        (Some("sleep"), Some(seconds)) => (sleep(seconds), 0),
        (Some("false"), _) => (Some(Duration::ZERO), 1),
        _ if has_stdin => (None, 0),
        _ => (Some(Duration::ZERO), 0),
    };
    Life {
        ends_after,
        exit_code,
    }
}

/// The argument of `sleep`: seconds, with a fraction or not; `None` for `infinity`.
fn sleep(seconds: &str) -> Option<Duration> {
    match seconds.parse::<f64>() {
        Ok(f64::INFINITY) => None,
        Ok(seconds) => Some(Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        Err(_) => Some(Duration::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(args: &[&str], has_stdin: bool) -> Life {
        let process = Process {
            args: args.iter().map(ToString::to_string).collect(),
            terminal: false,
        };
        of_exec(&process, has_stdin)
    }

    #[test]
    fn a_probe_finds_all_well_at_once() {
        let life = life(&["/bin/grpc_health_probe", "-addr", ":80"], false);
        assert_eq!((life.ends_after, life.exit_code), (Some(Duration::ZERO), 0));
    }

    #[test]
    fn false_fails() {
        assert_eq!(life(&["/bin/false"], false).exit_code, 1);
    }

    #[test]
    fn sleep_runs_as_long_as_it_says() {
        let after = |arg| life(&["sleep", arg], false).ends_after;
        assert_eq!(after("1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(after("infinity"), None);
        for nonsense in ["x", "-1", "-inf", "NaN", "1e300"] {
            assert_eq!(after(nonsense), Some(Duration::ZERO), "{nonsense}");
        }
    }

    #[test]
    fn a_process_with_standard_input_runs_until_that_ends() {
        assert_eq!(life(&["sh"], true).ends_after, None);
    }

    #[test]
    fn no_command_at_all_is_no_reason_to_panic() {
        assert_eq!(life(&[], false).exit_code, 0);
    }
}
