//! Reads a saved result.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::directory::RESULT_FILE;
use super::header::{Document, Header};
use super::run::RunResult;
use crate::bounded::{self, MAX_DOCUMENT};

/// Reason for which a result cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("read {}", path.display())]
pub struct LoadError {
    /// Path of the file.
    pub path: PathBuf,
    /// Mistake in the file.
    #[source]
    pub source: LoadProblem,
}

/// Mistake in the file of a result.
#[derive(Debug, thiserror::Error)]
pub enum LoadProblem {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is cut off, or is no JSON document.
    #[error("it is no whole JSON document: {0}")]
    Json(serde_json::Error),
    /// The file is another kind of document.
    #[error("its field schema is {found}, and must be {right}")]
    Foreign {
        /// Value of the field in the file, as JSON.
        found: String,
        /// Required value.
        right: String,
    },
    /// This program does not know the version of the document.
    #[error(
        "its field schema_version is {found}, and this loadgen reads {} to {}; {advice}",
        known.start(),
        known.end()
    )]
    Version {
        /// Value of the field in the file, as JSON.
        found: String,
        /// Versions that this program reads.
        known: RangeInclusive<u32>,
        /// Advice for the user.
        advice: &'static str,
    },
    /// A field is missing or has a wrong value.
    #[error("{}{reason}", field_name(field))]
    Field {
        /// Path of the field from the top; empty for the document itself.
        field: String,
        /// Description of the mistake, with the line if it is known.
        reason: String,
    },
}

fn field_name(field: &str) -> String {
    match field {
        "" | "." => String::new(),
        field => format!("its field {field}: "),
    }
}

/// Reads the result in a directory or in a file of its own. Fields that an older version
/// does not have are empty.
///
/// # Errors
/// A file that cannot be read, or is no result of a known version.
pub fn load(path: &Path) -> Result<RunResult, LoadError> {
    load_as(path, parse)
}

/// Reads the document in a directory or in a file of its own.
///
/// # Errors
/// A file that cannot be read, and errors of `parse`.
pub fn load_as<T>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, LoadProblem>,
) -> Result<T, LoadError> {
    let file = if path.is_dir() {
        path.join(RESULT_FILE)
    } else {
        path.to_owned()
    };
    let text = bounded::read_to_string(&file, MAX_DOCUMENT).map_err(LoadProblem::from);
    text.and_then(|text| parse(&text))
        .map_err(|source| LoadError { path: file, source })
}

/// Parses the document of a result.
///
/// # Errors
/// A text that is no result of a known version.
pub fn parse(text: &str) -> Result<RunResult, LoadProblem> {
    let document = json_of(text)?;
    match version::<RunResult>(&document)? {
        1 => fields(from_version_1(document)),
        _ => whole(text),
    }
}

/// Parses a document of a kind whose later versions only have additional fields.
///
/// # Errors
/// A text that is another kind of document.
pub fn parse_as<T: Document + DeserializeOwned>(text: &str) -> Result<T, LoadProblem> {
    version::<T>(&json_of(text)?)?;
    whole(text)
}

/// Parses the fields from the text, so that errors contain line numbers.
fn whole<T: DeserializeOwned>(text: &str) -> Result<T, LoadProblem> {
    // The header is parsed on its own first: within a document it is parsed from a copy,
    // and the copy has no line numbers.
    fields::<Header, _>(&mut serde_json::Deserializer::from_str(text))?;
    fields(&mut serde_json::Deserializer::from_str(text))
}

/// Returns the field `schema` of a document, as JSON.
///
/// # Errors
/// A text that is no JSON.
pub fn schema_of(text: &str) -> Result<Value, LoadProblem> {
    let document = json_of(text)?;
    Ok(document.get("schema").cloned().unwrap_or_default())
}

fn json_of(text: &str) -> Result<Value, LoadProblem> {
    serde_json::from_str(text).map_err(LoadProblem::Json)
}

/// Returns the version of the document if its kind and version are readable.
fn version<D: Document>(document: &Value) -> Result<u32, LoadProblem> {
    if document["schema"] != D::SCHEMA {
        return Err(LoadProblem::Foreign {
            found: document["schema"].to_string(),
            right: format!("\"{}\"", D::SCHEMA),
        });
    }
    let known = D::OLDEST_VERSION..=D::VERSION;
    let found = &document["schema_version"];
    let number = found.as_u64();
    let version = number.and_then(|number| u32::try_from(number).ok());
    version
        .filter(|version| known.contains(version))
        .ok_or_else(|| LoadProblem::Version {
            found: found.to_string(),
            known,
            advice: if number.is_some_and(|number| number > 0) {
                "use a newer loadgen"
            } else {
                "it must be a number from 1"
            },
        })
}

fn fields<'a, T, D>(from: D) -> Result<T, LoadProblem>
where
    T: Deserialize<'a>,
    D: serde::Deserializer<'a>,
{
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(from, &mut track);
    T::deserialize(tracked).map_err(|error| LoadProblem::Field {
        reason: error.to_string(),
        field: track.path().to_string(),
    })
}

/// Converts a document of version 1, which had closed loops only, and neither a timeline
/// nor samples.
fn from_version_1(mut document: Value) -> Value {
    document["schema_version"] = RunResult::VERSION.into();
    document["load"] = json!({
        "mode": "closed",
        "offered_pods_per_s": null,
        "started_pods_per_s": null,
        "lag": null,
        "max_in_flight": document["scenario"]["concurrency"],
    });
    // Version 1 had options instead of a scenario document.
    if let Some(scenario) = document["scenario"].as_object_mut() {
        scenario.insert("name".to_owned(), "".into());
        scenario.insert("document".to_owned(), "".into());
    }
    document["phases"] = json!([]);
    document["timeline"] = json!([]);
    let processes = document["processes"].as_array_mut();
    for process in processes.into_iter().flatten().filter(|p| p.is_object()) {
        process["samples"] = json!([]);
    }
    document
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::result::fixture::example;

    fn document() -> Value {
        serde_json::to_value(example()).unwrap()
    }

    /// Returns the whole message of the error from loading this text.
    fn refused(text: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(RESULT_FILE), text).unwrap();
        let error = load(dir.path()).unwrap_err();
        let message = format!("{:#}", anyhow::Error::from(error));
        let (file, problem) = message.split_once(": ").unwrap();
        assert!(file.starts_with("read ") && file.ends_with("result.json"));
        problem.to_owned()
    }

    fn refused_with(change: impl FnOnce(&mut Value)) -> String {
        let mut document = document();
        change(&mut document);
        refused(&serde_json::to_string_pretty(&document).unwrap())
    }

    #[test]
    fn a_saved_result_is_read_from_its_directory_or_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(RESULT_FILE);
        fs::write(&file, document().to_string()).unwrap();
        assert_eq!(load(dir.path()).unwrap(), example());
        assert_eq!(load(&file).unwrap(), example());
        let error = load(&dir.path().join("none")).unwrap_err();
        assert!(error.to_string().ends_with("none"), "{error}");
    }

    #[test]
    fn a_device_is_refused_at_once() {
        let error = load(Path::new("/dev/zero")).unwrap_err();
        let message = format!("{:#}", anyhow::Error::from(error));
        assert!(message.contains("/dev/zero: it is a device"), "{message}");
    }

    #[test]
    fn a_document_that_is_cut_off_is_reported_with_its_line() {
        let text = serde_json::to_string_pretty(&document()).unwrap();
        let message = refused(&text[..text.len() / 2]);
        assert!(message.contains("no whole JSON document"), "{message}");
        assert!(message.contains(" at line "), "{message}");
        assert!(refused("").contains("EOF"));
    }

    #[test]
    fn another_document_is_told_apart() {
        let message = refused_with(|d| d["schema"] = "resource-slot.loadgen.overhead".into());
        assert!(message.contains("overhead\", and must be \"resource-slot.loadgen.result\""));
        assert!(refused("[1, 2]").contains("its field schema is null"));
    }

    #[test]
    fn a_version_from_the_future_asks_for_a_newer_program() {
        let message = refused_with(|d| d["schema_version"] = 3.into());
        assert_eq!(
            message,
            "its field schema_version is 3, and this loadgen reads 1 to 2; use a newer loadgen"
        );
        let message = refused_with(|d| d["schema_version"] = "two".into());
        assert!(message.contains("is \"two\"") && message.contains("a number from 1"));
    }

    #[test]
    fn a_wrong_field_is_named_with_its_line_and_the_required_form() {
        let message = refused_with(|d| d["totals"]["pods"] = "many".into());
        assert!(
            message.starts_with(
                "its field totals.pods: invalid type: string \"many\", expected u64 at line "
            ),
            "{message}"
        );
        let message = refused_with(|d| d["operations"][2]["operation"] = "dance".into());
        assert!(
            message.starts_with("its field operations[2].operation: unknown operation \"dance\""),
            "{message}"
        );
        let message = refused_with(|d| {
            d.as_object_mut().unwrap().remove("plan_hash");
        });
        assert!(
            message.starts_with("missing field `plan_hash` at line "),
            "{message}"
        );
    }

    #[test]
    fn version_1_is_read_as_a_closed_loop_without_a_timeline() {
        let mut older = document();
        older["schema_version"] = 1.into();
        for gone in ["load", "phases", "timeline"] {
            older.as_object_mut().unwrap().remove(gone);
        }
        older["scenario"]["concurrency"] = 64.into();
        for gone in ["name", "document"] {
            older["scenario"].as_object_mut().unwrap().remove(gone);
        }
        older["processes"][0]
            .as_object_mut()
            .unwrap()
            .remove("samples");
        let result = parse(&older.to_string()).unwrap();
        let mut expected = example();
        expected.timeline.clear();
        expected.processes[0].samples.clear();
        expected.load.max_in_flight = 64;
        expected.scenario.name.clear();
        expected.scenario.document.clear();
        assert_eq!(result, expected);
    }
}
