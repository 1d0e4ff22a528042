//! Tables for a terminal and for a pull request.

use std::fmt::{self, Write};

use display::columns;
use display::human;
use rightsizing::{Amount, Bounds, Costs, Lack, Strategy, Summary};

use super::figures;
use super::plan::{Plan, Row};

/// Cell of an amount that is not stated or not known.
const NONE: &str = "-";

/// One resource of a container, ready to print.
struct Line {
    name: &'static str,
    usage: Option<Summary>,
    today: Amount,
    new: Amount,
    vpa: Option<Bounds>,
    krr: Result<i64, Lack>,
    answer: Result<i64, Lack>,
    saved: i64,
    of_usage: fn(i64) -> String,
    of_request: fn(i64) -> String,
}

fn lines(plan: &Plan, row: &Row) -> [Line; 2] {
    let (today, profile) = (plan.container(row).today, &row.profile);
    let replicas = plan.workload(row).replicas;
    [
        Line {
            name: "cpu",
            usage: profile.cpu_nanocores,
            today: today.cpu,
            new: row.new.cpu,
            vpa: profile.vpa_cpu,
            krr: profile.krr_cpu,
            answer: profile.cpu,
            saved: today.cpu.saved_by(row.new.cpu, replicas),
            of_usage: figures::nanocores,
            of_request: figures::cpu,
        },
        Line {
            name: "memory",
            usage: profile.memory_bytes,
            today: today.memory,
            new: row.new.memory,
            vpa: profile.vpa_memory,
            krr: profile.krr_memory,
            answer: profile.memory,
            saved: today.memory.saved_by(row.new.memory, replicas),
            of_usage: figures::memory,
            of_request: figures::memory,
        },
    ]
}

impl Line {
    fn usage(&self) -> Vec<String> {
        let Some(usage) = self.usage else {
            return vec!["0".to_owned(), "no usage".to_owned()];
        };
        let amounts = [usage.p50, usage.p90, usage.p95, usage.p99, usage.max];
        let points = human::count(usage.points as u64);
        let amounts = amounts.into_iter().map(self.of_usage);
        std::iter::once(points).chain(amounts).collect()
    }

    fn saved(&self) -> String {
        let sign = if self.saved < 0 { "-" } else { "" };
        let amount = (self.of_request)(self.saved.saturating_abs());
        format!("{sign}{amount}")
    }

    fn requests(&self) -> Vec<String> {
        let amount = |amount: Option<i64>| amount.map_or(NONE.to_owned(), self.of_request);
        let vpa = |of: fn(&Bounds) -> i64| amount(self.vpa.as_ref().map(of));
        vec![
            amount(self.today.request),
            amount(self.today.limit),
            vpa(|bounds| bounds.lower_bound),
            vpa(|bounds| bounds.target),
            vpa(|bounds| bounds.upper_bound),
            amount(self.krr.ok()),
            amount(self.new.request),
            amount(self.new.limit),
            self.saved(),
        ]
    }
}

/// Returns the tables for a terminal.
pub(super) fn text(plan: &Plan) -> Result<String, fmt::Error> {
    let mut out = String::new();
    writeln!(out, "{}\n{}\n", title(plan), times(plan))?;
    let blocks = |cells: fn(&Line) -> Vec<String>| -> Vec<_> {
        let rows = plan.rows.iter();
        rows.map(|row| {
            let lines = lines(plan, row).map(|line| (line.name, cells(&line)));
            (heading(plan, row), lines)
        })
        .collect()
    };
    writeln!(out, "Usage, by the time for which each sample holds")?;
    let header = ["points", "P50", "P90", "P95", "P99", "max"];
    write_blocks(&mut out, &header, &blocks(Line::usage))?;
    writeln!(out, "\nRequests and limits; new ones by {}", plan.strategy)?;
    let header = [
        "now", "limit", "vpa low", "target", "upper", "krr", "new", "limit", "saved",
    ];
    write_blocks(&mut out, &header, &blocks(Line::requests))?;
    writeln!(out, "\nRequested by all pods")?;
    columns::write(&mut out, &sums(plan))?;
    writeln!(out, "\n{}", back_test_title(plan))?;
    if plan.back_test.steps > 0 {
        columns::write(&mut out, &back_test(plan))?;
    }
    let notes = notes(plan);
    if !notes.is_empty() {
        writeln!(out)?;
    }
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    Ok(out)
}

/// Returns the tables for a pull request.
pub(super) fn markdown(plan: &Plan) -> Result<String, fmt::Error> {
    let mut out = String::new();
    writeln!(out, "### {}\n\n{}\n", title(plan), times(plan))?;
    write_markdown(&mut out, overview(plan).into_iter().map(Vec::from))?;
    writeln!(out, "\nRequested by all pods:\n")?;
    write_markdown(&mut out, sums(plan).into_iter().map(Vec::from))?;
    writeln!(out, "\n{}\n", back_test_title(plan))?;
    if plan.back_test.steps > 0 {
        write_markdown(&mut out, back_test(plan).into_iter().map(Vec::from))?;
    }
    let notes = notes(plan);
    if !notes.is_empty() {
        writeln!(out)?;
    }
    for note in notes {
        writeln!(out, "- {note}")?;
    }
    Ok(out)
}

/// Returns one line for each resource of each container, with a header.
pub(super) fn overview(plan: &Plan) -> Vec<[String; 10]> {
    let header = [
        "container",
        "resource",
        "P50",
        "P95",
        "max",
        "now",
        "VPA",
        "krr",
        "new",
        "saved",
    ];
    let rows = plan.rows.iter().flat_map(|row| {
        lines(plan, row).map(|line| {
            let usage = |of: fn(&Summary) -> i64| {
                let amount = line.usage.as_ref().map(of);
                amount.map_or(NONE.to_owned(), line.of_usage)
            };
            let request = |amount: Option<i64>| amount.map_or(NONE.to_owned(), line.of_request);
            [
                heading(plan, row),
                line.name.to_owned(),
                usage(|usage| usage.p50),
                usage(|usage| usage.p95),
                usage(|usage| usage.max),
                request(line.today.request),
                request(line.vpa.map(|bounds| bounds.target)),
                request(line.krr.ok()),
                request(line.new.request),
                line.saved(),
            ]
        })
    });
    std::iter::once(header.map(str::to_owned))
        .chain(rows)
        .collect()
}

/// Returns the first line of an answer.
pub(super) fn title(plan: &Plan) -> String {
    let days = plan.span.nanos() as f64 / 86_400e9;
    let several = |count: usize, noun: &str| {
        let plural = if count == 1 { "" } else { "s" };
        format!("{} {noun}{plural}", human::count(count as u64))
    };
    format!(
        "{} of {}, {} days of usage",
        several(plan.rows.len(), "container"),
        several(plan.usage.workloads.len(), "workload"),
        figures::three_digits(days),
    )
}

/// Returns the times of the first and the last sample.
pub(super) fn times(plan: &Plan) -> String {
    format!("{} to {}", plan.span.first, plan.span.last)
}

/// Returns the name of a container: `shop/Deployment/web, app (3 pods)`.
pub(super) fn heading(plan: &Plan, row: &Row) -> String {
    let (workload, container) = (plan.workload(row), plan.container(row));
    let pods = match workload.replicas {
        1 => "1 pod".to_owned(),
        count => format!("{} pods", human::count(count)),
    };
    format!("{}, {} ({pods})", workload.id, container.name)
}

/// Returns the table of sums, with its header.
pub(super) fn sums(plan: &Plan) -> [[String; 4]; 3] {
    let (before, after) = (plan.before, plan.after);
    let cores = |millicores: i128| figures::three_digits(millicores as f64 / 1e3);
    let gib = |bytes: i128| figures::three_digits(bytes as f64 / 1_073_741_824.0);
    [
        ["", "now", "new", "change"].map(str::to_owned),
        [
            "cores".to_owned(),
            cores(before.millicores),
            cores(after.millicores),
            figures::change(before.millicores, after.millicores),
        ],
        [
            "GiB".to_owned(),
            gib(before.bytes),
            gib(after.bytes),
            figures::change(before.bytes, after.bytes),
        ],
    ]
}

/// Returns the line above the table of the back-test.
pub(super) fn back_test_title(plan: &Plan) -> String {
    let test = &plan.back_test;
    let hours = figures::three_digits(test.step as f64 / 3.6e12);
    if test.steps == 0 {
        return format!("Back-test: not enough data for two steps of {hours} h (--step)");
    }
    format!(
        "Back-test: {} steps of {hours} h, each with the requests that the time before\n\
         suggests; core-hours and GiB-hours of {} container-hours",
        human::count(test.steps),
        figures::three_digits(test.nanos as f64 / 3.6e12)
    )
}

/// Returns the table of the back-test, with its header.
pub(super) fn back_test(plan: &Plan) -> Vec<[String; 8]> {
    let header = [
        "",
        "cpu over",
        "throttled",
        "unused",
        "mem over",
        "unused",
        "OOM",
        "no data",
    ];
    let rows = plan.back_test.costs.iter().map(|(strategy, costs)| {
        let Costs {
            cpu_above_request,
            cpu_throttled,
            cpu_wasted,
            memory_above_request,
            memory_wasted,
            oom_kills,
            without_answer,
        } = costs;
        let cores = |amount: &i128| figures::three_digits(figures::core_hours(*amount));
        let gib = |amount: &i128| figures::three_digits(figures::gib_hours(*amount));
        [
            strategy.to_string(),
            cores(cpu_above_request),
            cores(cpu_throttled),
            cores(cpu_wasted),
            gib(memory_above_request),
            gib(memory_wasted),
            human::count(*oom_kills),
            human::count(*without_answer),
        ]
    });
    std::iter::once(header.map(str::to_owned))
        .chain(rows)
        .collect()
}

/// Returns remarks: those of the plan, assumptions, and the containers without an answer.
pub(super) fn notes(plan: &Plan) -> Vec<String> {
    const MOST: usize = 10;
    let mut notes = plan.notes();
    notes.extend(plan.assumptions.iter().cloned());
    if plan.strategy == Strategy::Requested {
        return notes;
    }
    let mut lacks = plan.rows.iter().flat_map(|row| {
        lines(plan, row).into_iter().filter_map(move |line| {
            let lack = line.answer.err()?;
            Some(format!("{}, {}: {lack}", heading(plan, row), line.name))
        })
    });
    notes.extend(lacks.by_ref().take(MOST));
    match lacks.count() {
        0 => {}
        more => notes.push(format!(
            "{more} more without enough data (--json lists all)"
        )),
    }
    notes
}

type Block = (String, [(&'static str, Vec<String>); 2]);

/// Writes a table in which each container has a heading above its lines.
fn write_blocks(out: &mut String, header: &[&str], blocks: &[Block]) -> fmt::Result {
    let mut rows = vec![cells("", header.iter().map(ToString::to_string))];
    for (_, lines) in blocks {
        for (name, line) in lines {
            rows.push(cells(name, line.iter().cloned()));
        }
    }
    let mut table = String::new();
    columns::write(&mut table, &rows)?;
    let mut table = table.lines();
    writeln!(out, "  {}", table.next().unwrap_or_default())?;
    for (heading, lines) in blocks {
        writeln!(out, "{heading}")?;
        for _ in lines {
            writeln!(out, "  {}", table.next().unwrap_or_default())?;
        }
    }
    Ok(())
}

fn cells(first: &str, rest: impl Iterator<Item = String>) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(rest).collect()
}

/// Writes a table of Markdown; the first row is the header.
fn write_markdown(out: &mut String, rows: impl Iterator<Item = Vec<String>>) -> fmt::Result {
    for (place, row) in rows.enumerate() {
        let row: Vec<_> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        writeln!(out, "| {} |", row.join(" | "))?;
        if place == 0 {
            let rule = ["---:"].repeat(row.len().saturating_sub(1)).join(" | ");
            writeln!(out, "| --- | {rule} |")?;
        }
    }
    Ok(())
}
