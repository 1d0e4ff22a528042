//! Histograms in the HdrHistogram interval log format, which tools in every
//! language read (<https://hdrhistogram.github.io/HdrHistogram/>).
//!
//! A log has an entry for each interval and [`Series`]; what a run measured is
//! the sum of its entries.

mod decode;
mod error;
mod read;
mod series;
mod write;

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

pub use self::error::{LogError, LogProblem};
pub use self::read::{IntervalOf, LogReader, open, read};
pub use self::series::{Histograms, Series};
pub use self::write::LogWriter;

use crate::operation::Operation;
use crate::recorder::Recorder;

/// How the first line of every log begins.
const FORMAT: &str = "#[Histogram log format version ";

/// Who wrote it. The number is of what this program writes beyond the format.
const WRITER: &str = "#[Logged by loadgen, 2: latencies in nanoseconds, a tag for each series]";

/// How the last line begins, which says how many entries there are.
const END: &str = "#[End of log, entries: ";

/// Writes every operation that was measured as one interval.
///
/// # Errors
/// Whatever the writer says.
pub fn write(
    out: &mut impl Write,
    recorder: &Recorder,
    started: SystemTime,
    wall: Duration,
) -> io::Result<()> {
    let operations = Operation::ALL.into_iter();
    let histograms = operations.map(|operation| (operation, recorder.histogram(operation)));
    let mut log = LogWriter::new(out, started)?;
    log.interval(Duration::ZERO, wall, histograms)?;
    log.finish().map(drop)
}

#[cfg(test)]
mod tests;
