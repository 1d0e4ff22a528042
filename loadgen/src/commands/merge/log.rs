//! The histograms of all parts, second by second.

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

/// A part's log, as far as it has been read.
struct Source {
    dir: PathBuf,
    reader: LogReader<BufReader<File>>,
    next: Option<IntervalOf>,
    /// How much later than the first part it began.
    offset: Duration,
    sum: Histograms,
}

/// All parts' logs, read side by side, so that one second of them is in memory.
pub struct Logs {
    sources: Vec<Source>,
}

/// What all parts measured in the same second.
pub struct Second {
    /// Its number, from the beginning of the first part.
    pub number: u32,
    /// How long it was.
    pub length: Duration,
    /// The sums of all parts' histograms.
    pub histograms: Histograms,
}

/// The second that a time is in; a part that began half-way through one counts
/// from the nearest.
pub fn second(time: Duration) -> u32 {
    let half = INTERVAL / 2;
    let number = (time + half).as_nanos() / INTERVAL.as_nanos();
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Adds a histogram to that of the same series.
pub fn add<K: Ord>(sums: &mut BTreeMap<K, Histogram<u64>>, of: K, histogram: &Histogram<u64>) {
    sums.entry(of)
        .or_insert_with(recorder::histogram)
        .add(histogram)
        .expect("the bounds of all histograms are the same: the log's reader sees to it");
}

impl Logs {
    /// Opens the logs of parts that began so much later than the first.
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

    /// The next second of which there is something.
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

    /// What each part measured in all, once all has been read.
    pub fn sums(&self) -> impl Iterator<Item = &Histograms> {
        self.sources.iter().map(|source| &source.sum)
    }
}

impl Source {
    /// The second of what comes next.
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
