//! When appended records are made durable.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// When the journal calls `fdatasync(2)`, and so the records that a power cut may lose. A
/// crash of the process alone loses no record in any mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sync {
    /// Only when the journal is closed: the kernel decides, usually within 30 s.
    #[default]
    None,
    /// At most this long after an append and after a sync that is then under way.
    Interval(Duration),
    /// Before the append is acknowledged; appends that wait at the same time share one call.
    Always,
}

/// Shortest and longest interval.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(60);

/// Text that is not a sync mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; modes are none, always, and interval=TIME with a TIME from 1ms to 1min")]
pub struct InvalidSync(String);

impl FromStr for Sync {
    type Err = InvalidSync;

    fn from_str(text: &str) -> Result<Self, InvalidSync> {
        let quoted = containerd_sandbox::quoted;
        match text.split_once('=') {
            None if text == "none" => Ok(Self::None),
            None if text == "always" => Ok(Self::Always),
            Some(("interval", time)) => match humantime::parse_duration(time) {
                Ok(interval) if INTERVALS.contains(&interval) => Ok(Self::Interval(interval)),
                Ok(_) => Err(InvalidSync(format!("{} is out of range", quoted(time)))),
                Err(e) => Err(InvalidSync(format!("{} is no time: {e}", quoted(time)))),
            },
            _ => Err(InvalidSync(format!("{} is no sync mode", quoted(text)))),
        }
    }
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Interval(time) => write!(f, "interval={}", humantime::format_duration(*time)),
            Self::Always => f.write_str("always"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_mode_is_parsed_and_printed_alike() {
        for text in [
            "none",
            "always",
            "interval=10ms",
            "interval=1m",
            "interval=1ms",
        ] {
            assert_eq!(text.parse::<Sync>().unwrap().to_string(), text);
        }
        assert_eq!(
            "interval=10ms".parse(),
            Ok(Sync::Interval(Duration::from_millis(10)))
        );
    }

    #[test]
    fn another_text_is_refused_with_the_list_of_modes() {
        for text in [
            "",
            "None",
            "interval",
            "interval=",
            "interval=0ms",
            "interval=10",
            "interval=61s",
            "interval=-1s",
            "none=1",
            "always=10ms",
            "interval=999us",
        ] {
            let error = text.parse::<Sync>().unwrap_err().to_string();
            assert!(error.contains("interval=TIME"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text: String) {
            let _ = text.parse::<Sync>();
            let _ = format!("interval={text}").parse::<Sync>();
        }
    }
}
