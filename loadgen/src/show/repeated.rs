//! The summary of repeated runs as text.

use std::fmt::{self, Write};

use crate::result::machine_spread::FigureSpread;
use crate::result::repeated::RepeatedResult;
use display::output::{Form, Output};

const HEAD: [&str; 5] = ["figure", "median", "lowest", "highest", "spread"];

/// Formats the median and spread of each figure, and the problems.
pub fn render(summary: &RepeatedResult, form: Form) -> String {
    let mut out = Output::new(form);
    // Writing to a string cannot fail.
    let _ = write(&mut out, summary);
    out.finish()
}

/// Formats the reasons against the validity; empty for valid runs.
pub fn problems(summary: &RepeatedResult) -> String {
    let mut out = Output::new(Form::Text);
    let _ = write_problems(&mut out, summary);
    out.finish()
}

fn write(out: &mut Output, summary: &RepeatedResult) -> fmt::Result {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(summary.figures.iter().map(row));
    out.table(&rows)?;
    writeln!(
        out,
        "\n{} runs; the spread is the standard deviation between them",
        summary.runs.len()
    )?;
    write_problems(out, summary)
}

fn write_problems(out: &mut Output, summary: &RepeatedResult) -> fmt::Result {
    for reason in &summary.reasons {
        out.line(format_args!("not valid: {reason}"))?;
    }
    Ok(())
}

fn row(figure: &FigureSpread) -> [String; 5] {
    let name = &figure.figure;
    let values = figure.values.iter().copied();
    let lowest = values.clone().fold(f64::INFINITY, f64::min);
    let highest = values.fold(0.0, f64::max);
    [
        name.words(),
        name.shown(figure.median),
        name.shown(lowest),
        name.shown(highest),
        percent(figure.spread),
    ]
}

/// Formats a share in percent, to one digit.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    #[test]
    fn each_figure_has_its_median_and_spread() {
        let runs = [1.0, 1.5].map(|factor| {
            let mut run = example();
            run.totals.pods_per_s *= factor;
            run
        });
        let summary = RepeatedResult::of(Vec::new(), 2, &runs).unwrap();
        let text = render(&summary, Form::Text);
        let row = text
            .lines()
            .find(|line| line.starts_with("pods per second"));
        // The deviation of two values is their difference by the root of two.
        assert!(row.unwrap().ends_with("28.7 %"), "{text}");
        assert!(text.contains("2 runs; the spread"), "{text}");
        assert!(problems(&summary).contains("not valid: run 2: 3 errors"));
    }
}
