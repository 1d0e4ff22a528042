//! Tests that another implementation of HdrHistogram reads the logs.

use std::fmt::Write;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use loadgen::record::hdr_log::{self, LogWriter, Series};
use loadgen::record::operation::Operation;
use loadgen::record::recorder;

/// Variable that makes the other implementation a requirement, as in CI.
const REQUIRED: &str = "REQUIRE_PYTHON_HDR";

/// Returns the Python with hdrhistogram that `scripts/python-hdr` finds. Without one,
/// prints that the test is skipped and returns `None`, or panics if it is required.
fn python() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/python-hdr");
    let output = Command::new(script).output().expect("the script runs");
    if output.status.success() {
        let path = String::from_utf8(output.stdout).expect("a path is text");
        return Some(PathBuf::from(path.trim_end()));
    }
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(
        std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, and there is no Python with hdrhistogram: {why}"
    );
    eprintln!("SKIPPED: no Python with hdrhistogram to read logs with: {why}");
    None
}

fn of(values: impl Iterator<Item = u64>) -> Histogram<u64> {
    let mut histogram = recorder::histogram();
    values.for_each(|value| histogram.record(value).expect("within an hour"));
    histogram
}

#[test]
fn another_implementation_reads_the_same() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("latencies.hlog");
    let mut log = LogWriter::new(File::create(&path).unwrap(), SystemTime::now()).unwrap();
    for second in 0..5 {
        let slow = of((1..=1000).map(|n| n * 1_234_567 * (second + 1)));
        let fast = of((1..=50).map(|n| n * n * n));
        let histograms = [
            (Series::Measured(Operation::Pod), &slow),
            (Series::WarmUp(Operation::TaskKill), &fast),
            (Series::Lag, &fast),
        ];
        let start = Duration::from_secs(second);
        let length = Duration::from_millis(1000 - second);
        log.interval(start, length, histograms).unwrap();
    }
    log.finish().unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_hlog.py");
    let output = Command::new(python)
        .arg(script)
        .arg(&path)
        .output()
        .unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    let mut expected = String::new();
    for interval in hdr_log::read(&path).unwrap() {
        let histogram = &interval.histogram;
        writeln!(
            expected,
            "{} {} {} {} {} {} {}",
            interval.series,
            interval.start.as_millis(),
            interval.length.as_millis(),
            histogram.len(),
            histogram.value_at_quantile(0.5),
            histogram.value_at_quantile(0.99),
            histogram.max(),
        )
        .unwrap();
    }
    assert_eq!(expected.lines().count(), 15);
    assert_eq!(found, expected);
}
