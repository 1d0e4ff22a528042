//! `loadgen merge`: one result from the results of parts that ran in parallel.
//!
//! Nothing is averaged. Counts are summed, histograms are added second by second, and
//! every percentile comes from the sum: the merged result is the result that one run
//! would have measured. If parts began at different times, their seconds are aligned
//! by the wall clock, to the nearest second.

mod compatible;
mod error;
mod log;
mod merged;
mod parts;

use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub use self::error::MergeError;

use self::log::{Logs, add};
use self::merged::Seconds;
use crate::commands::cli::MergeArgs;
use crate::commands::exit::Verdict;
use crate::commands::{print, save};
use crate::record::hdr_log::{self, Histograms, LogWriter};
use crate::record::tape::INTERVAL;
use crate::result::directory::{self, HISTOGRAM_FILE, SaveError};
use crate::result::{self, RunResult};
use crate::show::table;

/// Part to merge.
#[derive(Debug)]
pub struct Part {
    dir: PathBuf,
    result: RunResult,
    started: SystemTime,
    /// Delay of its start after the start of the first part.
    offset: Duration,
}

impl Part {
    fn load(dir: &Path) -> Result<Self, MergeError> {
        let result = result::load(dir)?;
        let log = hdr_log::open(&dir.join(HISTOGRAM_FILE))?;
        // To the millisecond, if the log contains its start.
        let started = log.started();
        let started = started.or_else(|| humantime::parse_rfc3339(&result.header.started_at).ok());
        Ok(Self {
            dir: dir.to_owned(),
            result,
            started: started.unwrap_or(SystemTime::UNIX_EPOCH),
            offset: Duration::ZERO,
        })
    }

    fn name(&self) -> String {
        let name = self.dir.file_name().unwrap_or(self.dir.as_os_str());
        name.to_string_lossy().into_owned()
    }
}

/// Merges parts and prints the merged result like a run.
///
/// # Errors
/// See [`into`].
pub fn run(args: &MergeArgs, command_line: Vec<String>) -> Result<Verdict, MergeError> {
    let (result, parts) = into(&args.out, &args.parts, args.anyway, command_line)?;
    let table = table::render(&result);
    let parts = parts::render(&parts);
    let text = format!("{table}\n{parts}\nresult     {}\n", args.out.display());
    if args.json {
        print::to_stderr(&text)?;
        print::to_stdout(&print::json(&result)?)?;
    } else {
        print::to_stdout(&text)?;
    }
    Ok(if result.totals.errors > 0 {
        Verdict::WrongAnswers
    } else if result.valid {
        Verdict::Good
    } else {
        Verdict::Incomplete
    })
}

/// Merges the results of some directories into one, in a new directory. Returns it with its parts.
/// With `anyway`, their scenarios and programs may differ.
///
/// # Errors
/// If a part cannot be read, the parts do not belong together, or the merged result
/// cannot be written; the new directory is then removed.
pub fn into(
    out: &Path,
    parts: &[PathBuf],
    anyway: bool,
    command_line: Vec<String>,
) -> Result<(RunResult, Vec<Part>), MergeError> {
    let mut parts = parts
        .iter()
        .map(|dir| Part::load(dir))
        .collect::<Result<Vec<_>, _>>()?;
    let known: Vec<_> = parts
        .iter()
        .map(|part| (&*part.dir, &part.result))
        .collect();
    compatible::check(&known, anyway)?;
    let started = parts.iter().map(|part| part.started).min();
    let started = started.unwrap_or(SystemTime::UNIX_EPOCH);
    for part in &mut parts {
        part.offset = part.started.duration_since(started).unwrap_or_default();
    }
    fs::create_dir(out).map_err(|source| SaveError {
        path: out.to_owned(),
        source,
    })?;
    let merged = write(out, &parts, started, command_line).inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_dir_all(out);
    });
    Ok((merged?, parts))
}

fn write(
    out: &Path,
    parts: &[Part],
    started: SystemTime,
    command_line: Vec<String>,
) -> Result<RunResult, MergeError> {
    let (sums, seconds) = write_log(out, parts, started)?;
    let result = merged::result(parts, &sums, &seconds, command_line);
    directory::document(out, &result)?;
    save::derived(out, &result)?;
    Ok(result)
}

/// Writes the merged histograms; returns their sums and the figures of each second.
fn write_log(
    out: &Path,
    parts: &[Part],
    started: SystemTime,
) -> Result<(Histograms, Seconds), MergeError> {
    let path = out.join(HISTOGRAM_FILE);
    let cannot = |source| SaveError {
        path: path.clone(),
        source,
    };
    let sources: Vec<_> = parts.iter().map(|part| (&*part.dir, part.offset)).collect();
    let mut logs = Logs::open(&sources)?;
    let file = BufWriter::new(fs::File::create(&path).map_err(cannot)?);
    let mut writer = LogWriter::new(file, started).map_err(cannot)?;
    let (mut sums, mut seconds) = (Histograms::new(), Seconds::new());
    while let Some(second) = logs.next_second()? {
        let histograms = second.histograms.iter().map(|(series, sum)| (*series, sum));
        writer
            .interval(INTERVAL * second.number, second.length, histograms)
            .map_err(cannot)?;
        for (series, histogram) in &second.histograms {
            add(&mut sums, *series, histogram);
        }
        seconds.insert(second.number, merged::figures(&second.histograms));
    }
    writer.finish().map_err(cannot)?;
    for (part, sum) in parts.iter().zip(logs.sums()) {
        compatible::check_log(&part.dir, &part.result, sum)?;
    }
    Ok((sums, seconds))
}

#[cfg(test)]
mod tests;
