//! Files that a profile writes: patches, and new requests for other commands.

use std::fs;
use std::path::Path;

use anyhow::Context;
use rightsizing::resize::{Resize, WorkloadResize};

/// Writes one patch for each workload into a directory, which is made if it is missing.
pub(super) fn patches(directory: &Path, resize: &Resize) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    for patch in resize.workloads.iter().filter_map(WorkloadResize::patch) {
        let path = directory.join(&patch.file);
        fs::write(&path, &patch.yaml).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Writes the new requests as a document.
pub(super) fn resize(path: &Path, resize: &Resize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(resize)?;
    text.push('\n');
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
