//! The self-contained page: tables and traces with their lengths.

use display::bars::{self, Colour, Part};
use display::{human, page};
use maud::{Markup, html};

use super::answer::Document;

const STYLE: &str = "\
.size { width: 12rem; } .size svg { display: block; width: 100%; min-width: 6rem; height: .7rem; } .track { fill: var(--band); }
@media (max-width: 40rem) { .size { display: none; } }
";

/// Writes the page.
pub(super) fn write(document: &Document) -> String {
    let (tables, traces) = (&document.tables, &document.traces);
    let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
    let rows: u64 = tables.iter().map(|table| table.rows).sum();
    let files: u64 = tables.iter().map(|table| table.files).sum();
    let header = html! {
        p.what { "slotplan export, cluster " (document.cluster) }
        h1 { (human::count(files)) " files of tables, " (count(traces.len())) " traces" }
    };
    let main = html! {
        dl.headline.columns-4 {
            div { dt { "tables" } dd { (count(tables.len())) } }
            div { dt { "rows" } dd { (human::count(rows)) } }
            div { dt { "size of tables" } dd { (human::bytes(bytes)) } }
            @if let Some(pods) = document.pods_without_node {
                div { dt { "pods in no trace" } dd { (human::count(pods)) } }
            }
        }
        @if !tables.is_empty() { (of_tables(document)) }
        @if !traces.is_empty() { (of_traces(document)) }
        @if !document.header.assumptions.is_empty() {
            section aria-labelledby="assumed" {
                h2 id="assumed" { "Assumed" }
                ul.notes {
                    @for assumption in &document.header.assumptions { li { (assumption) } }
                }
            }
        }
    };
    let style = bars::STYLE.to_owned() + STYLE;
    let shell = page::shell("slotplan export", &style, &header, &main);
    page::readable(&shell.into_string())
}

fn of_tables(document: &Document) -> Markup {
    let tables = &document.tables;
    let most_rows = tables.iter().map(|table| table.rows).max().unwrap_or(0);
    let most_bytes = tables.iter().map(|table| table.bytes).max().unwrap_or(0);
    html! {
        section aria-labelledby="tables" {
            h2 id="tables" { "Tables" }
            div.wide role="region" aria-labelledby="tables" tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "table" } th.n scope="col" { "files" }
                            th.n scope="col" { "rows" } th.size {}
                            th.n scope="col" { "size" } th.size {}
                        }
                    }
                    tbody {
                        @for table in tables {
                            tr {
                                th scope="row" { (table.name) }
                                td.n { (human::count(table.files)) }
                                td.n { (human::count(table.rows)) }
                                td.size { (bar(0, table.rows, most_rows, "rows")) }
                                td.n { (human::bytes(table.bytes)) }
                                td.size { (bar(2, table.bytes, most_bytes, "bytes")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn of_traces(document: &Document) -> Markup {
    let traces = &document.traces;
    let most = traces.iter().map(|trace| trace.pods).max().unwrap_or(0);
    let memory = |bytes: i64| human::bytes(u64::try_from(bytes).unwrap_or(0));
    html! {
        section aria-labelledby="traces" {
            h2 id="traces" { "Traces" }
            div.wide role="region" aria-labelledby="traces" tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "file" } th.n scope="col" { "pods" } th.size {}
                            th.n scope="col" { "CPU" } th.n scope="col" { "memory" }
                        }
                    }
                    tbody {
                        @for trace in traces {
                            tr {
                                th scope="row" { (trace.file) }
                                td.n { (human::count(trace.pods)) }
                                td.size { (bar(0, trace.pods, most, "pods")) }
                                td.n { (trace.cpu_millicores) "m" }
                                td.n { (memory(trace.memory_bytes)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn bar(colour: u8, amount: u64, most: u64, unit: &str) -> Markup {
    let told = format!("{} {unit}", human::count(amount));
    let part = Part {
        colour: Colour(colour),
        amount: amount as f64,
        name: told.clone(),
    };
    bars::track(&told, &[part], most as f64)
}

fn count(number: usize) -> String {
    human::count(number as u64)
}
