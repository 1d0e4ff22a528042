//! Tables for a terminal and for a pull request.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use capacity::money;
use display::{columns, human};

use super::document::{Document, Losses, Mixture, Nowhere, Shape, ShownWay};

/// Number of pods that are listed one by one.
const LISTED: usize = 10;

/// Returns the answer in one line.
pub fn headline(document: &Document) -> String {
    if let [nowhere, ..] = &document.nowhere[..] {
        let pods: usize = document.nowhere.iter().map(|nowhere| nowhere.pods).sum();
        return match pods {
            1 => format!("{} fits on no node: {}", nowhere.pod, nowhere.message),
            pods => format!(
                "{} pods fit on no node, such as {}",
                count(pods),
                nowhere.pod
            ),
        };
    }
    let best = document
        .shapes
        .iter()
        .filter(|shape| shape.nowhere.is_empty())
        .filter_map(|shape| Some((shape, shape.nodes?)))
        .min_by_key(|(shape, nodes)| (cost(shape, *nodes), *nodes));
    if let Some(line) = document
        .mixture
        .as_ref()
        .and_then(|mixture| mixed(mixture, best))
    {
        return line;
    }
    let Some((shape, nodes)) = best else {
        return "no number of nodes holds the load".to_owned();
    };
    let word = match (document.existing_nodes > 0, nodes) {
        (true, 1) => "more node",
        (true, _) => "more nodes",
        (false, 1) => "node",
        (false, _) => "nodes",
    };
    let hold = if nodes == 1 { "holds" } else { "hold" };
    let price = cost(shape, nodes).map(|cost| format!(" for {} an hour", money(cost)));
    let price = price.unwrap_or_default();
    match document.max_nodes {
        Some(most) if nodes > most => format!(
            "{} {word} of {} are needed, but only {most} allowed",
            count(nodes),
            shape.name
        ),
        _ => format!(
            "{} {word} of {} {hold} the {} pods{price}{}",
            count(nodes),
            shape.name,
            count(document.pods),
            would_do(shape, nodes),
        ),
    }
}

/// Returns the answer in one line if a mixture costs less than nodes of one shape.
fn mixed(mixture: &Mixture, alone: Option<(&Shape, usize)>) -> Option<String> {
    let scheduled = mixture.scheduled.as_ref()?;
    let of_alone = alone.and_then(|(shape, nodes)| cost(shape, nodes));
    of_alone.is_none_or(|cost| scheduled.cost < cost).then(|| {
        let all = named(&scheduled.nodes);
        format!(
            "{all} hold the load for {} an hour",
            scheduled.cost_per_hour
        )
    })
}

/// Tells of a smaller number of nodes than the answer.
fn would_do(shape: &Shape, nodes: usize) -> String {
    let fewest = shape
        .ways
        .iter()
        .filter_map(|way| way.nodes)
        .min()
        .unwrap_or(nodes);
    match (shape.peak.is_some(), shape.bounds.optimum) {
        (false, Some(optimum)) if optimum < nodes => format!("; {} would do", count(optimum)),
        _ if fewest < nodes => format!("; {} would do", count(fewest)),
        _ => String::new(),
    }
}

fn cost(shape: &Shape, nodes: usize) -> Option<i128> {
    let nodes = i128::try_from(nodes).ok()?;
    Some(shape.price?.saturating_mul(nodes))
}

/// Returns what would save nodes, one sentence each.
pub fn savings(shape: &Shape) -> Vec<String> {
    let mut all = Vec::new();
    let Some(chosen) = shape.ways.first() else {
        return all;
    };
    let Some(nodes) = chosen.nodes else {
        return all;
    };
    let of_chosen = |way: &ShownWay| (way.order == "over time") == (chosen.order == "over time");
    for way in shape.ways.iter().skip(1).filter(|way| of_chosen(way)) {
        if let Some(fewer) = way.nodes.filter(|fewer| *fewer < nodes) {
            let strategy = format!("{} instead of {}", way.strategy, chosen.strategy);
            let order = format!("pods created {}", way.order);
            let changes = [
                (way.strategy != chosen.strategy).then_some(strategy),
                (way.order != chosen.order).then_some(order),
            ];
            let changes: Vec<_> = changes.into_iter().flatten().collect();
            all.push(format!(
                "{}: {} nodes, {} fewer",
                changes.join(" and "),
                count(fewer),
                count(nodes - fewer)
            ));
        }
    }
    if chosen.order == "as listed" {
        match shape.bounds.optimum {
            Some(optimum) if optimum == nodes => {
                all.push(format!("nothing: {} nodes are optimal", count(nodes)));
            }
            Some(optimum) => all.push(format!("{} nodes are optimal", count(optimum))),
            None => {}
        }
    }
    all
}

/// Writes the tables for a terminal.
pub fn text(document: &Document) -> Result<String, fmt::Error> {
    let mut out = String::new();
    writeln!(out, "{}", headline(document))?;
    writeln!(out, "{}", document.scheduler)?;
    for shape in &document.shapes {
        writeln!(out)?;
        if document.shapes.len() > 1 {
            writeln!(out, "{}", shape.name)?;
        }
        columns::write(&mut out, &rows(shape))?;
        notes(&mut out, shape)?;
    }
    if let Some(mixture) = &document.mixture {
        writeln!(out)?;
        for line in mixture_lines(mixture) {
            writeln!(out, "{line}")?;
        }
    }
    if !document.header.assumptions.is_empty() {
        writeln!(out, "\nassumed")?;
        for assumption in &document.header.assumptions {
            writeln!(out, "  {assumption}")?;
        }
    }
    Ok(out)
}

/// Returns the table of the numbers of nodes.
pub fn rows(shape: &Shape) -> Vec<Vec<String>> {
    let has_price = shape.price.is_some();
    let mut head = vec!["strategy, order".to_owned(), "nodes".to_owned()];
    if has_price {
        head.push("an hour".to_owned());
    }
    head.push(String::new());
    let mut rows = vec![head];
    let mut add = |name: String, nodes: Option<usize>, note: &str| {
        let mut row = vec![name, nodes.map_or("never".to_owned(), count)];
        if has_price {
            let cost = nodes.and_then(|nodes| cost(shape, nodes));
            row.push(cost.map(money).unwrap_or_default());
        }
        row.push(note.to_owned());
        rows.push(row);
    };
    for way in &shape.ways {
        let note = if way.proven || way.nodes.is_none() {
            ""
        } else {
            "at most"
        };
        let at_once = if shape.peak.is_some() && way.order != "over time" {
            "all at once, "
        } else {
            ""
        };
        let name = format!("{}, {at_once}{}", way.strategy, way.order);
        add(name, way.nodes, note);
    }
    if let Some(peak) = &shape.peak {
        add(
            "sum of requests at the peak".to_owned(),
            Some(peak.sum_bound),
            "bound",
        );
    }
    let bounds = &shape.bounds;
    match (bounds.optimum, bounds.packing, bounds.lower) {
        (Some(optimum), ..) => add("best packing of all".to_owned(), Some(optimum), "proven"),
        (None, Some(packing), Some(lower)) => {
            add("packing of all by size".to_owned(), Some(packing), "");
            add("bound".to_owned(), Some(lower), "bound");
        }
        _ => {}
    }
    if let Some(sum) = bounds.sum {
        add("sum of all requests".to_owned(), Some(sum), "bound");
    }
    rows
}

fn notes(out: &mut String, shape: &Shape) -> fmt::Result {
    let savings = savings(shape);
    if !savings.is_empty() {
        writeln!(out, "\nto save nodes")?;
        for saving in savings {
            writeln!(out, "  {saving}")?;
        }
    }
    let facts = facts(shape);
    if !facts.is_empty() {
        writeln!(out)?;
        columns_left(out, &facts)?;
    }
    if !shape.nowhere.is_empty() {
        writeln!(out, "\nfit on no node of {}", shape.name)?;
        for nowhere in shape.nowhere.iter().take(LISTED) {
            writeln!(out, "  {}", refused(nowhere))?;
        }
        if shape.nowhere.len() > LISTED {
            writeln!(
                out,
                "  and {} more kinds",
                count(shape.nowhere.len() - LISTED)
            )?;
        }
    }
    for way in &shape.ways {
        if let Some(nowhere) = &way.refused {
            writeln!(
                out,
                "\n{}, {}: {}",
                way.strategy,
                way.order,
                refused(nowhere)
            )?;
        }
    }
    Ok(())
}

fn columns_left(out: &mut String, rows: &[(String, String)]) -> fmt::Result {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    for (name, value) in rows {
        writeln!(out, "{name:<width$}  {value}")?;
    }
    Ok(())
}

/// Returns what holds on the planned nodes: names and values.
pub fn facts(shape: &Shape) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    if !shape.daemons.is_empty() {
        add("each node runs", shape.daemons.join(", "));
    }
    if let Some(peak) = &shape.peak {
        let at = peak
            .at
            .as_deref()
            .map_or("the start".to_owned(), to_the_second);
        add("peak", format!("{} pods at {at}", count(peak.pods)));
    }
    let Some(placed) = &shape.placed else {
        return facts;
    };
    let share = |share: f64| format!("{:.0} %", share * 100.0);
    let requested = placed.requested_share;
    add(
        "requested",
        format!(
            "{} of CPU, {} of memory",
            share(requested.cpu),
            share(requested.memory)
        ),
    );
    if placed.left_over > 0 {
        add(
            "without a node",
            format!(
                "{} pods on {} nodes",
                count(placed.left_over),
                count(placed.nodes)
            ),
        );
    }
    if let Some(time) = &placed.over_time {
        add(
            "most nodes in use",
            format!(
                "{} at {}",
                count(time.high_water_nodes),
                to_the_second(&time.high_water_at)
            ),
        );
        let waited = match time.waited_pods {
            0 => "no pod waits".to_owned(),
            pods => format!(
                "{} pods wait, the longest {:.0} s",
                count(pods),
                time.longest_wait_seconds
            ),
        };
        add("waiting", waited);
    }
    add("if one node goes", loss(&placed.loss_of_nodes));
    if let Some(zones) = &placed.loss_of_zones {
        add("if one zone goes", loss(zones));
    }
    if let Some(more) = &placed.more {
        add(
            "room for more",
            format!("{} of {}", count(more.pods), more.workload),
        );
    }
    facts
}

fn loss(losses: &Losses) -> String {
    match losses.worst.first() {
        _ if losses.tried == 0 => "not tried for so many nodes".to_owned(),
        None => "every pod fits elsewhere".to_owned(),
        Some(worst) => format!(
            "{} of {} break something, the worst {}: {} of {} pods fit nowhere",
            count(losses.broken),
            count(losses.tried),
            worst.lost,
            count(worst.homeless),
            count(worst.pods)
        ),
    }
}

fn refused(nowhere: &Nowhere) -> String {
    match nowhere.pods {
        1 => format!("{}: {}", nowhere.pod, nowhere.message),
        pods => format!(
            "{} pods such as {}: {}",
            count(pods),
            nowhere.pod,
            nowhere.message
        ),
    }
}

/// Returns numbers of nodes with their shapes.
fn named(nodes: &BTreeMap<String, usize>) -> String {
    let used = nodes.iter().filter(|(_, count)| **count > 0);
    let named: Vec<_> = used
        .map(|(name, nodes)| format!("{} of {name}", count(*nodes)))
        .collect();
    named.join(" and ")
}

/// Returns the lines about a mixture of shapes.
pub fn mixture_lines(mixture: &Mixture) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(scheduled) = &mixture.scheduled {
        lines.push(format!(
            "mixed: {} for {} an hour, by {} and {}",
            named(&scheduled.nodes),
            scheduled.cost_per_hour,
            scheduled.strategy,
            scheduled.order
        ));
    }
    lines.push(format!(
        "best packing found: {} for {} an hour, {} % above the bound {}",
        named(&mixture.packing),
        mixture.packing_cost_per_hour,
        mixture.gap_percent,
        mixture.lower_bound_per_hour
    ));
    lines
}

/// Writes the tables for a pull request.
pub fn markdown(document: &Document) -> Result<String, fmt::Error> {
    let mut out = String::new();
    writeln!(out, "**{}**", headline(document))?;
    for shape in &document.shapes {
        writeln!(out, "\n### {}\n", escaped(&shape.name))?;
        let rows = rows(shape);
        for (place, row) in rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().map(|cell| escaped(cell)).collect();
            writeln!(out, "| {} |", cells.join(" | "))?;
            if place == 0 {
                let rule = vec!["---"; row.len()];
                writeln!(out, "| {} |", rule.join(" | "))?;
            }
        }
        let savings = savings(shape);
        let facts = facts(shape);
        if !savings.is_empty() || !facts.is_empty() {
            writeln!(out)?;
        }
        for saving in savings {
            writeln!(out, "- to save nodes: {}", escaped(&saving))?;
        }
        for (name, value) in facts {
            writeln!(out, "- {name}: {}", escaped(&value))?;
        }
        for nowhere in shape.nowhere.iter().take(LISTED) {
            writeln!(out, "- fits on no node: {}", escaped(&refused(nowhere)))?;
        }
    }
    if let Some(mixture) = &document.mixture {
        writeln!(out)?;
        for line in mixture_lines(mixture) {
            writeln!(out, "- {}", escaped(&line))?;
        }
    }
    Ok(out)
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

fn count(number: usize) -> String {
    human::count(number as u64)
}

/// Cuts the fraction of a second off a time in RFC 3339.
fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}
