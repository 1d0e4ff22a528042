//! The fields that every result document begins with.

use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A kind of result document.
///
/// A reader checks `schema` and `schema_version` first. A field is added without a new
/// version; a field that goes, or changes its meaning, needs one.
pub trait Document {
    /// Value of the field `schema`.
    const SCHEMA: &'static str;
    /// Value of the field `schema_version` in documents that this program writes.
    const VERSION: u32;
    /// The oldest version that this program reads.
    const OLDEST_VERSION: u32 = 1;
}

/// Holds the fields that every result document begins with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Kind of the document: [`Document::SCHEMA`].
    pub schema: String,
    /// Version of the document's form: [`Document::VERSION`] of the writer.
    pub schema_version: u32,
    /// This program's version.
    pub tool_version: String,
    /// Whether this program was built without optimisation, and so is slow; `None` in
    /// documents that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub debug_build: Option<bool>,
    /// The command line, program first.
    pub command_line: Vec<String>,
    /// When the load began (RFC 3339, UTC).
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
            started_at: humantime::format_rfc3339_seconds(started).to_string(),
        }
    }

    /// Returns the same header, which also says how this program was built.
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
