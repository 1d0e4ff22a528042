//! One side of a comparison: an inventory with its costs, or a document of `slotplan cost`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use cost::prices::PriceList;
use cost::{Estimate, Money, Period, Rates, Side, WorkloadCost};
use inventory::{Assumption, Inventory};
use serde::Deserialize;
use serde_json::Number;

use super::together;
use crate::answer::InputFile;
use crate::input::InputArgs;

/// Schema of the documents that can be compared.
const SCHEMA: &str = "slotplan/cost/1";

/// One side.
pub struct Read {
    /// Costs.
    pub side: Side,
    /// Code of the currency.
    pub currency: String,
    /// Pods and nodes; `None` for a document.
    pub inventory: Option<Inventory>,
    /// Files that were read.
    pub files: Vec<InputFile>,
    /// Assumptions that were made.
    pub assumptions: Vec<Assumption>,
}

impl Read {
    /// Reads one side.
    ///
    /// # Errors
    /// An input that cannot be read, or has no costs.
    pub fn from(path: &Path, nodes: &[PathBuf], list: &PriceList) -> anyhow::Result<Self> {
        if let Some(text) = document(path)? {
            return Self::from_document(path, &text);
        }
        let path = vec![path.to_owned()];
        let (inputs, load) = match nodes {
            [] => (path, Vec::new()),
            _ => (Vec::new(), path),
        };
        let args = InputArgs {
            inputs,
            load,
            nodes: nodes.to_vec(),
            ..InputArgs::default()
        };
        let input = args.read()?;
        if input.inventory.pods.is_empty() && input.inventory.nodes.is_empty() {
            // A change may add the first workload, or remove the last.
            return Ok(Self {
                side: Side::default(),
                currency: list.defaults.currency.clone(),
                assumptions: input.inventory.assumptions.clone(),
                inventory: Some(input.inventory),
                files: input.files,
            });
        }
        let estimate = Estimate::of(&input.inventory, list, Period::Fitting)?;
        Ok(Self {
            side: Side::of(&estimate),
            currency: estimate.currency,
            assumptions: together(&input.inventory.assumptions, &estimate.assumptions),
            inventory: Some(input.inventory),
            files: input.files,
        })
    }

    fn from_document(path: &Path, text: &str) -> anyhow::Result<Self> {
        let name = path.display();
        let document: Document = serde_json::from_str(text).with_context(|| format!("{name}"))?;
        let money = |number: &Number| {
            let parsed: Result<Money, _> = number.to_string().parse();
            parsed.with_context(|| format!("{name}: {number}"))
        };
        let mut workloads = BTreeMap::new();
        for group in &document.groups {
            let cost = WorkloadCost {
                pods: 0,
                requested: Rates::default(),
                per_month: money(&group.per_month)?,
            };
            workloads.insert(group.key.clone(), cost);
        }
        let provisioned = document.total.provisioned_per_month.as_ref();
        Ok(Self {
            side: Side {
                workloads,
                provisioned: provisioned.map(money).transpose()?,
            },
            currency: document.currency,
            inventory: None,
            files: document.inputs,
            assumptions: document.assumptions.into_iter().map(Assumption).collect(),
        })
    }
}

/// Parts of a document of `slotplan cost`.
#[derive(Debug, Deserialize)]
struct Document {
    currency: String,
    #[serde(default)]
    inputs: Vec<InputFile>,
    #[serde(default)]
    assumptions: Vec<String>,
    total: Total,
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Total {
    provisioned_per_month: Option<Number>,
}

#[derive(Debug, Deserialize)]
struct Group {
    key: String,
    per_month: Number,
}

#[derive(Deserialize)]
struct Schema {
    schema: String,
}

/// Returns the text of a document; `None` if the input is something else.
fn document(path: &Path) -> anyhow::Result<Option<String>> {
    let is_json = path
        .extension()
        .is_some_and(|extension| extension == "json");
    if !is_json || !path.is_file() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let is_document = text.contains(SCHEMA)
        && serde_json::from_str::<Schema>(&text).is_ok_and(|found| found.schema == SCHEMA);
    Ok(is_document.then_some(text))
}
