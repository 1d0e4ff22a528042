//! Result with the latencies of its seconds.

use std::path::Path;

use super::error::CompareError;
use super::latencies::Latencies;
use crate::result::{self, RunResult};

/// One of the two compared results, with the histograms beside it.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Path of the result, as given.
    pub path: String,
    /// Document of the result.
    pub result: RunResult,
    /// Latencies of each second; `None` if there is no log.
    pub latencies: Option<Latencies>,
}

impl Compared {
    /// Reads a result and the log beside it.
    ///
    /// # Errors
    /// If the result or its log cannot be read, or there is no result.
    pub fn read(path: &Path) -> Result<Self, CompareError> {
        Ok(Self {
            result: result::load(path)?,
            latencies: Latencies::beside(path)?,
            path: path.display().to_string(),
        })
    }
}
