//! Programs under test, by which two results tell whether they measured the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    fn what_is_known_is_shown() {
        let mut software = Software {
            role: "runtime".to_owned(),
            path: None,
            sha256: None,
            cri: None,
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
