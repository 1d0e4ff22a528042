//! Histograms in the HdrHistogram interval log format, for which readers exist in many
//! languages (<https://hdrhistogram.github.io/HdrHistogram/>).
//!
//! A log has an entry for each interval and [`Series`]. The measurements of a run are the
//! sum of its entries.

mod decode;
mod error;
mod read;
mod series;
mod spool;
mod write;

pub use self::error::{LogError, LogProblem};
pub use self::read::{IntervalOf, LogReader, open, read};
pub use self::series::{Histograms, Series};
pub use self::spool::{Spool, copy};
pub use self::write::LogWriter;

/// Beginning of the first line of every log.
const FORMAT: &str = "#[Histogram log format version ";

/// Line that names the writer. The number is the version of the writer's additions to the
/// format.
const WRITER: &str = "#[Logged by loadgen, 2: latencies in nanoseconds, a tag for each series]";

/// Beginning of the last line, which contains the number of entries.
const END: &str = "#[End of log, entries: ";

#[cfg(test)]
mod tests;
