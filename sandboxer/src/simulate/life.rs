//! How long a fake process lives.

use std::collections::HashMap;
use std::time::Duration;

use containerd_sandbox::{Error, Process, Result, quoted};

use crate::slot::{KILLED, Life};

/// The annotations that say how a container ends.
const EXIT_AFTER: &str = "resource-slot.kuasar.io/exit-after";
const EXIT_CODE: &str = "resource-slot.kuasar.io/exit-code";
const OOM: &str = "resource-slot.kuasar.io/oom";

/// A container's first process runs until it is stopped, whatever its command,
/// unless its spec's annotations say otherwise.
///
/// # Errors
/// `InvalidArgument`, naming the annotation, its value and what would be right.
pub(crate) fn of_init(annotations: &HashMap<String, String>) -> Result<Life> {
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
    Ok(Life {
        ends_after,
        exit_code: if oom { KILLED } else { exit_code.unwrap_or(0) },
        oom,
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
        oom: false,
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

    fn annotated(annotations: &[(&str, &str)]) -> Result<Life> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        of_init(&annotations.iter().map(pair).collect())
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
