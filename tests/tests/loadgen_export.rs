//! Exports of `loadgen export`, read by libraries for Python.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tests::foreign::found_by;
use tests::{binary, read_json};

/// Results in the repository: of a run, a search, and of measurements of memory and overhead.
const RESULTS: [&str; 4] = ["presets/node", "search", "cost", "overhead"];

/// Exports the results in a format, and returns the values that a library reads; `None` if the test is skipped.
fn read(format: &str) -> Option<Vec<Value>> {
    let python = found_by("python-readers", "REQUIRE_PYTHON_READERS")?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let exported = Command::new(binary("loadgen"))
        .arg("export")
        .args(RESULTS.map(|name| root.join("results").join(name)))
        .args(["--format", format])
        .output()
        .expect("loadgen runs");
    let said = String::from_utf8_lossy(&exported.stderr);
    assert_eq!(exported.status.code(), Some(0), "{said}");
    let mut child = Command::new(python)
        .arg(root.join("tests/foreign/read_export.py"))
        .arg(format)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(&exported.stdout).expect("Python reads");
    drop(input);
    let output = child.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "{format} is not read");
    Some(serde_json::from_slice(&output.stdout).expect("a list"))
}

fn number(value: &Value) -> f64 {
    let text = value.as_str().expect("text");
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no number"))
}

#[test]
fn python_and_prometheus_read_the_figures_of_the_results() {
    let (Some(rows), Some(samples)) = (read("csv"), read("openmetrics")) else {
        return;
    };
    let run = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/presets/node/result.json");
    let run = read_json(&run);
    let operations = run["operations"].as_array().expect("a list");
    let pod = operations.iter().find(|one| one["operation"] == "pod");
    let p99 = pod.expect("pods")["p99_ns"].as_f64().expect("a number");
    let of_run = |row: &&Value| {
        row["scenario"] == run["scenario"]["name"]
            && row["what"] == "pod"
            && row["kind"] == "latency-p99"
    };
    let row = rows.iter().find(of_run).expect("the 99th percentile");
    assert_eq!((number(&row["value"]), &row["unit"]), (p99, &json!("ns")));

    // Each figure of the table is a gauge in base units.
    assert_eq!(samples.len(), rows.len());
    for row in &rows {
        let (unit, factor) = match row["unit"].as_str().expect("text") {
            "ns" => ("seconds", 1e-9),
            "ms" => ("seconds", 1e-3),
            "pods/s" => ("pods_per_second", 1.0),
            "B" => ("bytes", 1.0),
            "" => ("", 1.0),
            unit => panic!("{unit}"),
        };
        let kind = row["kind"].as_str().expect("text");
        let name = format!("loadgen_{}_{unit}", kind.replace('-', "_"));
        let name = name.trim_end_matches('_');
        let labels = json!({
            "scenario": row["scenario"], "target": row["target"], "what": row["what"]});
        let is_same = |sample: &&Value| sample["name"] == name && sample["labels"] == labels;
        let mut same = samples.iter().filter(is_same);
        let sample = same.next().unwrap_or_else(|| panic!("no sample of {row}"));
        assert_eq!(same.next(), None, "{row}");
        assert_eq!(
            (&sample["type"], &sample["unit"]),
            (&json!("gauge"), &json!(unit))
        );
        let wanted = number(&row["value"]) * factor;
        let found = sample["value"].as_f64().expect("a number");
        assert!(
            (found - wanted).abs() <= 1e-9 * wanted.abs(),
            "{row} {sample}"
        );
    }
}

#[test]
fn junitparser_reads_the_verdicts_of_the_results() {
    let Some(suites) = read("junit") else { return };
    assert_eq!(suites.len(), RESULTS.len());
    for suite in &suites {
        let cases = suite["cases"].as_array().expect("a list");
        let of_kind = |kind| {
            let results = cases.iter().filter_map(|case| case["results"].as_array());
            results.flatten().filter(|one| one["kind"] == kind).count()
        };
        assert_eq!(suite["tests"], cases.len());
        assert_eq!(suite["failures"], of_kind("Failure"));
        assert_eq!(suite["skipped"], of_kind("Skipped"));
    }
    let valid = json!({"name": "the figures are valid", "results": []});
    let cases = suites[0]["cases"].as_array().expect("a list");
    assert!(cases.contains(&valid), "{cases:?}");
}
