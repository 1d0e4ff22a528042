//! Formats of files, and the reader of each.

use std::io::BufRead;

use crate::kubernetes::{read_json, read_yaml};
use crate::{InventoryBuilder, ReadError};

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Objects of the Kubernetes API in YAML.
    Yaml,
    /// Objects of the Kubernetes API in JSON.
    Json,
}

impl FileFormat {
    /// Returns the format of a file by the beginning of its contents.
    pub fn of(beginning: &[u8]) -> Self {
        match beginning.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Self::Json,
            _ => Self::Yaml,
        }
    }
}

/// Reads a file of any known format and adds what it holds. `file` is its name, for messages.
///
/// # Errors
/// A file that cannot be read or is wrong.
pub fn read(
    builder: &mut InventoryBuilder,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    let beginning = reader.fill_buf().map_err(|error| ReadError::Io {
        file: file.to_owned(),
        error,
    })?;
    match FileFormat::of(beginning) {
        FileFormat::Yaml => read_yaml(builder, file, reader),
        FileFormat::Json => read_json(builder, file, reader),
    }
}
