//! `report.html`: a result on one page that needs nothing else.
//!
//! The page has no script, no network and no fonts of its own. What comes from
//! outside (messages, paths, the command line) is escaped by the template. It is
//! both HTML and well-formed XML, so that any tool can read it.
//!
//! ```text
//! page -> tables, curves, timeline, heatmap, processes -> svg -> scale
//!      '-> latencies -> hdr_log
//! ```

mod curves;
mod heatmap;
mod latencies;
mod page;
mod processes;
mod scale;
mod svg;
mod tables;
mod timeline;

use std::fs;
use std::io;
use std::path::Path;

use crate::cli::ReportArgs;
use crate::error::SaveError;
use crate::exit::Verdict;
use crate::hdr_log::LogError;
use crate::print;
use crate::result::{self, LoadError, RunResult};
use crate::save::{HISTOGRAM_FILE, REPORT_FILE};

use self::latencies::Latencies;

/// What stands for standard output.
const STDOUT: &str = "-";

/// A page cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The result cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its histograms cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The page cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The page cannot be printed.
    #[error("print the page")]
    Print(#[from] io::Error),
}

/// Makes the page of a saved result.
///
/// # Errors
/// If the result cannot be read or the page cannot be written.
pub fn run(args: &ReportArgs) -> Result<Verdict, ReportError> {
    let result = result::load(&args.dir)?;
    let dir = if args.dir.is_dir() {
        &args.dir
    } else {
        args.dir.parent().unwrap_or(Path::new(""))
    };
    let page = of(&result, dir)?;
    if args.output.as_deref() == Some(Path::new(STDOUT)) {
        print::to_stdout(&page)?;
        return Ok(Verdict::Good);
    }
    let path = args.output.clone().unwrap_or_else(|| dir.join(REPORT_FILE));
    fs::write(&path, page).map_err(|source| SaveError { path, source })?;
    Ok(Verdict::Good)
}

/// The page of a result whose histograms are in a directory.
///
/// # Errors
/// If the histograms cannot be read.
pub fn of(result: &RunResult, dir: &Path) -> Result<String, LogError> {
    let log = dir.join(HISTOGRAM_FILE);
    let latencies = Latencies::read(&log, timeline::end_s(result))?;
    Ok(readable(&page::page(result, &latencies).into_string()))
}

/// Without what neither HTML nor XML may contain, not even escaped.
fn readable(page: &str) -> String {
    let allowed = |c: char| match c {
        '\n' | '\t' => true,
        '\u{fffe}' | '\u{ffff}' | '\u{fdd0}'..='\u{fdef}' => false,
        // The last two of every plane are no characters.
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
