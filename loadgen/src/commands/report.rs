//! `loadgen report`: a saved result as a page, as text, or as a row of a table.

use std::io;
use std::path::{Path, PathBuf};

use super::any_result::{self, AnyResult};
use super::cli::{ReportArgs, ReportFormat};
use super::exit::Verdict;
use super::{gate, overhead, print};
use crate::record::hdr_log::LogError;
use crate::result::LoadError;
use crate::result::directory::{REPORT_FILE, SaveError};
use crate::show::report;
use display::output::Form;

/// Failure to make a report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The result cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The histograms of the result cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// This kind of result has no such report.
    #[error("{}: it is no result of {of}; --format text shows it", path.display())]
    None {
        /// Path of the result.
        path: PathBuf,
        /// Kinds of results with such a report.
        of: &'static str,
    },
    /// The report cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The report cannot be printed.
    #[error("print the report")]
    Print(#[from] io::Error),
}

/// Makes the report of saved results.
///
/// # Errors
/// If a result cannot be read or the report cannot be written.
pub fn run(args: &ReportArgs) -> Result<Verdict, ReportError> {
    let (text, beside) = match args.format {
        ReportFormat::Html => {
            let dir = directory(&args.results[0]);
            (page(&args.results[0], dir)?, Some(dir.join(REPORT_FILE)))
        }
        ReportFormat::Text => (as_text(&args.results)?, None),
        ReportFormat::Markdown => (as_markdown(&args.results)?, None),
        ReportFormat::Json => (as_json(&args.results)?, None),
    };
    print::to::<ReportError>(args.output.as_deref().or(beside.as_deref()), &text)?;
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
        AnyResult::Run(result) => Ok(report::of(&result, dir)?),
        AnyResult::Search(result) => Ok(report::of_search(&result)),
        AnyResult::Density(result) => Ok(report::of_density(&result)),
        AnyResult::Gate(result) => Ok(gate::page::render(&result)),
        AnyResult::Overhead(result) => Ok(overhead::page::render(&result)),
        AnyResult::Repeated(_) | AnyResult::Calibration(_) => Err(ReportError::None {
            path: path.to_owned(),
            of: "run, search, density, gate or overhead",
        }),
    }
}

fn as_text(paths: &[PathBuf]) -> Result<String, ReportError> {
    let texts = paths
        .iter()
        .map(|path| Ok(any_result::load(path)?.printed(Form::Text)))
        .collect::<Result<Vec<_>, ReportError>>()?;
    Ok(texts.join("\n"))
}

/// Returns one table of all runs, followed by the other results one after the other.
fn as_markdown(paths: &[PathBuf]) -> Result<String, ReportError> {
    let (mut runs, mut others) = (Vec::new(), Vec::new());
    for path in paths {
        match any_result::load(path)? {
            AnyResult::Run(run) => runs.push(*run),
            other => others.push(other.printed(Form::Markdown)),
        }
    }
    if !runs.is_empty() {
        others.insert(0, report::table(&runs));
    }
    Ok(others.join("\n"))
}

/// Returns the document of a result, or a list of the documents of several.
fn as_json(paths: &[PathBuf]) -> Result<String, ReportError> {
    let documents = paths
        .iter()
        .map(|path| any_result::load(path))
        .collect::<Result<Vec<_>, LoadError>>()?;
    Ok(match &documents[..] {
        [document] => print::json(document)?,
        documents => print::json(&documents)?,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::commands::save;
    use crate::record::tape::Part;
    use crate::result::directory::HISTOGRAM_FILE;
    use crate::result::fixture::{self, RunFixture};

    fn page_args(result: &Path) -> ReportArgs {
        ReportArgs {
            results: vec![result.to_owned()],
            format: ReportFormat::Html,
            output: None,
        }
    }

    /// Returns the path of a committed result.
    fn reference(name: &str) -> PathBuf {
        let results = concat!(env!("CARGO_MANIFEST_DIR"), "/../results");
        Path::new(results).join(name)
    }

    #[test]
    fn a_result_without_such_a_report_is_refused() {
        for name in ["search", "cost", "overhead", "presets/node"] {
            let markdown = as_markdown(&[reference(name)]).unwrap();
            assert!(markdown.contains("| --- |"), "{name}: {markdown}");
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("result.json"), r#"{"schema": "menu"}"#).unwrap();
        let error = run(&page_args(dir.path())).unwrap_err();
        let error = format!("{:#}", anyhow::Error::from(error));
        assert!(
            error.contains(r#"its field schema is "menu", and must be one of"#),
            "{error}"
        );
    }

    #[test]
    fn a_document_is_that_of_the_file_and_several_are_a_list() {
        let names = ["search", "cost", "overhead", "presets/node"];
        let file = |name| fs::read_to_string(reference(name).join("result.json")).unwrap();
        for name in names {
            assert!(as_json(&[reference(name)]).unwrap() == file(name), "{name}");
        }
        let list = as_json(&names.map(reference)).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
        let value = |name| serde_json::from_str::<serde_json::Value>(&file(name)).unwrap();
        let files = names.map(value);
        assert!(list == files);
    }

    #[test]
    fn the_page_is_made_again_from_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let made = fixture::realistic();
        made.save(dir.path());
        save::derived(dir.path(), &made.result).unwrap();
        let file = dir.path().join(REPORT_FILE);
        let page = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let args = |output: Option<&Path>| ReportArgs {
            output: output.map(Path::to_owned),
            ..page_args(dir.path())
        };
        run(&args(None)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), page);
        let other = dir.path().join("other.html");
        run(&args(Some(&other))).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), page);
        let nowhere = dir.path().join("no/where.html");
        let error = run(&args(Some(&nowhere))).unwrap_err();
        assert!(error.to_string().contains("no/where.html"), "{error}");
    }

    #[test]
    fn a_log_that_is_cut_off_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        RunFixture::of(vec![Part::default()]).save(dir.path());
        let log = dir.path().join(HISTOGRAM_FILE);
        let text = fs::read_to_string(&log).unwrap();
        fs::write(&log, &text[..text.len() - 9]).unwrap();
        let error = run(&page_args(dir.path())).unwrap_err();
        let error = format!("{:#}", anyhow::Error::from(error));
        assert!(error.contains("latencies.hlog: it is cut off"), "{error}");
    }
}
