//! Spans of the calls of pods: self times by component, and single pods as waterfalls.

use maud::{Markup, html};

use crate::result::spans::{CallSpans, SpansResult, Waterfall, WaterfallOf, WaterfallSpan};
use crate::show::spans::{components, milliseconds};
use crate::spans::component::Component;
use display::bars::{self, Bar, Colour, Part};
use display::human;
use display::page;
use display::svg::number;

/// Style of the section.
pub const STYLE: &str = "\
.waterfall .name { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }\
.waterfall .d0 { font-weight: 600; } .waterfall .d2 { padding-left: .6rem; }\
.waterfall .d3 { padding-left: 1.2rem; } .waterfall .d4 { padding-left: 1.8rem; }\
.waterfall .d5 { padding-left: 2.4rem; }";

/// Deepest level that is indented further.
const DEEPEST: u64 = 5;

/// Width of a waterfall in units of its drawing.
const WIDTH: f64 = 1000.0;

/// Smallest width of a span that can be seen.
const SEEN: f64 = 2.0;

/// Renders the section of a load.
pub fn section(title: &str, spans: &SpansResult) -> Markup {
    let id = title
        .to_lowercase()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            @if spans.pods == 0 {
                p.none { "No call has a span of the server that answered it." }
            } @else {
                p.why {
                    "Self times of the spans of " (human::count(spans.pods)) " pods, per pod: each \
                     moment of a call belongs to the deepest span that is open. "
                    @if spans.calls_without_spans > 0 {
                        (human::count(spans.calls_without_spans))
                        " calls have no span of the server that answered them, and count nowhere. "
                    }
                    "The collection of spans costs time itself."
                }
                (page::table("Self times by component", &components(spans)))
                (by_call(spans))
                @for waterfall in &spans.waterfalls { (self::waterfall(waterfall)) }
            }
        }
    }
}

/// Renders a bar for each call, and its spans by name to unfold.
fn by_call(spans: &SpansResult) -> Markup {
    let bar = |call: &CallSpans| Bar {
        name: call.operation.name().replace('_', " "),
        parts: parts(call),
        value: milliseconds(call.mean_ms * call.count as f64 / spans.pods as f64),
    };
    let bars: Vec<Bar> = spans.calls.iter().map(bar).collect();
    html! {
        h3 { "By call" }
        (bars::key(&KEY))
        (bars::list(&bars))
        @for call in &spans.calls {
            details {
                summary { (call.operation.name().replace('_', " ")) ", by span" }
                div.wide {
                    table {
                        thead {
                            tr {
                                th scope="col" { "span" }
                                th scope="col" { "component" }
                                th.n scope="col" { "per call" }
                                th.n scope="col" { "self time" }
                            }
                        }
                        tbody {
                            @for name in &call.names {
                                tr {
                                    th scope="row" { (name.name) }
                                    td { (name.component.name()) }
                                    td.n { (format!("{:.2}", name.count_per_call)) }
                                    td.n { (milliseconds(name.self_ms_per_call)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn parts(call: &CallSpans) -> Vec<Part> {
    let mut parts: Vec<_> = call
        .components
        .iter()
        .map(|time| Part {
            colour: colour(time.component),
            amount: time.self_ms_per_pod,
            name: format!("{}: {}", time.component, milliseconds(time.self_ms_per_pod)),
        })
        .collect();
    // Equal colours lie side by side, in the order of the key.
    parts.sort_by_key(|part| part.colour.0);
    parts
}

/// Colours and what they stand for.
const KEY: [(Colour, &str); 7] = [
    (Colour(0), "CRI plugin and client"),
    (Colour(1), "metadata store"),
    (Colour(2), "snapshotter and content"),
    (Colour(3), "CNI"),
    (Colour(4), "tasks and ttrpc"),
    (Colour(5), "sandboxer or shim"),
    (Colour::MUTED, "gRPC and others"),
];

fn colour(component: Component) -> Colour {
    match component {
        Component::Cri | Component::Client => Colour(0),
        Component::Metadata => Colour(1),
        Component::Content | Component::Snapshotter => Colour(2),
        Component::Cni => Colour(3),
        Component::Tasks | Component::Ttrpc => Colour(4),
        Component::Sandboxer | Component::Shim => Colour(5),
        Component::Grpc | Component::Events | Component::Other => Colour::MUTED,
    }
}

fn waterfall(waterfall: &Waterfall) -> Markup {
    let which = match waterfall.of {
        WaterfallOf::Median => "The median pod",
        WaterfallOf::Slowest => "The slowest pod",
    };
    let whole_ns = whole_ns(waterfall);
    let whole = whole_ns.max(1) as f64;
    html! {
        h3 { (which) }
        p.why {
            "Pod " (human::count(waterfall.pod)) " of the plan, with "
            (human::nanoseconds(waterfall.calls_ns)) " in its calls, over "
            (human::nanoseconds(whole_ns)) "."
        }
        ul.bars.waterfall {
            @for span in &waterfall.spans { (bar(span, whole)) }
        }
    }
}

fn whole_ns(waterfall: &Waterfall) -> u64 {
    let ends = waterfall
        .spans
        .iter()
        .map(|span| span.from_ns + span.took_ns);
    ends.max().unwrap_or(0)
}

/// Returns the name of a span without the package of an RPC: `Controller/Create`.
fn short(name: &str) -> &str {
    let service = name.split('/').next().unwrap_or(name);
    match service.rfind('.') {
        Some(dot) if service.len() < name.len() => &name[dot + 1..],
        _ => name,
    }
}

fn bar(span: &WaterfallSpan, whole: f64) -> Markup {
    let place = span.from_ns as f64 / whole * WIDTH;
    let width = (span.took_ns as f64 / whole * WIDTH).max(SEEN);
    let name = match span.depth {
        0 => span.name.replace('_', " "),
        _ => short(&span.name).to_owned(),
    };
    let told = format!(
        "{} ({}): {}, of which {} itself",
        span.name,
        span.component,
        human::nanoseconds(span.took_ns),
        human::nanoseconds(span.self_ns)
    );
    html! {
        li {
            span class={ "name d" (span.depth.min(DEEPEST)) } title=(span.name) { (name) }
            svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(told) {
                rect.track x="0" y="0" width="1000" height="10" {}
                rect class={ "f" (colour(span.component).0) } x=(number(place.min(WIDTH - SEEN))) y="0"
                    width=(number(width)) height="10" { title { (told) } }
            }
            span.value { (human::nanoseconds(span.took_ns)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_of_an_rpc_is_left_out() {
        for (name, expected) in [
            (
                "containerd.services.sandbox.v1.Controller/Create",
                "Controller/Create",
            ),
            ("Controller/Create", "Controller/Create"),
            ("metadata.sandbox.Update", "metadata.sandbox.Update"),
            ("bridge ADD", "bridge ADD"),
        ] {
            assert_eq!(short(name), expected);
        }
    }

    #[test]
    fn calls_and_pods_are_on_the_page() {
        let text = r#"{"pods": 1, "spans": 2, "calls_without_spans": 3, "spans_beyond_calls": 0,
            "components": [{"component": "cri", "self_ms_per_pod": 4.0, "low": null, "high": null,
                            "share": 1.0}],
            "calls": [{"operation": "run_pod_sandbox", "count": 1, "mean_ms": 4.0,
                       "components": [{"component": "cri", "self_ms_per_pod": 4.0, "low": 3.0,
                                       "high": 5.0, "share": 1.0}],
                       "names": [{"name": "a.B/C", "component": "cri", "count_per_call": 1.0,
                                  "self_ms_per_call": 4.0}]}],
            "waterfalls": [{"of": "median", "pod": 7, "calls_ns": 4000000, "spans": [
                {"name": "run_pod_sandbox", "component": "grpc", "from_ns": 0,
                 "took_ns": 4000000, "self_ns": 0, "depth": 0},
                {"name": "a.B/C", "component": "cri", "from_ns": 0, "took_ns": 4000000,
                 "self_ns": 4000000, "depth": 1}]}]}"#;
        let spans: SpansResult = serde_json::from_str(text).unwrap();
        let page = section("Spans", &spans).into_string();
        for part in [
            "3 calls have no span",
            "too few pods",
            "run pod sandbox, by span",
            "The median pod",
            ">B/C<",
            "title=\"a.B/C\"",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
}
