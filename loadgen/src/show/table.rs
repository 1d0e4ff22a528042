//! The result of a run as text.

use std::fmt::{self, Write};

use crate::record::operation::Operation;
use crate::result::cpu_profile::{CpuProfile, PROFILE_FILE};
use crate::result::lag;
use crate::result::{ErrorResult, FigureResult, HoldResult, OperationResult, RunResult};
use crate::show::spans;
use display::columns;
use display::human;

/// Maximum number of shown classes of errors; the others are in `result.json`.
const SHOWN_ERRORS: usize = 10;

/// Maximum number of shown packages of a CPU profile.
const SHOWN_PACKAGES: usize = 10;

const HEAD: [&str; 8] = [
    "operation",
    "count",
    "mean",
    "p50",
    "p90",
    "p99",
    "p99.9",
    "max",
];

/// Mark of a figure that is not valid.
const LATE: &str = "†";

/// Formats the latencies, totals, errors, and the reasons against the validity.
pub fn render(result: &RunResult) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, result);
    text
}

/// Formats the reasons against the validity; empty for a valid result.
pub fn problems(result: &RunResult) -> String {
    let mut text = String::new();
    let _ = write_problems(&mut text, result);
    text
}

fn write(out: &mut String, result: &RunResult) -> fmt::Result {
    latencies(out, result)?;
    totals(out, result)?;
    if let Some(profile) = &result.cpu_profile {
        packages(out, profile)?;
    }
    if let Some(spans) = &result.spans {
        spans::write(out, spans)?;
    }
    write_problems(out, result)
}

fn write_problems(out: &mut String, result: &RunResult) -> fmt::Result {
    if !result.errors.is_empty() {
        writeln!(out, "\nerrors")?;
        errors(out, &result.errors)?;
    }
    if !result.complete {
        writeln!(out, "\nPARTIAL: not every pod of the plan was run")?;
    }
    for reason in &result.reasons {
        writeln!(out, "not valid: {reason}")?;
    }
    Ok(())
}

fn row(result: &RunResult, operation: &OperationResult) -> Vec<String> {
    let name = operation.operation.name().replace('_', " ");
    let count = human::count(operation.count);
    let mut row = vec![name, count];
    if operation.count == 0 {
        row.resize(HEAD.len(), "-".to_owned());
    } else {
        let marked = |statistic, shown: String| {
            if lag::is_valid(&result.figures, operation.operation, statistic) {
                shown
            } else {
                shown + LATE
            }
        };
        row.extend([
            marked("mean", human::duration(operation.mean_ns)),
            marked("p50", human::nanoseconds(operation.p50_ns)),
            marked("p90", human::nanoseconds(operation.p90_ns)),
            marked("p99", human::nanoseconds(operation.p99_ns)),
            marked("p999", human::nanoseconds(operation.p999_ns)),
            marked("max", human::nanoseconds(operation.max_ns)),
        ]);
    }
    row
}

fn latencies(out: &mut String, result: &RunResult) -> fmt::Result {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    rows.extend(result.operations.iter().map(|figures| row(result, figures)));
    columns::write(out, &rows)?;
    late(out, result)
}

/// Explains the marks of the figures that are not valid.
fn late(out: &mut String, result: &RunResult) -> fmt::Result {
    let invalid = result.figures.iter().filter(|figure| !figure.valid);
    let shown = |figure: &FigureResult| {
        let operation = figure.operation.name().replace('_', " ");
        format!(
            "{operation} {} (at least {})",
            figure.statistic,
            human::duration(figure.least_ns)
        )
    };
    let invalid: Vec<_> = invalid.map(shown).collect();
    if invalid.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "{LATE} not valid: over a twentieth may be the generator's lag: {}",
        invalid.join(", ")
    )
}

/// Writes the median of a pod's time in this program's queue.
fn queue(out: &mut String, result: &RunResult) -> fmt::Result {
    let Some(pod) = result.wire_of(Operation::Pod) else {
        return Ok(());
    };
    writeln!(
        out,
        "queue      {} of a pod's median latency were in the generator ({:.0} %)",
        human::nanoseconds(pod.queue_ns),
        pod.queue_share() * 100.0,
    )
}

/// Writes the packages that used the CPU time of containerd.
fn packages(out: &mut String, profile: &CpuProfile) -> fmt::Result {
    let head = ["packages of containerd", "CPU time"];
    let mut rows = vec![head.map(str::to_owned)];
    let shown = profile.packages.iter().take(SHOWN_PACKAGES);
    rows.extend(shown.map(|one| [one.package.clone(), format!("{:.1} %", one.share * 100.0)]));
    writeln!(out)?;
    columns::write(out, &rows)?;
    writeln!(
        out,
        "of {:.2} s of sampled CPU time; go tool pprof {PROFILE_FILE}",
        profile.cpu_s
    )
}

/// Writes the resource usage while all pods were running.
fn held(out: &mut String, hold: &HoldResult) -> fmt::Result {
    writeln!(out, "all pods were running for {:.1} s", hold.duration_s)?;
    for process in &hold.processes {
        let kib = |bytes: f64| bytes / 1024.0;
        let interval = match (process.rss_low, process.rss_high) {
            (Some(low), Some(high)) => format!("{:+.1} to {:+.1}", kib(low), kib(high)),
            _ => "too few samples for an interval".to_owned(),
        };
        writeln!(
            out,
            "{:<10} {:.2} cores; in the second half {:.1} MiB resident, growing by {:.1} KiB/s \
             ({interval})",
            process.role,
            process.cpu_cores,
            process.rss_bytes / f64::from(1 << 20),
            kib(process.rss_bytes_per_s),
        )?;
    }
    Ok(())
}

fn totals(out: &mut String, result: &RunResult) -> fmt::Result {
    let totals = &result.totals;
    writeln!(
        out,
        "\n{} pods ({}), {} RPCs ({}) in {:.2} s; {} errors",
        human::count(totals.pods),
        human::rate(totals.pods_per_s),
        human::count(totals.rpcs),
        human::rate(totals.rpcs_per_s),
        result.wall_s,
        human::count(totals.errors),
    )?;
    if totals.pods_failed > 0 {
        writeln!(
            out,
            "{} pods failed, {} of them could not be removed",
            human::count(totals.pods_failed),
            human::count(totals.pods_left_behind),
        )?;
    }
    for process in &result.processes {
        let usage = &process.usage;
        let cpu_s = usage.cpu_user_s + usage.cpu_system_s;
        writeln!(
            out,
            "{:<10} {cpu_s:.2} s CPU ({:.2} user, {:.2} system), {} per pod, peak {} resident",
            process.role,
            usage.cpu_user_s,
            usage.cpu_system_s,
            per_pod(cpu_s, totals.pods + totals.pods_failed),
            human::bytes(usage.max_rss_bytes),
        )?;
    }
    for all in &result.cpu_of_all {
        writeln!(
            out,
            "{:<10} {:.2} s CPU {}, {} per pod",
            "all",
            all.cpu_s,
            all.accounting.name(),
            per_pod(all.cpu_s, totals.pods + totals.pods_failed),
        )?;
    }
    if let Some(hold) = &result.hold {
        held(out, hold)?;
    }
    queue(out, result)?;
    writeln!(
        out,
        "plan       {} (seed {})",
        result.plan_hash, result.scenario.seed
    )?;
    for note in &result.notes {
        writeln!(out, "note       {note}")?;
    }
    for remark in &result.remarks {
        writeln!(out, "remark     {remark}")?;
    }
    Ok(())
}

/// Formats seconds of CPU time per pod: `0.84 ms`.
pub fn per_pod(cpu_s: f64, pods: u64) -> String {
    if pods == 0 {
        return "-".to_owned();
    }
    format!("{:.2} ms", cpu_s * 1000.0 / pods as f64)
}

/// Writes one line for each class of failures.
///
/// # Errors
/// Errors of the writer.
pub fn errors(out: &mut impl Write, errors: &[ErrorResult]) -> fmt::Result {
    for error in errors.iter().take(SHOWN_ERRORS) {
        writeln!(
            out,
            "{:>9}  {}: {}: {}",
            human::count(error.count),
            error.operation.name().replace('_', " "),
            error.code,
            error.example,
        )?;
    }
    match errors.len().saturating_sub(SHOWN_ERRORS) {
        0 => Ok(()),
        more => writeln!(out, "           and {more} more kinds, see result.json"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    #[test]
    fn columns_are_aligned_and_in_human_units() {
        let text = render(&example());
        let lines: Vec<_> = text.lines().take(13).collect();
        let widths: Vec<_> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
        let create = lines.iter().find(|l| l.starts_with("task create")).unwrap();
        let cells: Vec<_> = create.split_whitespace().skip(2).collect();
        assert_eq!(
            cells,
            [
                "1,000", "501µs", "500µs", "900µs", "990µs", "999µs", "1.00ms"
            ]
        );
    }

    #[test]
    fn an_operation_without_successes_has_no_figures() {
        let text = render(&example());
        let line = text.lines().find(|l| l.starts_with("task kill")).unwrap();
        assert_eq!(
            line.split_whitespace().filter(|cell| *cell == "-").count(),
            6
        );
    }

    #[test]
    fn totals_errors_and_reasons_are_shown() {
        let text = render(&example());
        for part in [
            "1 pods (0.40/s), 1,000 RPCs (400/s) in 2.50 s; 3 errors",
            "3 pods failed, 0 of them",
            "sandboxer  0.75 s CPU (0.50 user, 0.25 system), 187.50 ms per pod, peak 20.0 MiB resident",
            "(seed 42)",
            "2  task state: WrongAnswer: pid is 2, Start said 3",
            "not valid: 3 errors",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(!text.contains("PARTIAL"));
    }

    #[test]
    fn times_on_the_wire_and_invalid_figures_are_shown() {
        let mut result = example();
        let told = result.operations.clone();
        let mut times = crate::record::recorder::histogram();
        times.record(9_000_000).unwrap();
        result.wire = crate::result::wire(&told, |operation| {
            (operation == Operation::Pod).then_some(&times)
        });
        result.figures = vec![FigureResult {
            operation: Operation::Pod,
            statistic: "p99".to_owned(),
            told_ns: 12e6,
            least_ns: 10e6,
            valid: false,
            reason: None,
        }];
        let text = render(&result);
        let pod = text.lines().find(|l| l.starts_with("pod  ")).unwrap();
        let cells: Vec<_> = pod.split_whitespace().skip(5).collect();
        assert_eq!(cells, ["12.0ms†", "12.0ms", "12.0ms"]);
        for part in [
            "generator's lag: pod p99 (at least 10.0ms)",
            "queue      3.00ms of a pod's median latency were in the generator (25 %)",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }

    #[test]
    fn a_partial_result_says_so() {
        let mut result = example();
        result.complete = false;
        assert!(render(&result).contains("PARTIAL"));
    }

    #[test]
    fn a_long_list_of_errors_is_cut() {
        let mut result = example();
        result.errors = vec![result.errors[0].clone(); 25];
        assert!(render(&result).contains("and 15 more kinds"));
    }
}
