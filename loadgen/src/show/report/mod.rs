//! A saved result to be looked at: on one page that needs nothing else, as text, or
//! beside others.
//!
//! The page has no script, no network and no fonts of its own. What comes from
//! outside (messages, paths, the command line) is escaped by the template. It is
//! both HTML and well-formed XML, so that any tool can read it.
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

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::commands::any_result::{self, AnyResult};
use crate::commands::cli::{ReportArgs, ReportFormat};
use crate::commands::error::SaveError;
use crate::commands::exit::Verdict;
use crate::commands::print;
use crate::record::hdr_log::LogError;
use crate::result::density::DensityResult;
use crate::result::directory::{HISTOGRAM_FILE, REPORT_FILE};
use crate::result::search::SearchResult;
use crate::result::{LoadError, RunResult};

use self::latencies::Latencies;

/// What stands for standard output.
const STDOUT: &str = "-";

/// A report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The result cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its histograms cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// There is no such report of it.
    #[error("{}: it is no result of {of}; --format text shows it", path.display())]
    None {
        /// The result.
        path: PathBuf,
        /// What there is such a report of.
        of: &'static str,
    },
    /// It cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// It cannot be printed.
    #[error("print the report")]
    Print(#[from] io::Error),
}

/// Makes the report of saved results.
///
/// # Errors
/// If one cannot be read or the report cannot be written.
pub fn run(args: &ReportArgs) -> Result<Verdict, ReportError> {
    let (report, beside) = match args.format {
        ReportFormat::Html => {
            let dir = directory(&args.results[0]);
            (page(&args.results[0], dir)?, Some(dir.join(REPORT_FILE)))
        }
        ReportFormat::Text => (text(&args.results)?, None),
        ReportFormat::Markdown => (table(&args.results)?, None),
    };
    let stdout = Path::new(STDOUT);
    match args.output.clone().or(beside).filter(|to| to != stdout) {
        Some(path) => fs::write(&path, report).map_err(|source| SaveError { path, source })?,
        None => print::to_stdout(&report)?,
    }
    Ok(Verdict::Good)
}

fn directory(path: &Path) -> &Path {
    if path.is_dir() {
        path
    } else {
        path.parent().unwrap_or(Path::new(""))
    }
}

fn page(path: &Path, dir: &Path) -> Result<String, ReportError> {
    match any_result::load(path)? {
        AnyResult::Run(result) => Ok(of(&result, dir)?),
        AnyResult::Search(result) => Ok(of_search(&result)),
        AnyResult::Density(result) => Ok(of_density(&result)),
        AnyResult::Gate(_) | AnyResult::Overhead(_) => Err(ReportError::None {
            path: path.to_owned(),
            of: "run, search or density",
        }),
    }
}

fn text(paths: &[PathBuf]) -> Result<String, ReportError> {
    let texts = paths
        .iter()
        .map(|path| Ok(any_result::load(path)?.text()))
        .collect::<Result<Vec<_>, ReportError>>()?;
    Ok(texts.join("\n"))
}

fn table(paths: &[PathBuf]) -> Result<String, ReportError> {
    let runs = paths
        .iter()
        .map(|path| match any_result::load(path)? {
            AnyResult::Run(run) => Ok(*run),
            _ => Err(ReportError::None {
                path: path.clone(),
                of: "run",
            }),
        })
        .collect::<Result<Vec<_>, ReportError>>()?;
    Ok(markdown::table(&runs))
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

/// The page of a search.
pub fn of_search(result: &SearchResult) -> String {
    readable(&search::page(result).into_string())
}

/// The page of a density measurement.
pub fn of_density(result: &DensityResult) -> String {
    readable(&density::page(result).into_string())
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
