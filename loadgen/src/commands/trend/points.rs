//! Points of a trend, read from directories.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::TrendError;
use crate::commands::any_result::{self, AnyResult};
use crate::commands::export::measure::{self, Measure};
use crate::result::directory::RESULT_FILE;
use crate::result::environment::Environment;

/// Results of one commit, day or other state.
#[derive(Debug, Clone)]
pub struct Point {
    /// Name of its directory.
    pub label: String,
    /// Beginning of its first result (RFC 3339, UTC).
    pub started_at: String,
    /// Machine of its first result.
    pub environment: Environment,
    /// Figures of each result.
    pub results: Vec<Vec<Measure>>,
}

/// Reads the points, in the order of their times.
///
/// # Errors
/// A directory or result that cannot be read, or a point without a result that has figures.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Point>, TrendError> {
    let places = match paths {
        [only] if only.is_dir() && !is_result(only) => directories(only)?,
        several => several.to_vec(),
    };
    let points: Result<Vec<_>, _> = places.iter().map(|place| point(place)).collect();
    let mut points = points?;
    if points.is_empty() {
        return Err(TrendError::Empty {
            path: paths.first().cloned().unwrap_or_default(),
        });
    }
    points.sort_by(|one, other| one.started_at.cmp(&other.started_at));
    Ok(points)
}

fn is_result(path: &Path) -> bool {
    !path.is_dir() || path.join(RESULT_FILE).exists()
}

/// Returns the directories in a directory, in the order of their names.
fn directories(path: &Path) -> Result<Vec<PathBuf>, TrendError> {
    let failed = |source| TrendError::Directory {
        path: path.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn point(path: &Path) -> Result<Point, TrendError> {
    let places = if is_result(path) {
        vec![path.to_owned()]
    } else {
        let below = directories(path)?.into_iter();
        below.filter(|path| is_result(path)).collect()
    };
    let mut found = Vec::new();
    for place in places {
        let result = any_result::load(&place)?;
        let (started_at, environment) = context(&result);
        found.push((
            started_at.to_owned(),
            environment.clone(),
            measure::of(&result),
        ));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let Some((started_at, environment, _)) = found.first().cloned() else {
        return Err(TrendError::Empty {
            path: path.to_owned(),
        });
    };
    Ok(Point {
        label: label(path),
        started_at,
        environment,
        results: found.into_iter().map(|(_, _, measures)| measures).collect(),
    })
}

/// Returns the name of a directory, and for the file of a result that of its directory.
fn label(path: &Path) -> String {
    let dir = if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(path)
    };
    let dir = fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    dir.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn context(result: &AnyResult) -> (&str, &Environment) {
    match result {
        AnyResult::Run(result) => (&result.header.started_at, &result.environment),
        AnyResult::Search(result) => (&result.header.started_at, &result.environment),
        AnyResult::Density(result) => (&result.header.started_at, &result.environment),
        AnyResult::Gate(result) => (&result.header.started_at, &result.environment),
        AnyResult::Repeated(result) => (&result.header.started_at, &result.environment),
        AnyResult::Calibration(result) => (&result.header.started_at, &result.environment),
        AnyResult::Overhead(result) => (&result.header.started_at, &result.environment),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    fn save(dir: &Path, started_at: &str) {
        fs::create_dir_all(dir).unwrap();
        let mut result = example();
        result.header.started_at = started_at.to_owned();
        let json = serde_json::to_string(&result).unwrap();
        fs::write(dir.join(RESULT_FILE), json).unwrap();
    }

    #[test]
    fn points_are_in_the_order_of_their_times() {
        let dir = tempfile::tempdir().unwrap();
        for (name, at) in [
            ("c/run-1", "2026-01-03"),
            ("a/run-1", "2026-01-02"),
            ("b", "2026-01-01"),
        ] {
            save(&dir.path().join(name), &format!("{at}T00:00:00Z"));
        }
        save(&dir.path().join("a/run-2"), "2026-01-04T00:00:00Z");
        let all = read(&[dir.path().to_owned()]).unwrap();
        let labels: Vec<_> = all
            .iter()
            .map(|point| (&*point.label, point.results.len()))
            .collect();
        assert_eq!(labels, [("b", 1), ("a", 2), ("c", 1)]);
        let named = ["c", "a"].map(|name| dir.path().join(name));
        let labels: Vec<_> = read(&named)
            .unwrap()
            .into_iter()
            .map(|point| point.label)
            .collect();
        assert_eq!(labels, ["a", "c"]);
        let one = dir.path().join("b");
        assert_eq!(read(&[one.join(RESULT_FILE)]).unwrap()[0].label, "b");
        assert_eq!(read(&[one]).unwrap().len(), 1);
    }

    #[test]
    fn a_directory_without_a_result_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("empty")).unwrap();
        save(&dir.path().join("b"), "2026-01-01T00:00:00Z");
        for paths in [vec![dir.path().join("empty")], vec![dir.path().to_owned()]] {
            let error = read(&paths).unwrap_err().to_string();
            assert!(error.contains("empty has no result"), "{error}");
        }
        let error = read(&[dir.path().join("gone"), dir.path().join("b")]).unwrap_err();
        assert!(error.to_string().contains("gone"), "{error}");
    }
}
