//! Tests that the page of any result is well-formed and contains the result.

use std::fs;

use proptest::prelude::*;
use roxmltree::{Document, ParsingOptions};

use super::{Path, of, of_density, of_search};
use crate::record::operation::Operation;
use crate::record::tape::Part;
use crate::result::directory::HISTOGRAM_FILE;
use crate::result::fixture::example;
use crate::result::fixture::{self, RunFixture};
use crate::result::{load, load_as, parse_as};

/// Variable with the directory in which the pages of the tests are kept for a look at
/// them.
const KEPT: &str = "KEEP_REPORTS";

/// Checks a page: it is well-formed, it refers to nothing outside, its figures have
/// labels, and all its coordinates are numbers.
fn checked(page: &str) {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document = match Document::parse_with_options(page, options) {
        Ok(document) => document,
        Err(error) => panic!("{error}\n{page}"),
    };
    let mut ids = std::collections::HashSet::new();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(
            !["script", "link", "img", "iframe"].contains(&name),
            "{name}"
        );
        for attribute in node.attributes() {
            let outside = ["src", "href", "onclick", "onload"];
            assert!(!outside.contains(&attribute.name()), "{attribute:?}");
            let coordinates = ["d", "x", "y", "cx", "cy", "width", "height"];
            if coordinates.contains(&attribute.name()) {
                let value = attribute.value();
                assert!(!value.contains("NaN") && !value.contains("inf"), "{value}");
            }
            if attribute.name() == "id" {
                assert!(ids.insert(attribute.value()), "{attribute:?} twice");
            }
        }
        let labelled = node
            .attribute("aria-label")
            .is_some_and(|label| !label.is_empty());
        assert!(node.attribute("role") != Some("img") || labelled);
    }
    assert!(!page.contains("@import") && !page.contains("url("));
}

fn page_of(made: &RunFixture) -> String {
    let dir = tempfile::tempdir().unwrap();
    made.save(dir.path());
    let page = of(&made.result, dir.path()).unwrap();
    checked(&page);
    page
}

fn keep(name: &str, page: &str) {
    if let Some(dir) = std::env::var_os(KEPT) {
        fs::write(Path::new(&dir).join(name), page).unwrap();
    }
}

/// Returns a second in which `pods` pods took `ms` milliseconds each.
fn second(pods: u64, ms: u64) -> Part {
    let mut part = Part::default();
    for _ in 0..pods {
        part.measured
            .success(Operation::Pod, std::time::Duration::from_millis(ms));
    }
    part
}

#[test]
fn a_run_with_stalls_shows_them() {
    let page = page_of(&fixture::realistic());
    keep("realistic.html", &page);
    for part in [
        "✗ not valid",
        "285ms late (p99)",
        "Latency by percentile",
        "Latency over time, each second",
        "Pods by latency, each second",
        "pod, from its intended start",
        "from its first request",
        "warm-up",
        "offered",
        "Open files",
        "--sandboxer-arg=--sync",
        "&lt;create&gt; &amp; &quot;start&quot;",
        "plan hash",
    ] {
        assert!(page.contains(part), "{part:?} is not in the page");
    }
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
}

#[test]
fn a_run_in_which_nothing_happened_has_a_page() {
    let mut made = RunFixture::of(Vec::new());
    made.result.processes.clear();
    made.result.operations.clear();
    let page = page_of(&made);
    assert!(page.contains("Nothing was measured."));
    keep("empty.html", &page);
}

#[test]
fn one_interval_is_enough() {
    let page = page_of(&RunFixture::of(vec![second(1, 12)]));
    assert!(page.contains("✓ valid"));
    keep("one.html", &page);
}

#[test]
fn a_run_of_nothing_but_errors_shows_them() {
    let mut part = Part::default();
    let failure =
        crate::record::failure::Failure::wrong(Operation::TaskState, "<b>\u{0}\u{1b}[31m]]>&");
    (0..3).for_each(|_| part.measured.failure(&failure));
    let page = page_of(&RunFixture::of(vec![part]));
    assert!(page.contains("&lt;b&gt;"), "escaped");
    assert!(page.contains("Nothing was measured."));
}

#[test]
fn a_partial_run_says_so_first() {
    let mut made = RunFixture::of(vec![second(20, 5), Part::default(), second(5, 9)]);
    (made.result.complete, made.result.valid) = (false, false);
    made.result.reasons = vec!["only 25 of 100 pods were run".to_owned()];
    let page = page_of(&made);
    let said = page.find("✗ partial, not valid").unwrap();
    assert!(said < page.find("<main>").unwrap());
    assert!(page.contains("only 25 of 100 pods were run"));
}

#[test]
fn a_closed_loop_has_no_intended_starts() {
    let page = page_of(&RunFixture::of((1..90).map(|n| second(n * 3, n)).collect()));
    assert!(page.contains("In a closed loop a stall shows once"));
    assert!(!page.contains("intended start"));
    keep("closed.html", &page);
}

#[test]
fn a_long_run_is_drawn_in_few_columns() {
    let seconds = (0..130).map(|n| second(3, 5 + n % 7)).collect();
    let page = page_of(&RunFixture::of(seconds));
    assert!(page.contains("each 2 s"));
    assert!(page.len() < 300_000, "{} bytes", page.len());
}

/// Renders the page of a committed result.
fn page_of_committed(name: &str) -> String {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../results")).join(name);
    match name {
        "search" => of_search(&load_as(&dir, parse_as).unwrap()),
        "cost" => of_density(&load_as(&dir, parse_as).unwrap()),
        _ => of(&load(&dir).unwrap(), &dir).unwrap(),
    }
}

#[test]
fn the_pages_of_the_committed_results_are_sound() {
    for (name, says) in [
        ("search", "Latency by offered rate"),
        ("cost", "Resident memory over pods"),
        ("presets/churn", "2,000 pods"),
        ("presets/soak", "Over time"),
    ] {
        let page = page_of_committed(name);
        checked(&page);
        assert!(page.contains(says), "{name}: {says}");
        keep(&(name.replace('/', "-") + ".html"), &page);
    }
}

fn odd() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(0.0),
        Just(f64::NAN),
        Just(f64::INFINITY),
        0.0..1e6
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn odd_values_have_a_well_formed_page(
        numbers in proptest::collection::vec(odd(), 12),
        counts in proptest::collection::vec(any::<u64>(), 8),
        text in "\\PC{0,40}|[\\x00-\\x20<>&'\"]{0,20}|\u{fffe}",
        pods in 0..50_u64,
    ) {
        let mut result = example();
        result.reasons = vec![text.clone()];
        result.header.command_line = vec![text.clone()];
        result.processes[0].role = text.clone();
        result.errors[0].example = text.clone();
        result.scenario.target = text;
        (result.wall_s, result.totals.pods_per_s) = (numbers[0], numbers[1]);
        (result.timeline[0].start_s, result.timeline[0].duration_s) = (numbers[2], numbers[3]);
        (result.timeline[0].begun, result.timeline[0].pods) = (counts[0], counts[1]);
        (result.timeline[0].errors, result.timeline[0].in_flight) = (counts[2], counts[3]);
        result.timeline.push(result.timeline[0].clone());
        result.timeline[1].start_s = numbers[4];
        let sample = &mut result.processes[0].samples[0];
        (sample.at_s, sample.cpu_s, sample.rss_bytes) = (numbers[5], numbers[6], counts[4]);
        let mut later = *sample;
        (later.at_s, later.cpu_s) = (numbers[7], numbers[8]);
        result.processes[0].samples.push(later);
        (result.operations[2].min_ns, result.operations[2].max_ns) = (counts[5], counts[6]);
        result.operations[2].mean_ns = numbers[9];
        let phase = crate::result::PhaseResult {
            name: "odd".to_owned(),
            measured: false,
            start_s: numbers[10],
            duration_s: numbers[11],
            offered: counts[7],
            started: 0,
            pod: result.operations[2].clone(),
        };
        result.phases = vec![phase];

        let dir = tempfile::tempdir().unwrap();
        let mut latencies = crate::record::recorder::histogram();
        (0..pods).for_each(|n| latencies.saturating_record(1 << n));
        let log = fs::File::create(dir.path().join(HISTOGRAM_FILE)).unwrap();
        let mut log = crate::record::hdr_log::LogWriter::new(log, fixture::started()).unwrap();
        let (begin, second) = (std::time::Duration::ZERO, crate::record::tape::INTERVAL);
        log.interval(begin, second, [(Operation::Pod, &latencies)]).unwrap();
        log.finish().unwrap();
        checked(&of(&result, dir.path()).unwrap());
    }
}
