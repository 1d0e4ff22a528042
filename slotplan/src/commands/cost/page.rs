//! The page of `slotplan cost`: bars by group, with idle and shared costs visible.

use cost::{Group, GroupKind, Money};
use display::page::{readable, shell};
use maud::{Markup, html};

use super::{Shown, table};

const STYLE: &str = "\
.bars { list-style: none; margin: 0; padding: 0; font-size: .875rem; font-variant-numeric: tabular-nums; }
.bars li { display: grid; grid-template-columns: minmax(0, 16rem) minmax(0, 1fr) 7rem; gap: .15rem .75rem; align-items: center; margin: .35rem 0; }
.bars .name { overflow-wrap: anywhere; }
.bar { display: flex; height: 1.1rem; background: var(--raised); border-radius: .2rem; overflow: hidden; }
.bar span { display: block; height: 100%; }
.cpu { background: var(--s0); } .memory { background: var(--s2); } .gpu { background: var(--s3); }
.shared { background: var(--s1); }
.idle { background: repeating-linear-gradient(45deg, var(--s6) 0 4px, transparent 4px 7px); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1rem; font-size: .875rem; color: var(--soft); margin: .5rem 0 1rem; padding: 0; list-style: none; }
.legend i { display: inline-block; width: .9rem; height: .9rem; border-radius: .2rem; margin-right: .35rem; vertical-align: -.1rem; }
@media (max-width: 40rem) {
  .bars li { grid-template-columns: minmax(0, 1fr) max-content; }
  .bars .bar { grid-column: 1 / -1; grid-row: 2; }
}
";

/// Parts of a bar: class, name, amount.
fn parts(group: &Group) -> [(&'static str, &'static str, Money); 5] {
    if group.kind == GroupKind::Idle {
        let none = Money::ZERO;
        return [
            ("cpu", "cpu", none),
            ("memory", "memory", none),
            ("gpu", "gpu", none),
            ("idle", "idle", group.cost.total()),
            ("shared", "shared", none),
        ];
    }
    let own = |resource| group.cost[resource] - group.idle[resource];
    [
        ("cpu", "cpu", own(cost::Resource::Cpu)),
        ("memory", "memory", own(cost::Resource::Memory)),
        ("gpu", "gpu", own(cost::Resource::Gpu)),
        ("idle", "idle", group.idle.total()),
        ("shared", "shared", group.shared),
    ]
}

/// Renders the page.
pub fn page(shown: &Shown) -> String {
    let (groups, left) = table::ordered(shown);
    let largest = groups
        .iter()
        .map(|group| group.total().to_f64())
        .fold(f64::MIN_POSITIVE, f64::max);
    let decimals = table::decimals(shown.grouped.total());
    let by: Vec<_> = shown.by.iter().map(ToString::to_string).collect();
    let main = html! {
        dl.headline.columns-4 {
            @for (name, amount) in table::sums(shown) {
                div { dt { (name) ", a month" } dd { (shown.per_month(amount).rounded(2)) } }
            }
        }
        section aria-labelledby="groups" {
            h2 id="groups" { "Cost by " (by.join(", ")) }
            (legend())
            ul.bars {
                @for group in &groups {
                    li {
                        span.name { (group.key) }
                        (bar(group, largest))
                        span.n { (group.total().rounded(decimals)) }
                    }
                }
            }
            @if left > 0 { p.why { "and " (left) " more groups that cost less" } }
        }
        @if !shown.estimate.nodes.is_empty() { (nodes(shown)) }
        @if !shown.assumptions.is_empty() {
            section aria-labelledby="assumed" {
                h2 id="assumed" { "Assumed" }
                ul.notes { @for assumption in shown.assumptions { li { (assumption.0) } } }
            }
        }
    };
    let header = html! {
        p.what { "slotplan cost" }
        h1 {
            @if let Some((verdict, amounts)) = table::budget(shown) {
                @let class = if shown.is_over_budget() { "verdict bad" } else { "verdict good" };
                span class=(class) { (verdict) } " " (amounts)
            } @else {
                (shown.per_month(shown.grouped.total()).rounded(2)) " "
                (shown.estimate.currency) " a month"
            }
        }
        p.why { (shown.estimate.currency) " for " (shown.period()) }
    };
    readable(&shell("Cost", STYLE, &header, &main).into_string())
}

fn legend() -> Markup {
    html! {
        ul.legend {
            @for name in ["cpu", "memory", "gpu", "idle", "shared"] {
                li { i class=(name) {} (name) }
            }
        }
    }
}

fn bar(group: &Group, largest: f64) -> Markup {
    let parts = parts(group);
    let told: Vec<_> = parts
        .iter()
        .filter(|(.., amount)| !amount.is_zero())
        .map(|(_, name, amount)| format!("{name} {}", amount.rounded(6)))
        .collect();
    html! {
        div.bar role="img" aria-label=(told.join(", ")) title=(told.join(", ")) {
            @for (class, _, amount) in &parts {
                @if !amount.is_zero() {
                    span class=(class) style=(format!("width:{:.3}%", amount.to_f64() / largest * 100.0)) {}
                }
            }
        }
    }
}

fn nodes(shown: &Shown) -> Markup {
    const MOST: usize = 200;
    let estimate = shown.estimate;
    let all = estimate.nodes.len();
    html! {
        section aria-labelledby="nodes" {
            h2 id="nodes" { "Nodes" }
            div.wide tabindex="0" {
                table {
                    thead {
                        tr {
                            th { "node" }
                            @for name in ["price from", "an hour", "allocated", "idle", "idle share"] {
                                th.n { (name) }
                            }
                        }
                    }
                    tbody {
                        @for (node, price) in estimate.nodes.iter().zip(&estimate.prices).take(MOST) {
                            @let (capacity, idle) = (node.capacity.total(), node.idle.total());
                            @let share = 100.0 * idle.to_f64() / capacity.to_f64().max(f64::MIN_POSITIVE);
                            tr {
                                th scope="row" { (node.node) }
                                td.n { (price.source.name()) }
                                td.n { (shown.per_hour(capacity).rounded(6)) }
                                td.n { (node.allocated.total().rounded(4)) }
                                td.n { (idle.rounded(4)) }
                                td.n { (format!("{share:.1}%")) }
                            }
                        }
                    }
                }
            }
            @if all > MOST { p.why { "and " (all - MOST) " more nodes" } }
        }
    }
}
