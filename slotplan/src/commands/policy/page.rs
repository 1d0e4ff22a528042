//! The self-contained page: refusals, and a bar for each key of a quota.

use display::{human, page};
use maud::{Markup, PreEscaped, html};

use super::document::{Document, Quota, QuotaKey, Refusals};

/// Number of rows of a table.
const MOST: usize = 200;

const STYLE: &str = "\
.quota { margin: .8rem 0; } .quota h3 { margin: 0 0 .25rem; overflow-wrap: anywhere; }
.key-row { margin: .35rem 0; } .key-row p { margin: 0; }
.bar { display: block; width: 100%; height: .9rem; }
.bar .room { fill: var(--band); } .bar .peak { fill: var(--s0); } .bar .above { fill: var(--bad); opacity: .35; }
.bar .bound { stroke: var(--text); stroke-width: 3; vector-effect: non-scaling-stroke; }
.quotas { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); gap: 0 1.5rem; }
td.message { min-width: 10rem; overflow-wrap: anywhere; }
";

/// Writes the page.
pub(super) fn write(document: &Document) -> String {
    let pods = &document.pods;
    let (class, word) = match pods.refused {
        0 => ("good", "✓ all admitted"),
        _ => ("bad", "✗ not all admitted"),
    };
    let answer = format!(
        "{} of {} pods refused",
        human::count(pods.refused),
        human::count(pods.total)
    );
    let header = html! {
        p.what { "slotplan policy" }
        h1 { span.verdict.(class) { (word) } " " (answer) }
    };
    let main = html! {
        dl.headline.columns-4 {
            div { dt { "admitted" } dd { (human::count(pods.admitted)) } }
            div { dt { "with defaults" } dd { (human::count(pods.changed)) } }
            div { dt { "refused" } dd { (human::count(pods.refused)) } }
            div { dt { "quotas" } dd { (human::count(document.quotas.len() as u64)) } }
        }
        (refusals("namespace", &document.refusals_by_namespace))
        (refusals(&document.team_label, &document.refusals_by_team))
        (reasons(document))
        (quotas(document))
        (changes(document))
        (evictions(document))
        @if !document.header.assumptions.is_empty() {
            section aria-labelledby="assumed" {
                h2 id="assumed" { "Assumed" }
                ul.notes {
                    @for assumption in &document.header.assumptions { li { (assumption) } }
                }
            }
        }
    };
    let shell = page::shell("slotplan policy", STYLE, &header, &main);
    page::readable(&shell.into_string())
}

fn refusals(name: &str, all: &[Refusals]) -> Markup {
    html! {
        @if !all.is_empty() {
            section {
                h2 { "Refusals by " (name) }
                div.wide tabindex="0" {
                    table {
                        thead { tr {
                            th { (name) } th.n { "pods" } th.n { "refused" } th.n { "LimitRange" }
                            th.n { "policy" } th.n { "quota" }
                        } }
                        tbody {
                            @for of in all.iter().take(MOST) {
                                tr {
                                    th scope="row" { (of.name) }
                                    @for count in [
                                        of.pods, of.refused, of.by.limit_range,
                                        of.by.validating_admission_policy, of.by.resource_quota,
                                    ] { td.n { (human::count(count)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn reasons(document: &Document) -> Markup {
    html! {
        @if !document.reasons.is_empty() {
            section {
                h2 { "Reasons" }
                div.wide tabindex="0" {
                    table {
                        thead { tr {
                            th { "namespace" } th.n { "pods" } th { "words on the first of them" }
                        } }
                        tbody {
                            @for reason in document.reasons.iter().take(MOST) {
                                tr {
                                    th scope="row" { (reason.namespace) }
                                    td.n { (human::count(reason.pods)) }
                                    td.message { (reason.first) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn quotas(document: &Document) -> Markup {
    html! {
        @if !document.quotas.is_empty() {
            section {
                h2 { "Quotas" }
                p.why {
                    "Bar: high-water mark of the usage. Line: bound. Red: what the refused pods \
                     would have added."
                }
                div.quotas {
                    @for quota in document.quotas.iter().take(MOST) { (quota_bars(quota)) }
                }
            }
        }
    }
}

fn quota_bars(quota: &Quota) -> Markup {
    html! {
        div.quota {
            h3 { (quota.namespace) "/" (quota.name) }
            @for key in &quota.keys { (bar(key)) }
        }
    }
}

fn bar(key: &QuotaKey) -> Markup {
    let shares = key.shares;
    let above = shares.sufficient.saturating_sub(shares.peak);
    let text = format!(
        "{}: high-water mark {} of {}, sufficient {}",
        key.key, key.peak, key.hard, key.sufficient
    );
    let drawing = format!(
        "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"room\" width=\"1000\" height=\"10\"/>\
         <rect class=\"peak\" width=\"{peak}\" height=\"10\"/>\
         <rect class=\"above\" x=\"{peak}\" width=\"{above}\" height=\"10\"/>\
         <line class=\"bound\" x1=\"{hard}\" x2=\"{hard}\" y1=\"0\" y2=\"10\"/></svg>",
        peak = shares.peak,
        hard = shares.hard,
    );
    html! {
        div.key-row {
            p.why { (text) }
            (PreEscaped(drawing))
        }
    }
}

fn changes(document: &Document) -> Markup {
    html! {
        @if !document.changes.is_empty() {
            section {
                h2 { "Defaults that LimitRange sets" }
                div.wide tabindex="0" {
                    table {
                        thead { tr { th { "workload" } th.n { "pods" } th { "set" } } }
                        tbody {
                            @for change in document.changes.iter().take(MOST) {
                                tr {
                                    th scope="row" { (change.namespace) ": " (change.workload) }
                                    td.n { (human::count(change.pods)) }
                                    td.message { (change.set) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn evictions(document: &Document) -> Markup {
    let bytes = |bytes: i64| human::bytes(u64::try_from(bytes).unwrap_or(0));
    html! {
        @if !document.evictions.is_empty() {
            section {
                h2 { "Evicted first if memory runs out at the peak" }
                div.wide tabindex="0" {
                    table {
                        thead { tr {
                            th { "node" } th { "time" } th.n { "memory" } th { "order of eviction" }
                        } }
                        tbody {
                            @for eviction in document.evictions.iter().take(MOST) {
                                tr {
                                    th scope="row" { (eviction.node.as_deref().unwrap_or("(no node)")) }
                                    td { (eviction.time) }
                                    td.n { (bytes(eviction.memory_bytes)) }
                                    td.message {
                                        @for (place, pod) in eviction.first.iter().enumerate() {
                                            @if place > 0 { ", " }
                                            (pod.namespace) "/" (pod.pod)
                                            " (" (pod.memory_bytes.map_or("?".to_owned(), bytes))
                                            " of " (bytes(pod.request_bytes)) ")"
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
