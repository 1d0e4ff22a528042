//! Self times of the components of a node as text.

use std::fmt::{self, Write};

use crate::result::spans::{ComponentTime, SpansResult};
use display::columns;
use display::human;

/// Smallest share of a call that its table shows.
const LEAST_SHARE: f64 = 0.02;

const HEAD: [&str; 4] = ["component", "self time", "share", "95 % interval"];

/// Writes the self times of all calls of a pod, and those of each call.
///
/// # Errors
/// Those of `out`.
pub fn write(out: &mut String, spans: &SpansResult) -> fmt::Result {
    if spans.pods == 0 {
        return writeln!(
            out,
            "\nno spans: none of {} calls has a span of the server that answered it",
            human::count(spans.calls_without_spans)
        );
    }
    writeln!(
        out,
        "\nwhere the time of a pod's calls goes, over {} pods",
        human::count(spans.pods)
    )?;
    columns::write(out, &components(spans))?;
    let head = ["call", "component", "self time", "share of call"];
    let mut rows = vec![head.map(str::to_owned)];
    for call in &spans.calls {
        let name = call.operation.name().replace('_', " ");
        rows.push([
            name,
            "all".to_owned(),
            milliseconds(call.mean_ms * call.count as f64 / spans.pods as f64),
            String::new(),
        ]);
        let shown = call.components.iter();
        rows.extend(shown.filter(|time| time.share >= LEAST_SHARE).map(|time| {
            [
                String::new(),
                time.component.name().to_owned(),
                milliseconds(time.self_ms_per_pod),
                percent(time.share),
            ]
        }));
    }
    writeln!(out)?;
    columns::write(out, &rows)?;
    writeln!(
        out,
        "self times are per pod; a moment belongs to the deepest span that is open"
    )?;
    if spans.calls_without_spans > 0 {
        writeln!(
            out,
            "{} calls have no span of the server that answered them, and count nowhere here",
            human::count(spans.calls_without_spans)
        )?;
    }
    Ok(())
}

/// Returns the table of all calls of a pod by component. The first row is its head.
pub fn components(spans: &SpansResult) -> Vec<Vec<String>> {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    rows.extend(spans.components.iter().map(row));
    rows
}

fn row(time: &ComponentTime) -> Vec<String> {
    vec![
        time.component.name().to_owned(),
        milliseconds(time.self_ms_per_pod),
        percent(time.share),
        interval(time),
    ]
}

/// Formats the confidence interval.
pub fn interval(time: &ComponentTime) -> String {
    match (time.low, time.high) {
        (Some(low), Some(high)) => format!("{} to {}", milliseconds(low), milliseconds(high)),
        _ => "too few pods".to_owned(),
    }
}

/// Formats a time.
pub fn milliseconds(ms: f64) -> String {
    human::duration(ms * 1e6)
}

/// Formats a share in percent.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
