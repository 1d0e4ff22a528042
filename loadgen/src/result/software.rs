//! Programs under test, by which two results tell whether they measured the same.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::program;

/// A program under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Software {
    /// Role of its process, as in the processes of the run.
    pub role: String,
    /// Path of the file that the process runs; absent if the process may not be inspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// SHA-256 of this file, in hexadecimal; absent if the process may not be inspected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Reply to CRI's Version; absent for a process that was not called over CRI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cri: Option<CriVersion>,
    /// Effective configuration; absent for programs other than a started containerd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Configuration>,
}

/// Effective configuration of a containerd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Configuration {
    /// SHA-256 of its settings, one on a line in the order of their names, in hexadecimal.
    pub sha256: String,
    /// Settings that differ from the default configuration of the same program, such as
    /// `plugins.'io.containerd.nri.v1.nri'.disable = true`. `DIR` is the private directory.
    pub changes: Vec<String>,
}

impl Configuration {
    /// Compares the texts of a configuration and of the default one, in TOML; `None` if one of
    /// them is no TOML. The directory `dir` is replaced by `DIR`.
    pub fn of(text: &str, default: &str, dir: &str) -> Option<Self> {
        let read = |text: &str| {
            let mut settings = BTreeSet::new();
            let table: toml::Table = text.replace(dir, "DIR").parse().ok()?;
            flatten("", toml::Value::Table(table), &mut settings);
            Some(settings)
        };
        let (here, default) = (read(text)?, read(default)?);
        let lines: Vec<&str> = here.iter().map(String::as_str).collect();
        Some(Self {
            sha256: program::sha256_of(lines.join("\n").as_bytes()),
            changes: here.difference(&default).cloned().collect(),
        })
    }
}

/// Writes each value below a name as a setting.
fn flatten(name: &str, value: toml::Value, settings: &mut BTreeSet<String>) {
    let toml::Value::Table(table) = value else {
        settings.insert(format!("{name} = {value}"));
        return;
    };
    for (key, value) in table {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let key = if key.chars().all(is_bare) {
            key
        } else {
            format!("'{key}'")
        };
        let below = match name {
            "" => key,
            name => format!("{name}.{key}"),
        };
        flatten(&below, value, settings);
    }
}

/// Name and versions of a runtime (`VersionResponse` of CRI).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CriVersion {
    /// Name of the runtime, such as `containerd`.
    pub runtime: String,
    /// Version of the runtime.
    pub version: String,
    /// Version of the API, such as `v1`.
    pub api: String,
}

impl Software {
    /// Returns the version and the beginning of the hash, as far as they are known.
    pub fn words(&self) -> String {
        let version = self.cri.as_ref();
        let version = version.map(|cri| format!("{} {}", cri.runtime, cri.version));
        let hash = self.sha256.as_ref();
        let hash = hash.map(|hash| format!("sha256 {hash:.12}"));
        let known: Vec<_> = [version, self.path.clone(), hash]
            .into_iter()
            .flatten()
            .collect();
        if known.is_empty() {
            return "unknown".to_owned();
        }
        known.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_told_by_its_changes() {
        let default = "version = 3\nroot = '/var'\n[plugins.'a.b']\nx = 1\ny = [1, 2]\n";
        let here = "root = '/tmp/7/root'\nversion = 3\n[plugins.'a.b']\nx = 2\ny = [1, 2]\n";
        let found = Configuration::of(here, default, "/tmp/7").unwrap();
        let changes = ["plugins.'a.b'.x = 2", "root = \"DIR/root\""];
        assert_eq!(found.changes, changes);
        let elsewhere = here.replace("/tmp/7", "/tmp/8");
        assert_eq!(
            Configuration::of(&elsewhere, default, "/tmp/8"),
            Some(found)
        );
        assert_eq!(Configuration::of("no toml", default, "/tmp/8"), None);
    }

    #[test]
    fn what_is_known_is_shown() {
        let mut software = Software {
            role: "runtime".to_owned(),
            path: None,
            sha256: None,
            cri: None,
            configuration: None,
        };
        assert_eq!(software.words(), "unknown");
        software.sha256 = Some("0123456789abcdef".to_owned());
        software.cri = Some(CriVersion {
            runtime: "containerd".to_owned(),
            version: "2.1.9".to_owned(),
            api: "v1".to_owned(),
        });
        assert_eq!(software.words(), "containerd 2.1.9, sha256 0123456789ab");
    }
}
