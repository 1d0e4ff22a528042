//! Histograms in the HdrHistogram interval log format, which tools in every
//! language read (<https://hdrhistogram.github.io/HdrHistogram/>).
//!
//! A log has an entry for each interval and [`Series`]; what a run measured is
//! the sum of its entries.

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

/// How the first line of every log begins.
const FORMAT: &str = "#[Histogram log format version ";

/// Who wrote it. The number is of what this program writes beyond the format.
const WRITER: &str = "#[Logged by loadgen, 2: latencies in nanoseconds, a tag for each series]";

/// How the last line begins, which says how many entries there are.
const END: &str = "#[End of log, entries: ";

#[cfg(test)]
mod tests;
