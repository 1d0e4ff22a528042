//! Reads a log, one interval at a time.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use super::decode::histogram;
use super::error::{LogError, LogProblem};
use super::series::Series;
use super::{END, FORMAT, WRITER};
use crate::bounded;

/// Maximum length of a line, in bytes: several times that of the largest histogram.
const MAX_LINE: u64 = 4 << 20;

/// Possible beginning of the line before the intervals.
const LEGEND: &str = "\"StartTimestamp\"";

/// One histogram of one interval.
#[derive(Debug, Clone, PartialEq)]
pub struct IntervalOf {
    /// Beginning of the interval, from the start of the log, to the millisecond.
    pub start: Duration,
    /// Length of the interval, to the millisecond.
    pub length: Duration,
    /// Series that the histogram belongs to.
    pub series: Series,
    /// Values in nanoseconds.
    pub histogram: Histogram<u64>,
}

/// Reads the intervals of a log in the order in which they were written.
///
/// All histograms of a log of one hour need more memory than a machine may have, so the
/// reader holds one of them at a time.
pub struct LogReader<R> {
    path: PathBuf,
    lines: R,
    line: Vec<u8>,
    number: u64,
    /// Whether `line` has been read but not processed.
    pending: bool,
    started: Option<SystemTime>,
    /// Whether the log must have a last line with the number of intervals.
    must_end: bool,
    ended: bool,
    intervals: u64,
    deserializer: Deserializer,
}

impl<R> std::fmt::Debug for LogReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogReader")
            .field("path", &self.path)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Opens a log and reads its head.
///
/// # Errors
/// A file that cannot be read or is no log of loadgen.
pub fn open(path: &Path) -> Result<LogReader<BufReader<File>>, LogError> {
    let file = bounded::open(path).map_err(|error| LogError {
        path: path.to_owned(),
        source: error.into(),
    })?;
    LogReader::new(path, BufReader::new(file))
}

/// Reads all intervals of a log. For a long log, [`open`] needs less memory.
///
/// # Errors
/// A file that cannot be read, is no log of loadgen, is cut off, or is malformed.
pub fn read(path: &Path) -> Result<Vec<IntervalOf>, LogError> {
    open(path)?.collect()
}

impl<R: BufRead> LogReader<R> {
    /// Reads the head of a log. `path` is the name of the log in errors.
    ///
    /// # Errors
    /// A log that cannot be read or is none of loadgen.
    pub fn new(path: &Path, lines: R) -> Result<Self, LogError> {
        let mut reader = Self {
            path: path.to_owned(),
            lines,
            line: Vec::new(),
            number: 0,
            pending: false,
            started: None,
            must_end: false,
            ended: false,
            intervals: 0,
            deserializer: Deserializer::new(),
        };
        let head = reader.head();
        head.map_err(|source| reader.error(source))?;
        Ok(reader)
    }

    /// Returns the time that is the zero of the log's times; `None` if the log does not
    /// give it.
    pub fn started(&self) -> Option<SystemTime> {
        self.started
    }

    fn error(&self, source: LogProblem) -> LogError {
        LogError {
            path: self.path.clone(),
            source,
        }
    }

    fn head(&mut self) -> Result<(), LogProblem> {
        let first = self.advance();
        if !self.line.starts_with(FORMAT.as_bytes()) {
            return Err(match first {
                Err(LogProblem::Io(error)) => error.into(),
                _ => LogProblem::Foreign,
            });
        }
        first?;
        while self.advance()? && self.is_comment() {
            self.comment()?;
        }
        self.pending = true;
        Ok(())
    }

    /// Advances to the next line; returns whether there is one.
    fn advance(&mut self) -> Result<bool, LogProblem> {
        self.line.clear();
        self.number += 1;
        let mut limited = (&mut self.lines).take(MAX_LINE);
        limited.read_until(b'\n', &mut self.line)?;
        if self.line.pop_if(|last| *last == b'\n').is_some() {
            self.line.pop_if(|last| *last == b'\r');
            return Ok(true);
        }
        if self.line.is_empty() {
            self.number -= 1;
            return Ok(false);
        }
        if self.line.len() as u64 == MAX_LINE {
            return Err(self.malformed("it is longer than any histogram"));
        }
        Err(LogProblem::Truncated {
            at: format!("in line {}", self.number),
            intervals: self.intervals,
        })
    }

    fn is_comment(&self) -> bool {
        self.line.starts_with(b"#") || self.line.starts_with(LEGEND.as_bytes())
    }

    fn comment(&mut self) -> Result<(), LogProblem> {
        if self.line == WRITER.as_bytes() {
            self.must_end = true;
        } else if let Some(rest) = self.line.strip_prefix(b"#[BaseTime: ") {
            let text = String::from_utf8_lossy(rest);
            let since_epoch = text.split(' ').next().and_then(seconds);
            let Some(since_epoch) = since_epoch else {
                return Err(self.malformed("its BaseTime must be seconds since the epoch"));
            };
            self.started = SystemTime::UNIX_EPOCH.checked_add(since_epoch);
        } else if let Some(rest) = self.line.strip_prefix(END.as_bytes()) {
            let written = String::from_utf8_lossy(rest);
            let written = written.strip_suffix(']').and_then(|n| n.parse().ok());
            if written != Some(self.intervals) {
                let found = self.intervals;
                return Err(self.malformed(&format!(
                    "it must contain the number of intervals, and {found} are there"
                )));
            }
            self.ended = true;
        }
        Ok(())
    }

    fn next_interval(&mut self) -> Result<Option<IntervalOf>, LogProblem> {
        loop {
            if !std::mem::take(&mut self.pending) && !self.advance()? {
                break;
            }
            // Only the end of the file gives an empty line, without a line feed.
            if self.line.is_empty() {
                continue;
            }
            if !self.is_comment() {
                let interval = self.interval()?;
                self.intervals += 1;
                return Ok(Some(interval));
            }
            self.comment()?;
        }
        if !self.ended && (self.must_end || self.intervals == 0) {
            return Err(LogProblem::Truncated {
                at: format!("after line {}", self.number),
                intervals: self.intervals,
            });
        }
        Ok(None)
    }

    fn interval(&mut self) -> Result<IntervalOf, LogProblem> {
        const FORM: &str = "it must be Tag=NAME,START,LENGTH,MAX,HISTOGRAM";
        let Ok(line) = std::str::from_utf8(&self.line) else {
            return Err(self.malformed("it is not UTF-8 text"));
        };
        let Some(tagged) = line.strip_prefix("Tag=") else {
            let reason = "it has no tag with the series of its histogram";
            return Err(if line.split(',').count() == 4 {
                self.not_ours(reason)
            } else {
                self.malformed(FORM)
            });
        };
        let fields: Vec<_> = tagged.split(',').collect();
        let &[tag, start, length, _max, encoded] = &fields[..] else {
            return Err(self.malformed(FORM));
        };
        let series = match tag.parse::<Series>() {
            Ok(series) => series,
            Err(reason) => return Err(self.not_ours(&reason)),
        };
        let (Some(start), Some(length)) = (seconds(start), seconds(length)) else {
            return Err(self.malformed("its start and length must be seconds, such as 12.000"));
        };
        let decoded = histogram(encoded, &mut self.deserializer);
        Ok(IntervalOf {
            start,
            length,
            series,
            histogram: decoded.map_err(|reason| self.malformed(&reason))?,
        })
    }

    fn malformed(&self, reason: &str) -> LogProblem {
        LogProblem::Malformed {
            line: self.number,
            reason: reason.to_owned(),
        }
    }

    fn not_ours(&self, reason: &str) -> LogProblem {
        LogProblem::NotOurs {
            line: self.number,
            reason: reason.to_owned(),
        }
    }
}

impl<R: BufRead> Iterator for LogReader<R> {
    type Item = Result<IntervalOf, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_interval();
        next.map_err(|source| self.error(source)).transpose()
    }
}

/// Parses seconds such as `12.345`; digits beyond the millisecond are dropped.
fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let thousandths = fraction.bytes().chain(*b"000").take(3);
    let milliseconds = thousandths.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let seconds = Duration::from_secs(whole.parse().ok()?);
    seconds.checked_add(Duration::from_millis(milliseconds))
}
