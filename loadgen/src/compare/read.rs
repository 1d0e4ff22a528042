//! A result from a directory or a file.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::CompareError;
use crate::result::{RunResult, SCHEMA, SCHEMA_VERSION};
use crate::save::RESULT_FILE;

/// Reads `DIR/result.json`, or a file.
///
/// # Errors
/// [`CompareError`], if it cannot be read, or is not a run's result of a version that
/// this program knows.
pub fn read(path: &Path) -> Result<RunResult, CompareError> {
    let file = if path.is_dir() {
        path.join(RESULT_FILE)
    } else {
        path.to_owned()
    };
    let text = fs::read(&file).map_err(|source| CompareError::Read {
        path: file.clone(),
        source,
    })?;
    parse(&text, &file)
}

fn parse(text: &[u8], file: &Path) -> Result<RunResult, CompareError> {
    let malformed = |source| CompareError::Malformed {
        path: file.to_owned(),
        source,
    };
    let document: Value = serde_json::from_slice(text).map_err(malformed)?;
    // What it is first: of another document nothing else can be told.
    let wrong = |field: &'static str, wanted: String| CompareError::Schema {
        path: PathBuf::from(file),
        field,
        found: document[field].to_string(),
        wanted,
    };
    if document["schema"] != SCHEMA {
        return Err(wrong("schema", format!("{SCHEMA:?}")));
    }
    if document["schema_version"] != SCHEMA_VERSION {
        return Err(wrong("schema_version", SCHEMA_VERSION.to_string()));
    }
    serde_json::from_value(document).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::tests::example;

    fn error(change: impl FnOnce(&mut Value)) -> String {
        let mut document = serde_json::to_value(example()).unwrap();
        change(&mut document);
        let text = serde_json::to_vec(&document).unwrap();
        parse(&text, Path::new("a.json")).unwrap_err().to_string()
    }

    #[test]
    fn a_directory_and_its_file_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(RESULT_FILE);
        fs::write(&file, serde_json::to_vec(&example()).unwrap()).unwrap();
        assert_eq!(read(dir.path()).unwrap(), example());
        assert_eq!(read(&file).unwrap(), example());
    }

    #[test]
    fn what_is_no_result_of_a_known_version_is_refused() {
        let newer = error(|document| document["schema_version"] = 99.into());
        assert!(newer.contains("schema_version is 99, not 2"), "{newer}");
        let other = error(|document| document["schema"] = "x.overhead".into());
        assert!(other.contains("schema is \"x.overhead\""), "{other}");
        let none = error(|document| *document = Value::Array(Vec::new()));
        assert!(none.contains("schema is null"), "{none}");
        let part = error(|document| document["totals"] = Value::Null);
        assert!(part.contains("a.json"), "{part}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("/no/such")).unwrap_err().to_string();
        assert!(error.contains("/no/such"), "{error}");
    }
}
