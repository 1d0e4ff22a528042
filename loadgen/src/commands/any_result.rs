//! What was saved, of whichever kind.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::commands::gate::result::{self as gate, GateResult};
use crate::commands::overhead::result::{self as overhead, OverheadResult};
use crate::result::density::{self as density, DensityResult};
use crate::result::search::{self as search, SearchResult};
use crate::result::{self as run, LoadError, LoadProblem, RunResult};

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
            Self::Run(result) => crate::show::table::render(result),
            Self::Search(result) => crate::commands::search::table::render(result),
            Self::Density(result) => crate::commands::density::table::render(result),
            Self::Gate(result) => crate::commands::gate::table::text(result),
            Self::Overhead(result) => crate::commands::overhead::table::render(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::overhead::Layer;

    /// As `loadgen overhead` wrote it before it had the layer `cri`.
    #[test]
    fn an_overhead_without_cri_is_still_read() {
        let new = include_str!("../../../results/overhead/result.json");
        let mut old: serde_json::Value = serde_json::from_str(new).unwrap();
        old["schema_version"] = 1.into();
        old.as_object_mut().unwrap().remove("containerd_cost");
        let layers = old["layers"].as_array_mut().unwrap();
        layers.retain(|layer| layer["layer"] != "cri");
        let read = parse(&old.to_string()).unwrap();
        let AnyResult::Overhead(result) = &read else {
            panic!("{read:?}");
        };
        let layers: Vec<_> = result.layers.iter().map(|layer| layer.layer).collect();
        assert_eq!(layers, [Layer::Floor, Layer::Direct, Layer::Containerd]);
        assert_eq!(result.containerd_cost, None);
        assert!(!read.text().contains("what containerd costs"));
        old["schema_version"] = 3.into();
        let error = parse(&old.to_string()).unwrap_err().to_string();
        assert!(
            error.contains("reads 1 to 2; use a newer loadgen"),
            "{error}"
        );
    }
}
