//! The page of an overhead measurement.

use maud::html;

use super::layer::Layer;
use super::result::{LayerResult, OverheadResult};
use super::table;
use crate::show::report::{how, page, spans};
use display::bars::{self, Bar, Colour};
use display::human;
use display::page::{readable, shell};

/// Names of the tables, for readers who cannot see them.
const TABLES: [&str; 5] = [
    "Latencies by layer",
    "CPU time by layer",
    "Parts of a pod through containerd",
    "Cost of containerd",
    "Cost of the sandboxer by call",
];

/// Renders the page.
pub fn render(result: &OverheadResult) -> String {
    let mut tables = table::tables(result).into_iter().zip(TABLES);
    let main = html! {
        (page::figures(&figures(result)))
        section aria-labelledby="layers" {
            h2 id="layers" { "A pod at each layer" }
            p.why {
                "The same pods, one at a time, with all layers in turns. Each layer contains the \
                 work of those above it in the table, except real containers, which take the place \
                 of the sandboxer."
            }
            (bars::list(&bars(result)))
            @for (rows, label) in tables.by_ref().take(2) { (display::page::table(label, &rows)) }
        }
        section aria-labelledby="parts" {
            h2 id="parts" { "What each part costs" }
            @for (rows, label) in tables { (display::page::table(label, &rows)) }
            @for line in table::lines(result) { p.why { (line) } }
        }
        @for of in &result.spans {
            (spans::section(&format!("Where the time goes: {}", of.layer.name()), &of.spans))
        }
        (how::run(&result.header, &result.environment, Some(result.wall_s)))
    };
    let opening = page::Opening {
        valid: result.valid,
        reasons: &result.reasons,
        target: "all layers",
        started_at: &result.header.started_at,
    };
    let header = page::header("overhead", &opening, &answer(result));
    let title = format!("Overhead, {}", result.header.started_at);
    let style = format!("{}{}", bars::STYLE, spans::STYLE);
    readable(&shell(&title, &style, &header, &main).into_string())
}

fn answer(result: &OverheadResult) -> String {
    match &result.containerd_cost {
        Some(cost) => format!(
            "containerd costs {} of a pod's {}",
            human::duration(cost.ms * 1e6),
            human::duration((cost.cri_ms + cost.ms) * 1e6)
        ),
        None => format!("{} layers", result.layers.len()),
    }
}

fn mean_ns(layer: &LayerResult) -> f64 {
    layer.pod().map_or(0.0, |pod| pod.mean_ns)
}

fn figures(result: &OverheadResult) -> Vec<(&str, String)> {
    let of = |name, wanted: &Layer| {
        let layer = result.layers.iter().find(|layer| layer.layer == *wanted)?;
        Some((name, human::duration(mean_ns(layer))))
    };
    [
        of("protocol alone", &Layer::Floor),
        of("the sandboxer", &Layer::Direct),
        of("over CRI", &Layer::Cri),
        of("through containerd", &Layer::Containerd),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn bars(result: &OverheadResult) -> Vec<Bar> {
    let bar = |layer: &LayerResult| {
        let mean = mean_ns(layer);
        Bar::new(layer.layer.name(), Colour(0), mean, human::duration(mean))
    };
    result.layers.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_result_has_a_page_with_all_tables() {
        let text = include_str!("../../../../results/overhead/result.json");
        let result: OverheadResult = serde_json::from_str(text).unwrap();
        let page = render(&result);
        for label in TABLES {
            assert!(page.contains(&format!("aria-label=\"{label}\"")), "{label}");
        }
        roxmltree::Document::parse_with_options(
            &page,
            roxmltree::ParsingOptions {
                allow_dtd: true,
                ..Default::default()
            },
        )
        .unwrap();
        assert!(page.contains("containerd costs"), "no answer");
    }
}
