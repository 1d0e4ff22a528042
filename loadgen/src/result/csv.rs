//! Writes the tables of a result as comma-separated values (RFC 4180), for spreadsheets.
//!
//! No cell needs quotes: each one is a number or the name of an operation. A cell without
//! a value is empty.

use std::io::{self, Write};

use crate::record::operation::Operation;
use crate::result::{Interval, OperationResult, RunResult};

/// Columns of `operations.csv`, which has a row for each operation in the order of a
/// lifecycle. Latencies are nanoseconds.
pub const OPERATIONS: [&str; 11] = [
    "operation",
    "count",
    "errors",
    "mean_ns",
    "min_ns",
    "p50_ns",
    "p90_ns",
    "p95_ns",
    "p99_ns",
    "p999_ns",
    "max_ns",
];

/// First columns of `timeline.csv`, which has a row for each second; `start_s` counts
/// from the beginning of the load. The columns [`LATENCIES`] of each operation follow.
pub const TIMELINE: [&str; 7] = [
    "start_s",
    "duration_s",
    "begun",
    "pods",
    "rpcs",
    "errors",
    "in_flight",
];

/// Columns of `timeline.csv` for each operation. Each is preceded by the name of the
/// operation and an underscore: `pod_p99_ns`. Latencies are nanoseconds.
pub const LATENCIES: [&str; 4] = ["count", "p50_ns", "p99_ns", "max_ns"];

/// Writes the figures of the operations of a run.
///
/// # Errors
/// Errors of the writer.
pub fn operations(result: &RunResult, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", OPERATIONS.join(","))?;
    for figures in &result.operations {
        let name = figures.operation.name();
        write!(out, "{name},{},{}", figures.count, figures.errors)?;
        if figures.count == 0 {
            writeln!(out, ",,,,,,,,")?;
            continue;
        }
        writeln!(
            out,
            ",{},{},{},{},{},{},{},{}",
            figures.mean_ns,
            figures.min_ns,
            figures.p50_ns,
            figures.p90_ns,
            figures.p95_ns.map_or_else(String::new, |ns| ns.to_string()),
            figures.p99_ns,
            figures.p999_ns,
            figures.max_ns,
        )?;
    }
    Ok(())
}

/// Writes the seconds of a run.
///
/// # Errors
/// Errors of the writer.
pub fn timeline(result: &RunResult, out: &mut impl Write) -> io::Result<()> {
    let operations = in_timeline(&result.timeline);
    write!(out, "{}", TIMELINE.join(","))?;
    for operation in &operations {
        for column in LATENCIES {
            write!(out, ",{}_{column}", operation.name())?;
        }
    }
    writeln!(out)?;
    for interval in &result.timeline {
        write!(
            out,
            "{},{},{},{},{},{},{}",
            interval.start_s,
            interval.duration_s,
            interval.begun,
            interval.pods,
            interval.rpcs,
            interval.errors,
            interval.in_flight,
        )?;
        for operation in &operations {
            let figures = interval
                .operations
                .iter()
                .find(|f| f.operation == *operation);
            latencies(figures, out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn latencies(figures: Option<&OperationResult>, out: &mut impl Write) -> io::Result<()> {
    match figures {
        Some(figures) if figures.count > 0 => write!(
            out,
            ",{},{},{},{}",
            figures.count, figures.p50_ns, figures.p99_ns, figures.max_ns
        ),
        _ => write!(out, ",0,,,"),
    }
}

/// Returns the operations that occur in any interval, in the order of [`Operation::ALL`].
fn in_timeline(timeline: &[Interval]) -> Vec<Operation> {
    let mut operations: Vec<_> = timeline
        .iter()
        .flat_map(|interval| &interval.operations)
        .map(|figures| figures.operation)
        .collect();
    operations.sort_unstable();
    operations.dedup();
    operations
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::result::fixture::example;

    /// Reads the rows as maps from the names of columns to cells.
    fn read(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Vec<BTreeMap<String, String>> {
        let mut text = Vec::new();
        write(&mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
        let names: Vec<_> = lines.next().unwrap().collect();
        let row = |cells: Vec<String>| {
            assert_eq!(cells.len(), names.len(), "{text}");
            names.iter().cloned().zip(cells).collect()
        };
        lines.map(|cells| row(cells.collect())).collect()
    }

    #[test]
    fn operations_read_back() {
        let result = example();
        let rows = read(|out| operations(&result, out));
        assert_eq!(rows.len(), result.operations.len());
        for (row, figures) in rows.iter().zip(&result.operations) {
            assert_eq!(row["operation"], figures.operation.name());
            assert_eq!(row["count"], figures.count.to_string());
            let p99 = Some(figures.p99_ns).filter(|_| figures.count > 0);
            assert_eq!(row["p99_ns"].parse().ok(), p99);
            let mean = Some(figures.mean_ns).filter(|_| figures.count > 0);
            assert_eq!(row["mean_ns"].parse().ok(), mean);
        }
    }

    #[test]
    fn the_timeline_reads_back() {
        let mut result = example();
        let mut quiet = result.timeline[0].clone();
        quiet.start_s = 1.0;
        quiet.operations.clear();
        result.timeline.push(quiet);
        let rows = read(|out| timeline(&result, out));
        let cells = |row: usize, column| &*rows[row][column];
        assert_eq!((cells(0, "start_s"), cells(1, "start_s")), ("0", "1"));
        assert_eq!((cells(0, "pods"), cells(0, "in_flight")), ("1", "4"));
        let max = result.timeline[0].operations[0].max_ns.to_string();
        assert_eq!(
            (cells(0, "pod_count"), cells(0, "pod_max_ns")),
            ("1", &*max)
        );
        assert_eq!((cells(1, "pod_count"), cells(1, "pod_max_ns")), ("0", ""));
    }

    #[test]
    fn a_run_without_a_timeline_has_a_head_only() {
        let mut result = example();
        result.timeline.clear();
        assert!(read(|out| timeline(&result, out)).is_empty());
    }
}
