//! The self-contained page: money and nodes before and after, changes by workload, and the pods that
//! stop fitting.

use cost::{Money, Resource, WorkloadCost};
use display::bars::{self, Bar, Change, Colour};
use display::page::{readable, shell};
use inventory::Assumption;
use maud::{Markup, html};

use super::{Compared, table};

/// Largest number of pods' messages.
const MOST: usize = 100;

/// Colours of the first and the second input.
const BEFORE: Colour = Colour::MUTED;
const AFTER: Colour = Colour(0);

const STYLE: &str = "\
.pair { margin: .75rem 0; } .pair h3 { margin: 0; overflow-wrap: anywhere; } .pair .bars { margin: 0; grid-template-columns: 3.5rem minmax(0, 1fr) minmax(4rem, max-content); gap: .2rem .75rem; }
.stops { margin: .75rem 0; } .stops h3 { margin: 0; overflow-wrap: anywhere; } .stops p { margin: .1rem 0; }
h1 { overflow-wrap: anywhere; }
";

/// Renders the page.
pub(super) fn page(compared: &Compared, assumptions: &[Assumption]) -> String {
    let has_stops = compared.stops_fitting().next().is_some();
    let (class, word) = if has_stops || !compared.exceeded.is_empty() {
        ("bad", "✗ does not hold")
    } else {
        ("good", "✓ holds")
    };
    let header = html! {
        p.what { "slotplan diff" }
        h1 { span.verdict.(class) { (word) } " " (table::headline(compared)) }
        @if !compared.exceeded.is_empty() {
            ul.reasons { @for exceeded in &compared.exceeded { li { (exceeded) } } }
        }
    };
    let main = html! {
        (sums(compared))
        (workloads(compared))
        @if has_stops { (stops(compared)) }
        @if !assumptions.is_empty() {
            section aria-labelledby="assumed" {
                h2 id="assumed" { "Assumed" }
                ul.notes { @for assumption in assumptions { li { (assumption.0) } } }
            }
        }
    };
    let style = bars::STYLE.to_owned() + STYLE;
    readable(&shell("slotplan diff", &style, &header, &main).into_string())
}

/// Draws the bars of an amount before and after.
fn pair(name: &str, amounts: (f64, f64), shown: (String, String)) -> Markup {
    html! {
        div.pair {
            h3 { (name) }
            (bars::list(&[
                Bar::new("before", BEFORE, amounts.0, shown.0),
                Bar::new("after", AFTER, amounts.1, shown.1),
            ]))
        }
    }
}

fn money(name: &str, (before, after): (Money, Money)) -> Markup {
    let amounts = (before.to_f64(), after.to_f64());
    pair(name, amounts, (before.rounded(2), after.rounded(2)))
}

fn numbers(name: &str, (before, after): (f64, f64)) -> Markup {
    pair(name, (before, after), (plain(before), plain(after)))
}

/// Writes a number with three decimals at most.
fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

fn sums(compared: &Compared) -> Markup {
    let (before, after) = (&compared.before, &compared.after);
    let requested = |cost: &WorkloadCost, resource: Resource| {
        cost.requested[resource] as f64 / resource.priced() as f64
    };
    let both = |resource| (requested(before, resource), requested(after, resource));
    let a_month = format!("pods, {} a month", compared.currency);
    let of_nodes = format!("nodes, {} a month", compared.currency);
    html! {
        section aria-labelledby="sums" {
            h2 id="sums" { "Before and after" }
            div.charts {
                (money(&a_month, (before.per_month, after.per_month)))
                @if let Some(provisioned) = compared.provisioned { (money(&of_nodes, provisioned)) }
                @if compared.has_pods {
                    (numbers("pods", (before.pods as f64, after.pods as f64)))
                    (numbers("requested cores", both(Resource::Cpu)))
                    (numbers("requested GiB", both(Resource::Memory)))
                    @let gpus = both(Resource::Gpu);
                    @if gpus.0 + gpus.1 > 0.0 { (numbers("requested GPUs", gpus)) }
                }
                @if let Some((before, after)) = &compared.fit {
                    (numbers("nodes with pods", (before.used as f64, after.used as f64)))
                    (numbers("pods without a node", (before.without_node() as f64, after.without_node() as f64)))
                }
            }
        }
    }
}

/// Draws the changes of the workloads, and their costs before and after.
fn workloads(compared: &Compared) -> Markup {
    let all = compared.changes.len();
    let top = if compared.top == 0 { all } else { compared.top };
    let shown = || compared.changes.iter().take(top);
    let changes: Vec<_> = shown()
        .map(|change| Change {
            name: format!("{} ({})", change.workload, change.name()),
            amount: change.per_month().to_f64(),
            value: table::signed(change.per_month()),
        })
        .collect();
    let (rows, left) = table::rows(compared);
    html! {
        section aria-labelledby="workloads" {
            h2 id="workloads" { "Change by workload, " (compared.currency) " a month" }
            @if changes.is_empty() {
                p.none { "No workload changes." }
            } @else {
                (bars::diverging(&changes))
                @if left > 0 { p.none { "and " (left) " more workloads (--top 0 shows all)" } }
                div.wide role="region" aria-labelledby="workloads" tabindex="0" {
                    table {
                        thead { tr {
                            @for (place, name) in table::head(compared).iter().enumerate() {
                                th scope="col" class=[(place > 1).then_some("n")] { (name) }
                            }
                        } }
                        tbody {
                            @for row in &rows { tr {
                                @for (place, cell) in row.iter().enumerate() {
                                    @if place == 0 { th scope="row" { (cell) } }
                                    @else { td class=[(place > 1).then_some("n")] { (cell) } }
                                }
                            } }
                        }
                    }
                }
            }
        }
    }
}

fn stops(compared: &Compared) -> Markup {
    let left = compared.stops_fitting().count().saturating_sub(MOST);
    html! {
        section aria-labelledby="stops" {
            h2 id="stops" { "Stops fitting" }
            @for (workload, before, after, message) in compared.stops_fitting().take(MOST) {
                div.stops {
                    h3 { (workload) ": " (after) " pods without a node, before " (before) }
                    p.message { (message) }
                }
            }
            @if left > 0 { p.none { "and " (left) " more workloads" } }
        }
    }
}
