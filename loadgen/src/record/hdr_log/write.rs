//! Writes a log during a run.
//!
//! The interval log writer of the crate `hdrhistogram` is not used for two reasons. It
//! borrows its output and its serializer for its whole lifetime, so no structure can hold
//! a writer together with its output and add one interval per second. And it writes no
//! legend line. The crate's serializer is used, and a test reads the output with the
//! crate's reader.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2DeflateSerializer};

use super::series::Series;
use super::{END, FORMAT, WRITER};

/// Divisor of the maxima that the log shows in plain text: in milliseconds, by convention
/// of the format.
const MAX_VALUE_DIVISOR: f64 = 1_000_000.0;

/// Writes intervals as they arrive, in the V2 compressed encoding. Values are
/// nanoseconds; times have milliseconds, by convention of the format.
#[derive(Debug)]
pub struct LogWriter<W: Write> {
    out: W,
    serializer: Serializing,
    written: u64,
}

/// Serializer and buffers that are used again for every line.
#[derive(Default)]
struct Serializing {
    serializer: V2DeflateSerializer,
    bytes: Vec<u8>,
    line: String,
}

impl std::fmt::Debug for Serializing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serializing").finish_non_exhaustive()
    }
}

impl<W: Write> LogWriter<W> {
    /// Writes the head of the log. Its times count from `started`.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn new(mut out: W, started: SystemTime) -> io::Result<Self> {
        let since_epoch = started
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let started = seconds(since_epoch);
        writeln!(out, "{FORMAT}1.3]")?;
        writeln!(out, "{WRITER}")?;
        writeln!(out, "#[StartTime: {started} (seconds since epoch)]")?;
        writeln!(out, "#[BaseTime: {started} (seconds since epoch)]")?;
        writeln!(out, "#[MaxValueDivisor: {MAX_VALUE_DIVISOR:.3}]")?;
        writeln!(
            out,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
        )?;
        Ok(Self {
            out,
            serializer: Serializing::default(),
            written: 0,
        })
    }

    /// Writes the histograms of one interval, except for empty ones. `start` counts from
    /// the start of the log, and intervals must be written in the order of their starts.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn interval<'a, S: Into<Series>>(
        &mut self,
        start: Duration,
        length: Duration,
        histograms: impl IntoIterator<Item = (S, &'a Histogram<u64>)>,
    ) -> io::Result<()> {
        let Serializing {
            serializer,
            bytes,
            line,
        } = &mut self.serializer;
        let (start, length) = (seconds(start), seconds(length));
        for (series, histogram) in histograms {
            if histogram.is_empty() {
                continue;
            }
            bytes.clear();
            line.clear();
            serializer
                .serialize(histogram, bytes)
                .map_err(|error| io::Error::other(error.to_string()))?;
            STANDARD.encode_string(&bytes, line);
            let max = histogram.max() as f64 / MAX_VALUE_DIVISOR;
            let series = series.into();
            writeln!(self.out, "Tag={series},{start},{length},{max:.3},{line}")?;
            self.written += 1;
        }
        Ok(())
    }

    /// Writes the end of the log, from which a reader knows that the log is complete.
    ///
    /// # Errors
    /// Errors of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        writeln!(self.out, "{END}{}]", self.written)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Formats a time as seconds with milliseconds.
fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}
