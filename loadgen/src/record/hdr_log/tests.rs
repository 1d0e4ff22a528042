//! Tests that written logs can be read, here and by the crate hdrhistogram, and that
//! other files are recognised.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use proptest::prelude::*;

use super::*;
use crate::record::operation::Operation;
use crate::record::recorder;

fn of(values: impl IntoIterator<Item = u64>) -> Histogram<u64> {
    let mut histogram = recorder::histogram();
    for value in values {
        histogram.saturating_record(value);
    }
    histogram
}

fn started() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123)
}

fn log(intervals: &[IntervalOf]) -> Vec<u8> {
    let mut writer = LogWriter::new(Vec::new(), started()).unwrap();
    for interval in intervals {
        let IntervalOf { start, length, .. } = *interval;
        let histograms = [(interval.series, &interval.histogram)];
        writer.interval(start, length, histograms).unwrap();
    }
    writer.finish().unwrap()
}

fn example() -> Vec<IntervalOf> {
    (0..4)
        .map(|n| IntervalOf {
            start: Duration::from_secs(n),
            length: Duration::from_millis(1000 - n * 100),
            series: if n == 0 {
                Series::WarmUp(Operation::Pod)
            } else {
                Series::Measured(Operation::TaskCreate)
            },
            histogram: of((1..=100).map(|value| value * 12_345 * (n + 1))),
        })
        .collect()
}

fn read_bytes(bytes: &[u8]) -> Result<Vec<IntervalOf>, LogError> {
    LogReader::new(Path::new("a.hlog"), bytes)?.collect()
}

/// Returns the whole message of the error from reading these bytes.
fn refused(bytes: &[u8]) -> String {
    let error = read_bytes(bytes).unwrap_err();
    format!("{:#}", anyhow::Error::from(error))
}

#[test]
fn the_hdrhistogram_crate_reads_the_same_histograms() {
    let written = example();
    let log = log(&written);
    let entries = IntervalLogIterator::new(&log).map(Result::unwrap);
    let mut read = Vec::new();
    for entry in entries {
        let LogEntry::Interval(interval) = entry else {
            continue;
        };
        let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
        read.push(IntervalOf {
            start: interval.start_timestamp(),
            length: interval.duration(),
            series: interval.tag().unwrap().as_str().parse().unwrap(),
            histogram: Deserializer::new().deserialize(&mut &*bytes).unwrap(),
        });
    }
    assert_eq!(read, written);
}

#[test]
fn a_log_knows_its_start_and_its_end() {
    let written = example();
    let bytes = log(&written);
    let reader = LogReader::new(Path::new("a.hlog"), &*bytes).unwrap();
    assert_eq!(reader.started(), Some(started()));
    assert_eq!(reader.map(Result::unwrap).collect::<Vec<_>>(), written);
    assert_eq!(read_bytes(&log(&[])).unwrap(), []);
}

#[test]
fn a_file_that_is_no_log_is_refused() {
    for bytes in [
        &b""[..],
        b"\n",
        b"{\"schema\": 2}\n",
        b"\x7fELF\0\0",
        b"#[H",
    ] {
        assert!(refused(bytes).contains("no HdrHistogram log"), "{bytes:?}");
    }
}

#[test]
fn a_log_of_another_program_is_recognised() {
    let head = "#[Histogram log format version 1.3]\n";
    let untagged = format!("{head}0.127,1.007,2.769,HISTFAAA\n");
    let message = refused(untagged.as_bytes());
    assert!(
        message.contains("line 2 is not loadgen's: it has no tag"),
        "{message}"
    );
    let tagged = format!("{head}Tag=GET,0.127,1.007,2.769,HISTFAAA\n");
    let message = refused(tagged.as_bytes());
    assert!(message.contains("\"GET\""), "{message}");
}

#[test]
fn wherever_a_log_is_cut_off_it_is_noticed() {
    let bytes = log(&example());
    for end in 0..bytes.len() {
        let message = refused(&bytes[..end]);
        assert!(message.starts_with("read a.hlog: "), "{message}");
        let told = message.contains("cut off") || end < FORMAT.len();
        assert!(told, "{end} of {}: {message}", bytes.len());
    }
    let mut without_end = bytes;
    let last = without_end.len() - 2;
    let end = without_end[..last].iter().rposition(|b| *b == b'\n');
    without_end.truncate(end.unwrap() + 1);
    let message = refused(&without_end);
    assert!(
        message.contains("cut off after line 10: 4 intervals"),
        "{message}"
    );
}

#[test]
fn a_log_of_version_1_needs_no_end() {
    let text = String::from_utf8(log(&example())).unwrap();
    let older: String = text
        .lines()
        .filter(|line| *line != WRITER && !line.starts_with(END))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(read_bytes(older.as_bytes()).unwrap(), example());
}

#[test]
fn a_malformed_line_is_named_with_what_is_wrong() {
    let text = String::from_utf8(log(&example())).unwrap();
    for (from, to, told) in [
        (
            "Tag=task_create,1.000,",
            "Tag=task_create,soon,",
            "line 8 is malformed: its start",
        ),
        (
            "Tag=task_create,1.000,",
            "Tag=task_create,-1.000,",
            "its start",
        ),
        (
            "Tag=task_create,1.000,",
            "Tag=task_create,NaN,",
            "its start",
        ),
        ("Tag=task_create,1.000,", "", "Tag=NAME"),
        ("HISTFAAA", "HISTF!AA", "no base64"),
        ("HISTFAAA", "GISTFAAA", "V2 compressed"),
        ("HISTFAAA", "HISTFAAB", "its head says"),
        (
            "BaseTime: 1",
            "BaseTime: x",
            "line 4 is malformed: its BaseTime",
        ),
        ("entries: 4", "entries: 5", "4 are there"),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        let message = refused(text.replacen(from, to, 1).as_bytes());
        assert!(message.contains(told), "{from} to {to}: {message}");
    }
}

#[test]
fn a_histogram_of_other_bounds_is_refused() {
    let mut other = Histogram::<u64>::new_with_bounds(1, u64::MAX, 5).unwrap();
    other.record(1 << 50).unwrap();
    let mut writer = LogWriter::new(Vec::new(), started()).unwrap();
    let second = Duration::from_secs(1);
    writer
        .interval(second, second, [(Operation::Pod, &other)])
        .unwrap();
    let message = refused(&writer.finish().unwrap());
    assert!(
        message.contains("must be of 3 digits from 1 to"),
        "{message}"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("latencies.hlog");
    assert!(
        read(&path)
            .unwrap_err()
            .to_string()
            .contains("latencies.hlog")
    );
    fs::write(&path, log(&example())).unwrap();
    assert_eq!(read(&path).unwrap(), example());
}

fn interval() -> impl Strategy<Value = IntervalOf> {
    let series = prop_oneof![
        proptest::sample::select(&Operation::ALL[..]).prop_map(Series::Measured),
        proptest::sample::select(&Operation::ALL[..]).prop_map(Series::WarmUp),
        Just(Series::Lag),
        (0..1000_usize).prop_map(Series::Phase),
    ];
    let values = proptest::collection::vec(1..4_000_000_000_000_u64, 1..20);
    (0..10_000_000_u64, 0..100_000_u64, series, values).prop_map(
        |(start, length, series, values)| IntervalOf {
            start: Duration::from_millis(start),
            length: Duration::from_millis(length),
            series,
            histogram: of(values),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn written_intervals_are_read_back(intervals in proptest::collection::vec(interval(), 0..6)) {
        prop_assert_eq!(read_bytes(&log(&intervals)).unwrap(), intervals);
    }

    #[test]
    fn damage_is_an_error_or_changes_nothing_in_a_histogram(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let written = example();
        let mut bytes = log(&written);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = read_bytes(&bytes) {
            let written: Vec<_> = written.iter().map(|one| &one.histogram).collect();
            let read: Vec<_> = read.iter().map(|one| &one.histogram).collect();
            prop_assert_eq!(read, written);
        }
    }
}
