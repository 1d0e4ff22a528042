//! Histograms of all parts, second by second.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::MergeError;
use crate::record::hdr_log::{self, Histograms, IntervalOf, LogReader};
use crate::record::recorder;
use crate::record::tape::INTERVAL;

/// Log of a part, read up to some interval.
struct Source {
    dir: PathBuf,
    reader: LogReader<BufReader<File>>,
    next: Option<IntervalOf>,
    /// Delay of its start after the start of the first part.
    offset: Duration,
    sum: Histograms,
}

/// Logs of all parts, read side by side: only one second of them is in memory.
pub struct Logs {
    sources: Vec<Source>,
}

/// Measurements of all parts in the same second.
pub struct Second {
    /// Number of the second, from the start of the first part.
    pub number: u32,
    /// Length of the second.
    pub length: Duration,
    /// Sums of the histograms of all parts.
    pub histograms: Histograms,
}

/// Returns the second of a time; a part that began within a second counts from the
/// nearest one.
pub fn second(time: Duration) -> u32 {
    let half = INTERVAL / 2;
    let number = (time + half).as_nanos() / INTERVAL.as_nanos();
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Adds a histogram to the sum of its series.
pub fn add<K: Ord>(sums: &mut BTreeMap<K, Histogram<u64>>, of: K, histogram: &Histogram<u64>) {
    sums.entry(of)
        .or_insert_with(recorder::histogram)
        .add(histogram)
        .expect("the bounds of all histograms are the same: the log's reader sees to it");
}

impl Logs {
    /// Opens the logs of parts, each with its delay after the first.
    pub fn open(parts: &[(&Path, Duration)]) -> Result<Self, MergeError> {
        let open = |(dir, offset): &(&Path, Duration)| {
            let mut source = Source {
                dir: PathBuf::from(dir),
                reader: hdr_log::open(&dir.join(crate::result::directory::HISTOGRAM_FILE))?,
                next: None,
                offset: *offset,
                sum: Histograms::new(),
            };
            source.next = source.reader.next().transpose()?;
            Ok(source)
        };
        let sources = parts.iter().map(open).collect::<Result<_, MergeError>>()?;
        Ok(Self { sources })
    }

    /// Returns the next second with a measurement.
    pub fn next_second(&mut self) -> Result<Option<Second>, MergeError> {
        let first = self.sources.iter().filter_map(Source::second).min();
        let Some(number) = first else {
            return Ok(None);
        };
        let mut second = Second {
            number,
            length: Duration::ZERO,
            histograms: Histograms::new(),
        };
        for source in &mut self.sources {
            while source.second() == Some(number) {
                source.take(&mut second)?;
            }
        }
        Ok(Some(second))
    }

    /// Returns the sums of each part, complete once all has been read.
    pub fn sums(&self) -> impl Iterator<Item = &Histograms> {
        self.sources.iter().map(|source| &source.sum)
    }
}

impl Source {
    /// Returns the number of the second of the next interval.
    fn second(&self) -> Option<u32> {
        let next = self.next.as_ref()?;
        Some(second(next.start.saturating_add(self.offset)))
    }

    fn take(&mut self, into: &mut Second) -> Result<(), MergeError> {
        let next = self.reader.next().transpose()?;
        let Some(taken) = std::mem::replace(&mut self.next, next) else {
            return Ok(());
        };
        if self
            .next
            .as_ref()
            .is_some_and(|next| next.start < taken.start)
        {
            return Err(MergeError::Disorder {
                part: self.dir.clone(),
            });
        }
        into.length = into.length.max(taken.length);
        add(&mut into.histograms, taken.series, &taken.histogram);
        add(&mut self.sum, taken.series, &taken.histogram);
        Ok(())
    }
}
