//! Shows a saved result: on one self-contained page, as text, or in comparison with
//! others.
//!
//! The page has no script, no network access and no fonts of its own. The template
//! escapes text from outside (messages, paths, the command line). The page is both HTML
//! and well-formed XML, so that any tool can read it.
//!
//! ```text
//! page (of a run) -> tables, curves, timeline, heatmap, processes -> svg -> scale
//!      '-> latencies -> hdr_log
//! search, density -> page (its frame), tables, svg
//! ```

mod curves;
mod density;
mod heatmap;
mod how;
mod latencies;
mod markdown;
mod page;
mod processes;
mod scale;
mod search;
mod svg;
mod tables;
mod timeline;

use std::path::Path;

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

/// Removes the characters that neither HTML nor XML may contain, even in escaped form.
fn readable(page: &str) -> String {
    let allowed = |c: char| match c {
        '\n' | '\t' => true,
        '\u{fffe}' | '\u{ffff}' | '\u{fdd0}'..='\u{fdef}' => false,
        // The last two code points of each plane are no characters.
        c => !c.is_control() && u32::from(c) & 0xfffe != 0xfffe,
    };
    let replaced = |c| {
        if allowed(c) {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    page.chars().map(replaced).collect()
}

#[cfg(test)]
mod tests;
