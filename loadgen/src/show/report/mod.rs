//! Shows a saved result: on one self-contained page, as text, or in comparison with
//! others.
//!
//! The page has no script, no network access and no fonts of its own. The template
//! escapes text from outside (messages, paths, the command line). The page is both HTML
//! and well-formed XML, so that any tool can read it.
//!
//! ```text
//! page (of a run) -> tables, curves, timeline, heatmap, processes, spans -> crate display
//!      '-> latencies -> hdr_log
//! search, density -> page (its frame), tables, svg
//! ```

mod curves;
mod density;
mod heatmap;
pub mod how;
mod latencies;
mod markdown;
pub mod page;
mod processes;
mod search;
pub mod spans;
mod tables;
mod timeline;

use std::path::Path;

use display::page::readable;

use crate::record::hdr_log::LogError;
use crate::result::RunResult;
use crate::result::density::DensityResult;
use crate::result::directory::HISTOGRAM_FILE;
use crate::result::search::SearchResult;

use self::latencies::Latencies;
pub use self::markdown::table;

/// Returns the page of a result. Its histograms are in the directory `dir`.
///
/// # Errors
/// Histograms that cannot be read.
pub fn of(result: &RunResult, dir: &Path) -> Result<String, LogError> {
    let log = dir.join(HISTOGRAM_FILE);
    let latencies = Latencies::read(&log, timeline::end_s(result))?;
    Ok(readable(&page::page(result, &latencies).into_string()))
}

/// Returns the page of a search.
pub fn of_search(result: &SearchResult) -> String {
    readable(&search::page(result).into_string())
}

/// Returns the page of a density measurement.
pub fn of_density(result: &DensityResult) -> String {
    readable(&density::page(result).into_string())
}

#[cfg(test)]
mod tests;
