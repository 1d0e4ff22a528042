//! Labels, and selectors of labels.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Labels or annotations by name.
pub type Labels = BTreeMap<String, String>;

/// Selector of objects by their labels (`LabelSelector`). An empty selector selects every object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that an object must have.
    pub match_labels: Labels,
    /// Requirements that an object must meet.
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// Requirement on one label (`LabelSelectorRequirement`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelectorRequirement {
    /// Name of the label.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// Values of `In` and `NotIn`.
    pub values: Vec<String>,
}
