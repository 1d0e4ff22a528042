//! Compares runs in a table in Markdown.

use std::fmt::{self, Write};

use crate::record::operation::Operation;
use crate::result::environment::Environment;
use crate::result::lag;
use crate::result::{OperationResult, RunResult};
use crate::show::table;
use display::human;

/// Mark of a figure that is not valid.
const LATE: &str = "†";

const HEAD: &str = "\
| scenario | pods | offered | ended | pod start p50 | p99 | pod p50 | p99 | sandboxer's CPU per pod | its memory at most | errors |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
";

/// Returns a table with a row for each run, followed by the machines.
pub fn table(runs: &[RunResult]) -> String {
    let mut text = HEAD.to_owned();
    // Writing to a string cannot fail.
    let _ = write(&mut text, runs);
    text
}

fn write(out: &mut String, runs: &[RunResult]) -> fmt::Result {
    for run in runs {
        row(out, run)?;
    }
    if runs
        .iter()
        .any(|run| run.figures.iter().any(|one| !one.valid))
    {
        writeln!(
            out,
            "\n{LATE} Over a twentieth of this figure may be the generator's lag."
        )?;
    }
    for run in runs {
        if let Some(pod) = run.wire_of(Operation::Pod) {
            writeln!(
                out,
                "\n{}: {} of the pods' median latency were in the generator's queue ({:.0} %).",
                escaped(&run.scenario.name),
                human::nanoseconds(pod.queue_ns),
                pod.queue_share() * 100.0,
            )?;
        }
    }
    let mut seen: Vec<&Environment> = Vec::new();
    for run in runs {
        let environment = &run.environment;
        if !seen.contains(&environment) {
            seen.push(environment);
            writeln!(out, "\n{}", machine(run))?;
        }
    }
    Ok(())
}

fn row(out: &mut String, run: &RunResult) -> fmt::Result {
    let operation = |wanted: Operation| {
        let mut operations = run.operations.iter();
        operations.find(|found| found.operation == wanted && found.count > 0)
    };
    let start = operation(Operation::PodStart);
    let pod = operation(Operation::Pod);
    let time = |pod: Option<&OperationResult>, of: fn(&OperationResult) -> u64, name| {
        let shown = |pod: &OperationResult| {
            let valid = lag::is_valid(&run.figures, pod.operation, name);
            human::nanoseconds(of(pod)) + if valid { "" } else { LATE }
        };
        pod.map_or_else(|| "–".to_owned(), shown)
    };
    let offered = run.load.offered_pods_per_s;
    let sandboxer = run.processes.iter().find(|p| p.role == "sandboxer");
    let cpu = sandboxer.map(|process| {
        let cpu_s = process.usage.cpu_user_s + process.usage.cpu_system_s;
        table::per_pod(cpu_s, run.totals.pods + run.totals.pods_failed)
    });
    let memory = sandboxer.map(|process| human::bytes(process.usage.max_rss_bytes));
    let name = escaped(&run.scenario.name);
    let valid = if run.valid && run.complete {
        ""
    } else {
        " (not valid)"
    };
    writeln!(
        out,
        "| {name}{valid} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        human::count(run.totals.pods),
        offered.map_or_else(|| "–".to_owned(), human::rate),
        human::rate(run.totals.pods_per_s),
        time(start, |pod| pod.p50_ns, "p50"),
        time(start, |pod| pod.p99_ns, "p99"),
        time(pod, |pod| pod.p50_ns, "p50"),
        time(pod, |pod| pod.p99_ns, "p99"),
        cpu.unwrap_or_else(|| "–".to_owned()),
        memory.unwrap_or_else(|| "–".to_owned()),
        human::count(run.totals.errors),
    )
}

fn machine(run: &RunResult) -> String {
    let environment = &run.environment;
    let cpu = environment.cpu_model.as_deref().unwrap_or("unknown CPU");
    let memory = environment.memory_bytes.map_or_else(
        || "unknown memory".to_owned(),
        |bytes| format!("{} of memory", human::bytes(bytes)),
    );
    let date = run
        .header
        .started_at
        .get(..10)
        .unwrap_or(&run.header.started_at);
    format!(
        "{} cores ({}), {memory}, {}, files on {}; loadgen {}, {}.",
        environment.cores,
        escaped(cpu),
        escaped(&environment.kernel),
        escaped(&environment.temporary_files),
        escaped(&run.header.tool_version),
        escaped(date),
    )
}

/// Escapes the characters that have a meaning in a cell of a table.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace(['\n', '\r'], " ")
        .replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    #[test]
    fn each_run_is_a_row_and_each_machine_a_line() {
        let mut other = example();
        other.scenario.name = "a|b".to_owned();
        let text = table(&[example(), other.clone()]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        let cells = lines[0].matches('|').count();
        assert_eq!(lines[2].matches('|').count(), cells, "{text}");
        assert!(lines[3].starts_with("| a\\|b"), "{text}");
        assert!(lines[2].contains("187.50 ms | 20.0 MiB | 3 |"), "{text}");
        other.environment.cores += 1;
        assert_eq!(table(&[example(), other]).lines().count(), 8);
    }
}
