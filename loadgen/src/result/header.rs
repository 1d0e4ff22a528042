//! Header of every result document.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of result document.
///
/// A reader checks `schema` and `schema_version` first. A new field needs no new version;
/// a removed field, or a field with a new meaning, needs one.
pub trait Document {
    /// Value of the field `schema`.
    const SCHEMA: &'static str;
    /// Value of the field `schema_version` in documents that this program writes.
    const VERSION: u32;
    /// Oldest version that this program reads.
    const OLDEST_VERSION: u32 = 1;
}

/// Header of every result document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Kind of the document: [`Document::SCHEMA`].
    pub schema: String,
    /// Version of the form of the document: [`Document::VERSION`] of its writer.
    pub schema_version: u32,
    /// Version of the loadgen that wrote the document.
    pub tool_version: String,
    /// Whether that loadgen was built without optimisation and is therefore slow; absent
    /// in documents without this information.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub debug_build: Option<bool>,
    /// Command line, with the program first.
    pub command_line: Vec<String>,
    /// Beginning of the load (RFC 3339, UTC).
    pub started_at: String,
}

impl Header {
    /// Returns the header of a document that this program writes.
    pub fn of<D: Document>(command_line: Vec<String>, started: SystemTime) -> Self {
        Self {
            schema: D::SCHEMA.to_owned(),
            schema_version: D::VERSION,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            debug_build: None,
            command_line,
            started_at: rfc3339(started),
        }
    }

    /// Returns the same header with the kind of build of this program.
    #[must_use]
    pub fn with_build(self) -> Self {
        Self {
            debug_build: Some(cfg!(debug_assertions)),
            ..self
        }
    }

    /// Returns whether the program that wrote the document is known to be a debug build.
    pub fn is_debug_build(&self) -> bool {
        self.debug_build == Some(true)
    }
}

/// Returns the time to the second (RFC 3339, UTC), or the nearest one that can be expressed.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(printable(time)).to_string()
}

/// Returns the time, or the nearest one that RFC 3339 can express: a clock that was never set
/// may run before 1970.
fn printable(time: SystemTime) -> SystemTime {
    // The last second of the year 9999.
    let last = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    time.clamp(UNIX_EPOCH, last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::RunResult;

    #[test]
    fn a_run_under_a_clock_before_1970_or_after_9999_has_a_header() {
        let century = Duration::from_secs(100 * 365 * 24 * 3600);
        for (started, shown) in [
            (UNIX_EPOCH - century, "1970-01-01T00:00:00Z"),
            (UNIX_EPOCH + century / 2, "2019-12-20T00:00:00Z"),
            (UNIX_EPOCH + 100 * century, "9999-12-31T23:59:59Z"),
        ] {
            let header = Header::of::<RunResult>(Vec::new(), started);
            assert_eq!(header.started_at, shown);
        }
    }
}
