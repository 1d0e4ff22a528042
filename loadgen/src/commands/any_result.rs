//! Saved results of any command.

use std::path::Path;

use serde::Serialize;

use super::gate::result::GateResult;
use super::overhead::result::OverheadResult;
use super::{calibrate, density, gate, overhead, search};
use crate::result::calibration::Calibration;
use crate::result::density::DensityResult;
use crate::result::header::Document;
use crate::result::repeated::RepeatedResult;
use crate::result::search::SearchResult;
use crate::result::{self, LoadError, LoadProblem, RunResult};
use crate::show::{self, report};
use display::output::Form;

/// Result of any measuring command; its document is that of the command.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum AnyResult {
    /// Result of `run`, `replay` or `merge`.
    Run(Box<RunResult>),
    /// Result of `search`.
    Search(Box<SearchResult>),
    /// Result of `density`.
    Density(Box<DensityResult>),
    /// Result of `gate`.
    Gate(Box<GateResult>),
    /// Result of `run --repeat`.
    Repeated(Box<RepeatedResult>),
    /// Result of `calibrate`.
    Calibration(Box<Calibration>),
    /// Result of `overhead`.
    Overhead(Box<OverheadResult>),
}

/// Reads a result from its directory or its file.
///
/// # Errors
/// If the result cannot be read or has an unknown schema.
pub fn load(path: &Path) -> Result<AnyResult, LoadError> {
    result::load_as(path, parse)
}

fn parse(text: &str) -> Result<AnyResult, LoadProblem> {
    let schema = result::schema_of(text)?;
    match schema.as_str() {
        Some(RunResult::SCHEMA) => result::parse(text).map(Box::new).map(AnyResult::Run),
        Some(SearchResult::SCHEMA) => result::parse_as(text).map(Box::new).map(AnyResult::Search),
        Some(DensityResult::SCHEMA) => result::parse_as(text).map(Box::new).map(AnyResult::Density),
        Some(GateResult::SCHEMA) => result::parse_as(text).map(Box::new).map(AnyResult::Gate),
        Some(RepeatedResult::SCHEMA) => result::parse_as(text)
            .map(Box::new)
            .map(AnyResult::Repeated),
        Some(Calibration::SCHEMA) => result::parse_as(text)
            .map(Box::new)
            .map(AnyResult::Calibration),
        Some(OverheadResult::SCHEMA) => result::parse_as(text)
            .map(Box::new)
            .map(AnyResult::Overhead),
        _ => Err(LoadProblem::Foreign {
            found: schema.to_string(),
            right: format!(
                "one of \"{}\", \"{}\", \"{}\", \"{}\", \"{}\", \"{}\" and \"{}\"",
                RunResult::SCHEMA,
                SearchResult::SCHEMA,
                DensityResult::SCHEMA,
                GateResult::SCHEMA,
                RepeatedResult::SCHEMA,
                Calibration::SCHEMA,
                OverheadResult::SCHEMA
            ),
        }),
    }
}

impl AnyResult {
    /// Returns the result as printed after the measurement, or as Markdown.
    pub fn printed(&self, form: Form) -> String {
        match (self, form) {
            (Self::Run(result), Form::Text) => show::table::render(result),
            (Self::Run(result), Form::Markdown) => report::table(std::slice::from_ref(result)),
            (Self::Search(result), form) => search::table::render(result, form),
            (Self::Density(result), form) => density::table::render(result, form),
            (Self::Gate(result), Form::Text) => gate::table::text(result),
            (Self::Gate(result), Form::Markdown) => gate::table::markdown(result),
            (Self::Repeated(result), form) => show::repeated::render(result, form),
            (Self::Calibration(result), form) => calibrate::table::render(result, form),
            (Self::Overhead(result), Form::Text) => overhead::table::render(result),
            (Self::Overhead(result), Form::Markdown) => overhead::table::markdown(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::commands::overhead::Layer;

    /// Documents keep their form from before they shared a header type, with the
    /// fields in the same order.
    #[test]
    fn committed_results_are_rewritten_unchanged() {
        fn rewritten<T: Serialize + DeserializeOwned>(text: &str) -> String {
            let document: T = serde_json::from_str(text).unwrap();
            serde_json::to_string_pretty(&document).unwrap() + "\n"
        }
        let search = include_str!("../../../results/search/result.json");
        assert!(rewritten::<SearchResult>(search) == search);
        let density = include_str!("../../../results/cost/result.json");
        assert!(rewritten::<DensityResult>(density) == density);
        let overhead = include_str!("../../../results/overhead/result.json");
        assert!(rewritten::<OverheadResult>(overhead) == overhead);
        let run = include_str!("../../../results/presets/node/result.json");
        assert!(rewritten::<RunResult>(run) == run);
    }

    /// The form of `loadgen overhead` before the layer `cri`.
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
        let layers: Vec<_> = result
            .layers
            .iter()
            .map(|layer| layer.layer.clone())
            .collect();
        assert_eq!(layers, [Layer::Floor, Layer::Direct, Layer::Containerd]);
        assert_eq!(result.containerd_cost, None);
        assert!(!read.printed(Form::Text).contains("what containerd costs"));
        old["schema_version"] = 3.into();
        let error = parse(&old.to_string()).unwrap_err().to_string();
        assert!(
            error.contains("reads 1 to 2; use a newer loadgen"),
            "{error}"
        );
    }
}
