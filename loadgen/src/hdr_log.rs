//! Histograms in the HdrHistogram interval log format, which tools in every
//! language read (<https://hdrhistogram.github.io/HdrHistogram/>).

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use crate::operation::Operation;
use crate::recorder::Recorder;

/// The log's readable maxima are in milliseconds, as is its custom.
const MAX_VALUE_DIVISOR: f64 = 1_000_000.0;

/// Writes every operation that was measured as one interval, tagged with its
/// name, in the V2 compressed encoding. Values are nanoseconds.
///
/// # Errors
/// Whatever the writer says.
pub fn write(
    out: &mut impl Write,
    recorder: &Recorder,
    started: SystemTime,
    wall: Duration,
) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("[Logged by loadgen: latencies in nanoseconds, one tag per operation]")
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(MAX_VALUE_DIVISOR)
        .begin_log_with(out, &mut serializer)?;
    for operation in Operation::ALL {
        let histogram = recorder.histogram(operation);
        if !histogram.is_empty() {
            log.write_histogram(histogram, Duration::ZERO, wall, Tag::new(operation.name()))
                .map_err(|error| match error {
                    IntervalLogWriterError::IoError(error) => error,
                    other @ IntervalLogWriterError::SerializeError(_) => {
                        io::Error::other(other.to_string())
                    }
                })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {

    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;

    /// Base64 as the log has it, decoded without a crate of its own.
    fn decoded(text: &str) -> Vec<u8> {
        const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bytes = Vec::new();
        let (mut bits, mut count) = (0_u32, 0);
        for digit in text.bytes().filter(|digit| *digit != b'=') {
            let value = DIGITS.iter().position(|d| *d == digit).unwrap();
            bits = bits << 6 | u32::try_from(value).unwrap();
            count += 6;
            if count >= 8 {
                count -= 8;
                bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
            }
        }
        bytes
    }

    #[test]
    fn a_log_reads_back_to_the_same_histograms() {
        let mut recorder = Recorder::default();
        for n in 1..=1000 {
            recorder.success(Operation::TaskCreate, Duration::from_micros(n));
            recorder.success(Operation::Pod, Duration::from_millis(n));
        }
        let wall = Duration::from_millis(1500);
        let mut log = Vec::new();
        write(&mut log, &recorder, SystemTime::now(), wall).unwrap();

        let mut seen = Vec::new();
        for entry in IntervalLogIterator::new(&log) {
            let LogEntry::Interval(interval) = entry.unwrap() else {
                continue;
            };
            let bytes = decoded(interval.encoded_histogram());
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &*bytes).unwrap();
            let tag = interval.tag().unwrap().as_str().to_owned();
            let operation = Operation::try_from(tag).unwrap();
            assert_eq!(&histogram, recorder.histogram(operation));
            assert_eq!(interval.duration(), wall);
            seen.push(operation);
        }
        assert_eq!(seen, [Operation::TaskCreate, Operation::Pod]);
    }
}
