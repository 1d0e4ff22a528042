//! What is best read as a table.

use maud::{Markup, html};

use super::latencies::Latencies;
use super::scale::Scale;
use super::svg::number;
use crate::human;
use crate::result::{OperationResult, PhaseResult, RunResult};

/// How many classes of errors are shown.
const SHOWN_ERRORS: usize = 50;

/// The figures of all operations, each with its range on a scale that they share.
pub fn operations(result: &RunResult, latencies: &Latencies) -> Markup {
    let values = result.operations.iter().filter(|figures| figures.count > 0);
    let values = values.flat_map(|figures| [figures.min_ns as f64, figures.max_ns as f64]);
    let scale = Scale::log(values);
    html! {
        div.wide role="region" aria-label="Latencies by operation" tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "operation" }
                        @for name in ["count", "errors", "mean", "p50", "p90", "p99", "p99.9", "max"] {
                            th.n scope="col" { (name) }
                        }
                        th scope="col" { "min to max" }
                    }
                }
                tbody {
                    @for figures in &result.operations { (operation(figures, scale)) }
                }
            }
        }
        @if !latencies.whole.is_empty() {
            p.why {
                "In the last column, on one logarithmic scale: from the smallest to the largest, thicker \
                 from the median to the 99th percentile."
            }
        }
    }
}

fn operation(figures: &OperationResult, scale: Scale) -> Markup {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean of unsigned numbers; such a cast saturates"
    )]
    let mean = figures.mean_ns.round() as u64;
    let times = [
        mean,
        figures.p50_ns,
        figures.p90_ns,
        figures.p99_ns,
        figures.p999_ns,
        figures.max_ns,
    ];
    html! {
        tr {
            th scope="row" { (figures.operation.name().replace('_', " ")) }
            td.n { (human::count(figures.count)) }
            td.n.bad[figures.errors > 0] { (human::count(figures.errors)) }
            @for ns in times {
                td.n { @if figures.count > 0 { (human::nanoseconds(ns)) } @else { "–" } }
            }
            td.range { @if figures.count > 0 { (range(figures, scale)) } }
        }
    }
}

fn range(figures: &OperationResult, scale: Scale) -> Markup {
    const WIDTH: f64 = 160.0;
    let place = |ns: u64| number(scale.place(ns as f64).unwrap_or(0.0) * WIDTH);
    let (min, p50) = (place(figures.min_ns), place(figures.p50_ns));
    let (p99, max) = (place(figures.p99_ns), place(figures.max_ns));
    html! {
        svg viewBox={ "-4 0 " (WIDTH + 8.0) " 12" } aria-hidden="true" {
            path.whisker d={ "M" (min) " 6L" (max) " 6" } {}
            path.box d={ "M" (p50) " 6L" (p99) " 6" } {}
            path.median d={ "M" (p50) " 1V11" } {}
        }
    }
}

/// The phases of an open loop.
pub fn phases(result: &RunResult) -> Markup {
    html! {
        @if !result.phases.is_empty() {
            h3 { "Phases" }
            div.wide role="region" aria-label="Phases" tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "phase" }
                            @for name in ["from", "for", "offered", "started", "pods", "p50", "p99", "max"] {
                                th.n scope="col" { (name) }
                            }
                        }
                    }
                    tbody { @for one in &result.phases { (phase(one)) } }
                }
            }
        }
    }
}

fn phase(phase: &PhaseResult) -> Markup {
    let pod = &phase.pod;
    html! {
        tr {
            th scope="row" { (phase.name) @if !phase.measured { " (not measured)" } }
            td.n { (format!("{:.0} s", phase.start_s)) }
            td.n { (format!("{:.0} s", phase.duration_s)) }
            td.n { (human::count(phase.offered)) }
            td.n.bad[phase.started < phase.offered] { (human::count(phase.started)) }
            td.n { (human::count(pod.count)) }
            @for ns in [pod.p50_ns, pod.p99_ns, pod.max_ns] {
                td.n { @if pod.count > 0 { (human::nanoseconds(ns)) } @else { "–" } }
            }
        }
    }
}

/// What failed, the most frequent first; nothing if nothing did.
pub fn errors(result: &RunResult) -> Markup {
    let more = result.errors.len().saturating_sub(SHOWN_ERRORS);
    html! {
        @if !result.errors.is_empty() {
            section aria-labelledby="errors" {
                h2 id="errors" { "Errors" }
                div.wide role="region" aria-label="Errors" tabindex="0" {
                    table {
                        thead {
                            tr {
                                th.n scope="col" { "count" }
                                th scope="col" { "operation" }
                                th scope="col" { "code" }
                                th scope="col" { "one of the messages" }
                            }
                        }
                        tbody {
                            @for error in result.errors.iter().take(SHOWN_ERRORS) {
                                tr {
                                    td.n { (human::count(error.count)) }
                                    td { (error.operation.name().replace('_', " ")) }
                                    td { (error.code) }
                                    td.message { (error.example) }
                                }
                            }
                        }
                    }
                }
                @if more > 0 { p.why { "And " (more) " more kinds, see result.json." } }
            }
        }
    }
}

/// How the figures came about, so that they can come about again.
pub fn how(result: &RunResult) -> Markup {
    let scenario = &result.scenario;
    let environment = &result.environment;
    let unknown = || "unknown".to_owned();
    let mut asked = vec![
        ("scenario", scenario.name.clone()),
        ("door", scenario.target.clone()),
        ("pods", human::count(scenario.pods)),
        ("connections", human::count(scenario.connections as u64)),
        ("threads", human::count(scenario.threads as u64)),
        ("time limit of a call", format!("{} s", scenario.timeout_s)),
        ("namespace", scenario.namespace.clone()),
        ("seed", scenario.seed.to_string()),
        ("plan hash", result.plan_hash.clone()),
    ];
    let given = [
        ("endpoint", scenario.endpoint.clone()),
        ("sandboxer", scenario.sandboxer.clone()),
        ("containerd", scenario.containerd.clone()),
        ("runtime handler", scenario.runtime_handler.clone()),
        ("image", scenario.image.clone()),
        (
            "sandboxer's arguments",
            Some(scenario.sandboxer_args.join(" ")),
        ),
    ];
    let given = given
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    asked.extend(given.filter(|(_, value)| !value.is_empty()));
    let machine = vec![
        ("CPU", environment.cpu_model.clone().unwrap_or_else(unknown)),
        ("cores", environment.cores.to_string()),
        (
            "memory",
            environment.memory_bytes.map_or_else(unknown, human::bytes),
        ),
        ("kernel", environment.kernel.clone()),
        ("architecture", environment.architecture.clone()),
        ("temporary files", environment.temporary_files.clone()),
        ("loadgen", result.tool_version.clone()),
        ("begun", result.started_at.clone()),
        ("measured for", format!("{:.2} s", result.wall_s)),
    ];
    html! {
        section aria-labelledby="how" {
            h2 id="how" { "How it was run" }
            pre tabindex="0" aria-label="Command line" { code { (command(&result.command_line)) } }
            div.how { (list("What was asked for", &asked)) (list("Where", &machine)) }
            @if !scenario.document.is_empty() {
                h3 { "Scenario" }
                pre tabindex="0" aria-label="Scenario" { code { (scenario.document.trim_end()) } }
            }
        }
    }
}

fn list(name: &str, pairs: &[(&str, String)]) -> Markup {
    html! {
        div {
            h3 { (name) }
            dl.pairs { @for (name, value) in pairs { dt { (name) } dd { (value) } } }
        }
    }
}

/// As a shell takes it.
fn command(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    let quoted = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let words = ["loadgen", "run", "--a=b", "it's $HOME", ""].map(str::to_owned);
        assert_eq!(command(&words), r"loadgen run --a=b 'it'\''s $HOME' ''");
    }
}
