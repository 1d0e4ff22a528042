//! Points in time.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use serde::de::{self, Deserialize, Deserializer};

/// Point in time, in nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns the point in time that lies a whole number of seconds after 1970-01-01T00:00:00Z.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000_000))
    }
}

/// Error of a text that is no point in time from 1970 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a time such as 2026-01-31T08:00:00Z, from 1970 to 2262")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let time = humantime::parse_rfc3339(text).map_err(|_| TimestampError)?;
        let since = time
            .duration_since(UNIX_EPOCH)
            .map_err(|_| TimestampError)?;
        i64::try_from(since.as_nanos())
            .map(Self)
            .map_err(|_| TimestampError)
    }
}

/// Reads a time from its text in RFC 3339.
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| de::Error::custom(format_args!("{text:?}: {error}")))
    }
}

/// Writes the time as RFC 3339, with as many digits of a second as it needs.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u64::try_from(self.0) {
            Ok(nanos) => {
                let time = UNIX_EPOCH + Duration::from_nanos(nanos);
                write!(f, "{}", humantime::format_rfc3339(time))
            }
            Err(_) => write!(f, "{} ns before 1970", self.0.unsigned_abs()),
        }
    }
}
