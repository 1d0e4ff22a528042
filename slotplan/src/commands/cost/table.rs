//! Tables of `slotplan cost`.

use std::cmp::Reverse;
use std::fmt::{self, Write};

use cost::{Group, GroupKind, Money};
use display::columns;

use super::Shown;

/// Returns the groups in the order of tables: containers by cost, the dearest first, then idle and
/// shared costs; and the number of groups that are left out.
pub fn ordered<'a>(shown: &Shown<'a>) -> (Vec<&'a Group>, usize) {
    let mut groups: Vec<_> = shown.grouped.groups.iter().collect();
    groups.sort_by_key(|group| (group.kind, Reverse(group.total())));
    let containers = groups
        .iter()
        .filter(|group| group.kind == GroupKind::Containers)
        .count();
    let left = match shown.top {
        0 => 0,
        top => containers.saturating_sub(top),
    };
    let top = containers - left;
    groups.drain(top..containers);
    (groups, left)
}

/// Returns the number of decimals with which amounts of this size are shown.
pub fn decimals(largest: Money) -> u32 {
    match largest.to_f64() {
        100.0.. => 2,
        1.0..100.0 => 4,
        _ => 6,
    }
}

fn head(shown: &Shown) -> Vec<String> {
    let by: Vec<_> = shown.by.iter().map(ToString::to_string).collect();
    let mut head = vec![by.join("/")];
    head.extend(["cpu", "memory", "gpu", "shared", "total"].map(str::to_owned));
    if !shown.estimate.is_projection {
        head.push("a month".to_owned());
    }
    if shown.has_usage {
        head.push("used".to_owned());
    }
    head
}

fn row(shown: &Shown, group: &Group, decimals: u32) -> Vec<String> {
    let amount = |money: Money| {
        if money.is_zero() {
            "-".to_owned()
        } else {
            money.rounded(decimals)
        }
    };
    let mut row = vec![group.key.clone()];
    row.extend(
        [
            group.cost.cpu,
            group.cost.memory,
            group.cost.gpu,
            group.shared,
        ]
        .map(amount),
    );
    row.push(group.total().rounded(decimals));
    if !shown.estimate.is_projection {
        row.push(shown.per_month(group.total()).rounded(2));
    }
    if shown.has_usage {
        row.push(match group.kind {
            GroupKind::Containers => format!("{:.1}%", group.efficiency() * 100.0),
            GroupKind::Idle | GroupKind::Shared => "-".to_owned(),
        });
    }
    row
}

/// Returns the sums: name, cost in the window, in an hour and in a month.
pub fn sums(shown: &Shown) -> Vec<(String, Money)> {
    let (estimate, grouped) = (shown.estimate, shown.grouped);
    let mut sums = vec![("allocated".to_owned(), grouped.allocated.total())];
    if !grouped.idle.total().is_zero() {
        sums.push(("idle".to_owned(), grouped.idle.total()));
    }
    if !grouped.overhead.is_zero() {
        sums.push(("overhead".to_owned(), grouped.overhead));
    }
    sums.push(("total".to_owned(), grouped.total()));
    let nodes = estimate.nodes.len();
    if nodes > 0 {
        let name = format!("provisioned ({nodes} nodes)");
        sums.push((name, estimate.provisioned().total()));
    }
    if let Some(cheapest) = shown.cheapest {
        let nodes = cheapest.nodes.iter();
        let nodes: Vec<_> = nodes
            .map(|(shape, count)| format!("{count} x {shape}"))
            .collect();
        let name = format!("cheapest nodes ({})", nodes.join(", "));
        sums.push((name, cheapest.per_hour.over(estimate.window.nanoseconds())));
    }
    sums
}

/// Writes the sums in columns.
fn sum_rows(shown: &Shown) -> Vec<Vec<String>> {
    let mut rows = vec![vec![
        String::new(),
        "an hour".to_owned(),
        "a month".to_owned(),
    ]];
    for (name, amount) in sums(shown) {
        let (hour, month) = (shown.per_hour(amount), shown.per_month(amount));
        rows.push(vec![name, hour.rounded(6), month.rounded(2)]);
    }
    rows
}

/// Returns the verdict on the budget, and the amounts.
pub fn budget(shown: &Shown) -> Option<(&'static str, String)> {
    let budget = shown.budget?.rounded(2);
    let total = shown.per_month(shown.grouped.total()).rounded(2);
    let verdict = if shown.is_over_budget() {
        "over budget"
    } else {
        "within budget"
    };
    let currency = &shown.estimate.currency;
    Some((verdict, format!("{total} of {budget} {currency} a month")))
}

/// Returns the tables for a terminal.
///
/// # Errors
/// None that is known.
pub fn text(shown: &Shown) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let estimate = shown.estimate;
    writeln!(text, "{} for {}\n", estimate.currency, shown.period())?;
    let (groups, left) = ordered(shown);
    let decimals = decimals(shown.grouped.total());
    let mut rows = vec![head(shown)];
    rows.extend(groups.iter().map(|group| row(shown, group, decimals)));
    columns::write(&mut text, &rows)?;
    if left > 0 {
        writeln!(text, "and {left} more (--top 0 shows all)")?;
    }
    writeln!(text)?;
    columns::write(&mut text, &sum_rows(shown))?;
    if let Some((verdict, amounts)) = budget(shown) {
        writeln!(text, "\n{verdict}: {amounts}")?;
    }
    for (place, assumption) in shown.assumptions.iter().enumerate() {
        let blank = if place == 0 { "\n" } else { "" };
        writeln!(text, "{blank}assumed: {}", assumption.0)?;
    }
    Ok(text)
}

/// Returns the tables for a pull request.
///
/// # Errors
/// None that is known.
pub fn markdown(shown: &Shown) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let estimate = shown.estimate;
    let total = shown.grouped.total();
    writeln!(
        text,
        "**{} {} a month** ({} an hour), for {}\n",
        shown.per_month(total).rounded(2),
        estimate.currency,
        shown.per_hour(total).rounded(6),
        shown.period()
    )?;
    if let Some((verdict, amounts)) = budget(shown) {
        writeln!(text, "{verdict}: {amounts}\n")?;
    }
    let (groups, left) = ordered(shown);
    let decimals = decimals(total);
    let head = head(shown);
    let width = head.len();
    table_line(&mut text, &head)?;
    writeln!(text, "| --- |{}", " ---: |".repeat(width - 1))?;
    for group in groups {
        table_line(&mut text, &row(shown, group, decimals))?;
    }
    if left > 0 {
        writeln!(text, "\nand {left} more")?;
    }
    writeln!(text)?;
    for assumption in shown.assumptions {
        writeln!(text, "- assumed: {}", assumption.0)?;
    }
    Ok(text)
}

/// Writes a row of a table in Markdown; a bar in a cell would end the cell.
fn table_line(text: &mut String, cells: &[String]) -> fmt::Result {
    write!(text, "|")?;
    for cell in cells {
        write!(text, " {} |", cell.replace('|', "\\|"))?;
    }
    writeln!(text)
}
