//! What was saved, of whichever kind.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::density::result::{self as density, DensityResult};
use crate::gate::result::{self as gate, GateResult};
use crate::overhead::result::{self as overhead, OverheadResult};
use crate::result::{self as run, LoadError, LoadProblem, RunResult};
use crate::search::result::{self as search, SearchResult};

/// The result of one of the commands that measure.
#[derive(Debug)]
pub enum AnyResult {
    /// Of `run`, `replay` or `merge`.
    Run(Box<RunResult>),
    /// Of `search`.
    Search(Box<SearchResult>),
    /// Of `density`.
    Density(Box<DensityResult>),
    /// Of `gate`.
    Gate(Box<GateResult>),
    /// Of `overhead`.
    Overhead(Box<OverheadResult>),
}

/// Reads the result in a directory or a file of its own.
///
/// # Errors
/// If it cannot be read, or is none that this program knows.
pub fn load(path: &Path) -> Result<AnyResult, LoadError> {
    run::load_as(path, parse)
}

fn parse(text: &str) -> Result<AnyResult, LoadProblem> {
    let schema = run::schema(text)?;
    match schema.as_str() {
        Some(run::SCHEMA) => run::parse(text).map(Box::new).map(AnyResult::Run),
        Some(kind @ search::SCHEMA) => {
            run::parse_as(text, kind, only(search::SCHEMA_VERSION)).map(AnyResult::Search)
        }
        Some(kind @ density::SCHEMA) => {
            run::parse_as(text, kind, only(density::SCHEMA_VERSION)).map(AnyResult::Density)
        }
        Some(kind @ gate::SCHEMA) => {
            run::parse_as(text, kind, only(gate::SCHEMA_VERSION)).map(AnyResult::Gate)
        }
        Some(kind @ overhead::SCHEMA) => {
            run::parse_as(text, kind, 1..=overhead::SCHEMA_VERSION).map(AnyResult::Overhead)
        }
        _ => Err(LoadProblem::Foreign {
            found: schema.to_string(),
            right: format!(
                "one of \"{}\", \"{}\", \"{}\", \"{}\" and \"{}\"",
                run::SCHEMA,
                search::SCHEMA,
                density::SCHEMA,
                gate::SCHEMA,
                overhead::SCHEMA
            ),
        }),
    }
}

/// Of these there has been one version.
fn only(version: u32) -> RangeInclusive<u32> {
    version..=version
}

impl AnyResult {
    /// As it was printed when it was measured.
    pub fn text(&self) -> String {
        match self {
            Self::Run(result) => crate::table::render(result),
            Self::Search(result) => crate::search::table::render(result),
            Self::Density(result) => crate::density::table::render(result),
            Self::Gate(result) => crate::gate::table::text(result),
            Self::Overhead(result) => crate::overhead::table::render(result),
        }
    }
}
