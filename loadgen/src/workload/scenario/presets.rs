//! Shipped scenarios.

use std::path::Path;

use super::{Scenario, ScenarioError};
use crate::bounded;

/// Longest scenario, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Names and documents.
const PRESETS: [(&str, &str); 9] = [
    ("smoke", include_str!("presets/smoke.toml")),
    ("churn", include_str!("presets/churn.toml")),
    ("burst", include_str!("presets/burst.toml")),
    ("steady", include_str!("presets/steady.toml")),
    ("density", include_str!("presets/density.toml")),
    ("soak", include_str!("presets/soak.toml")),
    ("crashloop", include_str!("presets/crashloop.toml")),
    ("jobs", include_str!("presets/jobs.toml")),
    ("node", include_str!("presets/node.toml")),
];

/// Returns the names of the shipped scenarios.
pub fn names() -> Vec<&'static str> {
    PRESETS.iter().map(|(name, _)| *name).collect()
}

impl Scenario {
    /// Finds a shipped scenario, or reads a file: a name that ends in `.toml` or
    /// contains a slash is a path.
    ///
    /// # Errors
    /// If there is no such scenario or file, or its document is invalid.
    pub fn find(name: &str) -> Result<Self, ScenarioError> {
        let path = Path::new(name);
        if name.contains('/') || path.extension().is_some_and(|end| end == "toml") {
            let text =
                bounded::read_to_string(path, MAX_BYTES).map_err(|source| ScenarioError::Read {
                    path: path.to_owned(),
                    source,
                })?;
            return Self::parse(&text, name);
        }
        let preset = PRESETS.iter().find(|(known, _)| *known == name);
        let (name, text) = preset.ok_or_else(|| ScenarioError::Unknown {
            name: name.to_owned(),
        })?;
        Self::parse(text, name)
    }
}
