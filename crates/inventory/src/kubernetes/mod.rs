//! Objects of the Kubernetes API, from YAML and JSON.

mod class;
mod common;
mod list;
mod node;
mod object;
mod pod;
mod version;
mod workload;

use std::io::BufRead;
use std::sync::Arc;

use serde::de::DeserializeSeed;

use crate::tree::{LineCounter, documents, line_breaks};
use crate::{InventoryBuilder, ReadError, Source};

use list::ListSeed;

pub(crate) use object::{add as add_object, workload_of};

/// Reads a YAML file of any number of documents and adds its objects.
///
/// # Errors
/// A file that is not YAML, or an object that is wrong.
pub fn read_yaml(
    builder: &mut InventoryBuilder,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    let file: Arc<str> = file.into();
    let mut bytes = Vec::new();
    reader
        .read_to_end(&mut bytes)
        .map_err(|error| ReadError::io(&file, error))?;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = 1 + line_breaks(before);
            let place = Source { file, line };
            return Err(ReadError::wrong(place, "", "not UTF-8"));
        }
    };
    for document in documents(text) {
        let tree = document.map_err(|error| ReadError::decode(&file, error))?;
        object::add(builder, &file, tree)?;
    }
    Ok(())
}

/// Reads a JSON file of any number of values and adds their objects. The items of a list are read
/// one by one.
///
/// # Errors
/// A file that is not JSON, or an object that is wrong.
pub fn read_json(
    builder: &mut InventoryBuilder,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    let file: Arc<str> = file.into();
    let (lines, reader) = LineCounter::new(reader);
    let mut json = serde_json::Deserializer::from_reader(reader);
    while json.end().is_err() {
        let mut failed = None;
        let seed = ListSeed {
            builder,
            file: &file,
            lines: &lines,
            failed: &mut failed,
        };
        let read = seed.deserialize(&mut json);
        if let Some(error) = failed {
            return Err(error);
        }
        read.map_err(|error| json_error(&file, error))?;
    }
    Ok(())
}

fn json_error(file: &Arc<str>, error: serde_json::Error) -> ReadError {
    if error.is_io() {
        return ReadError::io(file, error.into());
    }
    let place = Source {
        file: file.clone(),
        line: error.line() as u64,
    };
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    let message = text.strip_suffix(&suffix).unwrap_or(&text);
    let message = if error.is_data() {
        message.to_owned()
    } else {
        format!("not JSON: {message}")
    };
    ReadError::wrong(place, "", message)
}
