//! Resource usage of the processes, over time and in total.

use maud::{Markup, html};

use super::timeline::{end_s, shade_warm_up};
use crate::process::Sample;
use crate::result::{HoldResult, ProcessResult, RunResult};
use display::human;
use display::scale::Scale;
use display::svg::{Axis, Chart, Style, plain};

const MIB: f64 = 1_048_576.0;

/// Maximum number of samples on a line.
const MOST_SAMPLES: usize = 240;

/// Renders charts and a table; for a run without samples, the table alone.
pub fn section(result: &RunResult) -> Markup {
    let sampled = result
        .processes
        .iter()
        .any(|process| process.samples.len() > 1);
    html! {
        @if sampled {
            div.charts {
                (chart(result, "CPU", "cores", cores))
                (chart(result, "Resident memory", "MiB", |s| of(s, |s| Some(s.rss_bytes as f64 / MIB))))
                (chart(result, "Open files", "descriptors", |s| of(s, |s| Some(s.fds? as f64))))
                (chart(result, "Threads", "threads", |s| of(s, |s| Some(s.threads as f64))))
            }
        }
        (table(result))
        @if let Some(hold) = &result.hold { (held(hold)) }
    }
}

/// Describes the usage while all pods were running.
fn held(hold: &HoldResult) -> Markup {
    html! {
        p.why {
            (format!("All pods were running for {:.1} s, while containers ended and were started again.", hold.duration_s))
            @for process in &hold.processes {
                " " (format!(
                    "{} used {:.2} cores, and in the second half grew by {:.1} KiB/s of {:.1} MiB.",
                    process.role,
                    process.cpu_cores,
                    process.rss_bytes_per_s / 1024.0,
                    process.rss_bytes / MIB,
                ))
            }
        }
    }
}

type Points = Vec<(f64, Option<f64>)>;

/// Returns some of the samples, with the first and the last.
fn thinned(samples: &[Sample]) -> Vec<&Sample> {
    let step = samples.len().div_ceil(MOST_SAMPLES).max(1);
    let mut kept: Vec<_> = samples.iter().step_by(step).collect();
    if samples.len() % step != 1 && step > 1 {
        kept.extend(samples.last());
    }
    kept
}

fn of(samples: &[Sample], value: impl Fn(&Sample) -> Option<f64>) -> Points {
    let kept = thinned(samples).into_iter();
    kept.map(|sample| (sample.at_s, value(sample))).collect()
}

/// Computes the cores in use between each pair of successive samples.
fn cores(samples: &[Sample]) -> Points {
    let between = |pair: &[&Sample]| {
        let [before, after] = pair else { return None };
        let time = after.at_s - before.at_s;
        // Two samples at almost the same time differ by rounding only.
        let used = (after.cpu_s - before.cpu_s).max(0.0);
        let middle = f64::midpoint(before.at_s, after.at_s);
        (time > 0.2).then_some((middle, Some(used / time)))
    };
    thinned(samples).windows(2).filter_map(between).collect()
}

fn chart(
    result: &RunResult,
    caption: &str,
    unit: &str,
    points: impl Fn(&[Sample]) -> Points,
) -> Markup {
    let lines: Vec<_> = result
        .processes
        .iter()
        .map(|process| (&*process.role, points(&process.samples)))
        .collect();
    let values = || {
        lines
            .iter()
            .flat_map(|(_, points)| points)
            .filter_map(|(_, value)| *value)
    };
    let y = Axis::new(unit, Scale::linear(values()), 5, |tick| plain(tick, ""));
    let most = |(role, points): &(&str, Points)| {
        let most = points
            .iter()
            .filter_map(|(_, value)| *value)
            .fold(0.0, f64::max);
        format!("{role}: at most {} {unit}.", plain(most, ""))
    };
    let summary: Vec<_> = lines.iter().map(most).collect();
    let looks = result.processes.iter().flat_map(|process| &process.samples);
    // The last sample is later than the end.
    let end = looks.fold(end_s(result), |end, look| end.max(look.at_s));
    let mut chart = Chart::new(caption, summary.join(" "), Axis::time(end), y);
    shade_warm_up(&mut chart, result);
    for (number, (role, points)) in lines.into_iter().enumerate() {
        // The line of loadgen itself is muted, behind the lines of the servers.
        let style = if role.starts_with("loadgen") {
            Style::MUTED
        } else {
            Style(number)
        };
        chart.line(style, role, points);
    }
    chart.render()
}

fn table(result: &RunResult) -> Markup {
    let pods = result.totals.pods.saturating_add(result.totals.pods_failed);
    html! {
        div.wide role="region" aria-label="Resource usage of the processes" tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "process" }
                        th.n scope="col" { "CPU" }
                        th.n scope="col" { "user" }
                        th.n scope="col" { "system" }
                        th.n scope="col" { "CPU per pod" }
                        th.n scope="col" { "peak memory" }
                        th.n scope="col" { "waits" }
                        th.n scope="col" { "preempted" }
                    }
                }
                tbody { @for process in &result.processes { (row(process, pods)) } }
            }
        }
    }
}

fn row(process: &ProcessResult, pods: u64) -> Markup {
    let usage = &process.usage;
    let cpu_s = usage.cpu_user_s + usage.cpu_system_s;
    html! {
        tr {
            th scope="row" { (process.role) }
            td.n { (format!("{cpu_s:.2} s")) }
            td.n { (format!("{:.2} s", usage.cpu_user_s)) }
            td.n { (format!("{:.2} s", usage.cpu_system_s)) }
            td.n {
                @if pods > 0 { (format!("{:.2} ms", cpu_s * 1000.0 / pods as f64)) } @else { "–" }
            }
            td.n { (human::bytes(usage.max_rss_bytes)) }
            td.n { (human::count(usage.voluntary_ctx_switches)) }
            td.n { (human::count(usage.involuntary_ctx_switches)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::HeldProcess;

    fn samples(number: u32) -> Vec<Sample> {
        let of = |second: u32| Sample {
            at_s: f64::from(second),
            cpu_s: f64::from(second) * 0.5,
            rss_bytes: 1 << 20,
            pss_bytes: None,
            threads: 1,
            fds: None,
            ctx_switches: 0,
            read_bytes: None,
            write_bytes: None,
        };
        (0..number).map(of).collect()
    }

    #[test]
    fn cores_are_the_cpu_time_between_samples() {
        let points = cores(&samples(3));
        assert_eq!(points, [(0.5, Some(0.5)), (1.5, Some(0.5))]);
        assert_eq!(cores(&samples(1)), []);
    }

    #[test]
    fn a_hold_is_described() {
        let hold = HoldResult {
            start_s: 1.0,
            duration_s: 60.0,
            processes: vec![HeldProcess {
                role: "runtime".to_owned(),
                cpu_cores: 0.25,
                rss_bytes: 10.0 * MIB,
                rss_bytes_per_s: 2048.0,
                rss_low: None,
                rss_high: None,
            }],
        };
        let said = held(&hold).into_string();
        let cores = "runtime used 0.25 cores, and in the second half grew by 2.0 KiB/s of 10.0 MiB";
        assert!(said.contains(cores), "{said}");
    }

    #[test]
    fn a_long_run_keeps_its_first_and_last_sample() {
        for number in [1, 2, 240, 241, 1000, 3601] {
            let samples = samples(number);
            let kept = thinned(&samples);
            assert!(kept.len() <= MOST_SAMPLES + 1, "{number}");
            assert_eq!(kept[0].at_s.to_bits(), 0.0_f64.to_bits());
            assert_eq!(kept.last().copied(), samples.last(), "{number}");
        }
    }
}
