//! One side of a comparison: the results of one or several runs.

use std::path::{Path, PathBuf};

use super::error::CompareError;
use super::latencies::Latencies;
use crate::result::header::Document;
use crate::result::repeated::RepeatedResult;
use crate::result::{self, LoadProblem, RunResult};

/// Runs of one program.
#[derive(Debug, Clone)]
pub struct Side {
    /// Paths of the results, as given.
    pub paths: Vec<String>,
    /// The runs, at least one.
    pub runs: Vec<RunResult>,
    /// Latencies of each second of the only run; `None` for several, or without a log.
    pub latencies: Option<Latencies>,
}

/// Document at one of the paths.
enum Found {
    One(Box<RunResult>),
    Several(Box<RepeatedResult>),
}

impl Side {
    /// Reads the results at these paths: each is one run, or the summary of repeated runs,
    /// which stands for all of them. Reads the log of a single run as well.
    ///
    /// # Errors
    /// If there is no result at a path, or a result or log cannot be read.
    pub fn read(paths: &[PathBuf]) -> Result<Self, CompareError> {
        let mut runs = Vec::new();
        for path in paths {
            match result::load_as(path, parse)? {
                Found::One(run) => runs.push(*run),
                Found::Several(summary) => {
                    let dir = directory(path);
                    for run in &summary.runs {
                        runs.push(result::load(&dir.join(file_name(&run.dir)))?);
                    }
                }
            }
        }
        let latencies = match paths {
            [only] if runs.len() == 1 => Latencies::beside(only)?,
            _ => None,
        };
        if runs.is_empty() {
            return Err(CompareError::NoRun);
        }
        Ok(Self {
            paths: paths
                .iter()
                .map(|path| path.display().to_string())
                .collect(),
            runs,
            latencies,
        })
    }
}

fn parse(text: &str) -> Result<Found, LoadProblem> {
    if result::schema_of(text)? == RepeatedResult::SCHEMA {
        result::parse_as(text).map(Box::new).map(Found::Several)
    } else {
        result::parse(text).map(Box::new).map(Found::One)
    }
}

fn directory(path: &Path) -> &Path {
    if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(Path::new(""))
    }
}

/// Returns the last part of a path, so that a summary names no directory elsewhere.
fn file_name(dir: &str) -> &Path {
    Path::new(dir).file_name().map_or(Path::new(""), Path::new)
}
