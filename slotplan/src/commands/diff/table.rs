//! Tables of `slotplan diff`.

use std::fmt::{self, Write};

use cost::{Money, Resource, WorkloadCost};
use display::columns;
use inventory::Assumption;

use super::Compared;

/// Writes an amount with its sign.
pub(super) fn signed(money: Money) -> String {
    let text = money.rounded(2);
    if text.starts_with('-') {
        text
    } else {
        format!("+{text}")
    }
}

/// Writes the change of a count or amount with its sign and three decimals at most; nothing if
/// there is none.
fn change(before: f64, after: f64) -> String {
    let change = after - before;
    let text = format!("{change:+.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "+0" | "-0" | "+" | "-" => String::new(),
        text => text.to_owned(),
    }
}

fn amount(cost: &WorkloadCost, resource: Resource) -> f64 {
    cost.requested[resource] as f64 / resource.priced() as f64
}

/// Returns the changes of pods, cores, GiB and graphics processors.
fn changes(before: &WorkloadCost, after: &WorkloadCost) -> [String; 4] {
    let [cpu, memory, gpu] =
        Resource::ALL.map(|resource| change(amount(before, resource), amount(after, resource)));
    [
        change(before.pods as f64, after.pods as f64),
        cpu,
        memory,
        gpu,
    ]
}

/// Returns the one line that tells the change.
pub(super) fn headline(compared: &Compared) -> String {
    let (before, after) = (compared.before.per_month, compared.after.per_month);
    let percent = compared
        .percent()
        .map_or(String::new(), |percent| format!(" ({percent:+.1}%)"));
    let mut line = format!(
        "{} {} a month{percent}: {} to {}",
        signed(after - before),
        compared.currency,
        before.rounded(2),
        after.rounded(2)
    );
    if compared.has_pods {
        let names = ["pods", "cores", "GiB", "GPUs"];
        for (change, name) in changes(&compared.before, &compared.after).iter().zip(names) {
            if !change.is_empty() {
                let _ = write!(line, ", {change} {name}");
            }
        }
    }
    let stops = compared.stops_fitting().count();
    if stops > 0 {
        let _ = write!(line, "; {stops} workloads stop fitting");
    }
    line
}

pub(super) fn head(compared: &Compared) -> Vec<String> {
    let mut head = vec!["workload", ""];
    if compared.has_pods {
        head.extend(["pods", "cores", "GiB", "GPUs"]);
    }
    head.extend(["a month", "change"]);
    head.into_iter().map(str::to_owned).collect()
}

/// Returns the rows of workloads, and the number of those that are left out.
pub(super) fn rows(compared: &Compared) -> (Vec<Vec<String>>, usize) {
    let all = compared.changes.len();
    let top = if compared.top == 0 { all } else { compared.top };
    let row = |change: &cost::Change| {
        let (before, after) = (
            change.before.unwrap_or_default(),
            change.after.unwrap_or_default(),
        );
        let mut row = vec![change.workload.clone(), change.name().to_owned()];
        if compared.has_pods {
            row.extend(changes(&before, &after));
        }
        row.push(after.per_month.rounded(2));
        row.push(signed(change.per_month()));
        row
    };
    let rows = compared.changes.iter().take(top).map(row).collect();
    (rows, all.saturating_sub(top))
}

/// Returns the lines about nodes.
fn nodes(compared: &Compared) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((before, after)) = &compared.provisioned {
        lines.push(format!(
            "nodes cost {} {} a month ({})",
            after.rounded(2),
            compared.currency,
            signed(*after - *before)
        ));
    }
    if let Some((before, after)) = &compared.fit {
        lines.push(format!(
            "pods are on {} of {} nodes (before: {} of {})",
            after.used, after.nodes, before.used, before.nodes
        ));
        lines.push(format!(
            "{} pods are on no node (before: {})",
            after.without_node(),
            before.without_node()
        ));
    }
    lines
}

/// Returns the tables for a terminal.
///
/// # Errors
/// None that is known.
pub fn text(compared: &Compared, assumptions: &[Assumption]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{}", headline(compared))?;
    for exceeded in &compared.exceeded {
        writeln!(text, "exceeded: {exceeded}")?;
    }
    let (rows, left) = rows(compared);
    writeln!(text)?;
    if rows.is_empty() {
        writeln!(text, "no workload changes")?;
    } else {
        let mut all = vec![head(compared)];
        all.extend(rows);
        columns::write(&mut text, &all)?;
    }
    if left > 0 {
        writeln!(text, "and {left} more (--top 0 shows all)")?;
    }
    let nodes = nodes(compared);
    if !nodes.is_empty() {
        writeln!(text)?;
    }
    for line in nodes {
        writeln!(text, "{line}")?;
    }
    for (workload, before, after, message) in compared.stops_fitting() {
        writeln!(
            text,
            "{workload}: {after} pods do not fit (before: {before}): {message}"
        )?;
    }
    for (place, assumption) in assumptions.iter().enumerate() {
        let blank = if place == 0 { "\n" } else { "" };
        writeln!(text, "{blank}assumed: {}", assumption.0)?;
    }
    Ok(text)
}

/// Returns the comment for a pull request: one headline, the table of workloads, the pods that
/// no longer fit.
///
/// # Errors
/// None that is known.
pub fn markdown(compared: &Compared, assumptions: &[Assumption]) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "**{}**", headline(compared))?;
    for exceeded in &compared.exceeded {
        writeln!(text, "\n**Exceeded:** {exceeded}")?;
    }
    let (rows, left) = rows(compared);
    if rows.is_empty() {
        writeln!(text, "\nNo workload changes.")?;
    } else {
        let head = head(compared);
        writeln!(text)?;
        line(&mut text, &head)?;
        writeln!(text, "| --- | --- |{}", " ---: |".repeat(head.len() - 2))?;
        for row in &rows {
            line(&mut text, row)?;
        }
    }
    if left > 0 {
        writeln!(text, "\nand {left} more workloads")?;
    }
    let stops: Vec<_> = compared.stops_fitting().collect();
    if !stops.is_empty() {
        writeln!(text, "\n**No longer fits:**\n")?;
    }
    for (workload, before, after, message) in stops {
        writeln!(
            text,
            "- `{workload}`: {after} pods (before: {before}): {message}"
        )?;
    }
    let nodes = nodes(compared);
    if !nodes.is_empty() {
        writeln!(text)?;
    }
    for line in nodes {
        writeln!(text, "- {line}")?;
    }
    if !assumptions.is_empty() {
        writeln!(text, "\n<details><summary>Assumed</summary>\n")?;
        for assumption in assumptions {
            writeln!(text, "- {}", assumption.0)?;
        }
        writeln!(text, "\n</details>")?;
    }
    Ok(text)
}

/// Writes a row of a table; a bar in a cell would end the cell.
fn line(text: &mut String, cells: &[String]) -> fmt::Result {
    write!(text, "|")?;
    for cell in cells {
        write!(text, " {} |", cell.replace('|', "\\|"))?;
    }
    writeln!(text)
}
