//! One side of a comparison: an inventory with its costs, or a document of `slotplan cost`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use cost::prices::PriceList;
use cost::{Estimate, Money, Rates, Side, WorkloadCost};
use inventory::Assumption;
use serde::Deserialize;
use serde_json::Number;

use super::{Common, together};
use crate::answer::InputFile;
use crate::commands::period::period;
use crate::commands::places::{Places, place};
use crate::input::InputArgs;

/// Schema of the documents that can be compared.
const SCHEMA: &str = "slotplan/cost/1";

/// One side.
pub struct Read {
    /// Costs.
    pub side: Side,
    /// Code of the currency.
    pub currency: String,
    /// Whether this is a document.
    pub is_document: bool,
    /// Places of the pods; `None` if they are not placed.
    pub placement: Option<Places>,
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
    pub fn from(path: &Path, common: &Common, list: &PriceList) -> anyhow::Result<Self> {
        if let Some(text) = document(path)? {
            return Self::from_document(path, &text);
        }
        let path = vec![path.to_owned()];
        let (inputs, load) = match common.nodes[..] {
            [] => (path, Vec::new()),
            _ => (Vec::new(), path),
        };
        let args = InputArgs {
            inputs,
            load,
            nodes: common.nodes.clone(),
            replicas: common.replicas,
            history: common.history.clone(),
            ..InputArgs::default()
        };
        let mut input = args.read()?;
        let placement = place(&mut input.inventory)?;
        if input.inventory.pods.is_empty() && input.inventory.nodes.is_empty() {
            // A change may add the first workload, or remove the last.
            return Ok(Self {
                side: Side::default(),
                currency: list.defaults.currency.clone(),
                assumptions: input.inventory.assumptions,
                is_document: false,
                placement,
                files: input.files,
            });
        }
        let estimate = Estimate::of(
            &input.inventory,
            list,
            period(&common.history, &input.inventory)?,
        )?;
        Ok(Self {
            side: Side::of(&estimate),
            currency: estimate.currency,
            assumptions: together(&input.inventory.assumptions, &estimate.assumptions),
            is_document: false,
            placement,
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
            is_document: true,
            placement: None,
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
