//! `loadgen gate` with real sandboxers: its measurements, and its verdict on a sandboxer that is
//! slowed down on purpose. The tests do not depend on absolute speed, only on one of two
//! programs being four times slower.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tests::{binary, read_json};

/// The least number of blocks that allows a failure, with pods for a few seconds.
const SMALL: [&str; 6] = ["--max-blocks", "8", "--pods", "5", "--seed", "5"];

fn gate(results: &Path, args: &[&str]) -> (Option<i32>, Value, String) {
    let sandboxer = binary("resource-slot-sandboxer");
    let output = Command::new(binary("loadgen"))
        .arg("gate")
        .arg("--base")
        .arg(&sandboxer)
        .arg("--head")
        .arg(&sandboxer)
        .arg("--results")
        .arg(results)
        .args(SMALL)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("loadgen runs");
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    let saved = fs::read_dir(results).expect("results").next();
    let saved = saved.unwrap_or_else(|| panic!("nothing saved: {shown}"));
    let dir = saved.expect("an entry").path();
    for file in ["gate.txt", "sandboxer-base.log", "sandboxer-head.log"] {
        assert!(dir.join(file).exists(), "{file}");
    }
    (
        output.status.code(),
        read_json(&dir.join("result.json")),
        shown,
    )
}

#[test]
fn a_sandboxer_that_is_four_times_slower_fails() {
    let results = tempfile::tempdir().expect("a directory");
    let (code, result, shown) = gate(results.path(), &["--head-arg=--test-slowdown=300"]);
    assert_eq!(result["errors"], json!([]), "{shown}");
    assert_eq!(result["complaints"], json!([]), "{shown}");
    assert_eq!(result["decision"], "fail", "{result}");
    assert_eq!(code, Some(3), "{shown}");
    let cpu = &result["metrics"][0];
    assert_eq!(
        (&cpu["metric"], &cpu["standing"]),
        (&json!("cpu_per_pod"), &json!("slower"))
    );
    assert_eq!(
        result["scenario"]["head_args"],
        json!(["--test-slowdown=300"])
    );
}

#[test]
fn the_verdicts_of_a_gate_are_exported_as_test_cases() {
    let results = tempfile::tempdir().expect("a directory");
    let (code, _, shown) = gate(results.path(), &["--head-arg=--test-slowdown=300"]);
    assert_eq!(code, Some(3), "{shown}");
    let saved = fs::read_dir(results.path()).expect("results").next();
    let exported = |format: &str| {
        let output = Command::new(binary("loadgen"))
            .arg("export")
            .arg(
                saved
                    .as_ref()
                    .expect("one")
                    .as_ref()
                    .expect("an entry")
                    .path(),
            )
            .args(["--format", format])
            .output()
            .expect("loadgen runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    let cases = exported("junit");
    assert!(
        cases.contains(r#"<testcase classname="loadgen gate" name="no errors"></testcase>"#),
        "{cases}"
    );
    assert!(
        cases.contains(r#"name="CPU per pod is not higher"><failure message="+"#),
        "{cases}"
    );
    let bmf: Value = serde_json::from_str(&exported("bmf")).expect("JSON");
    let cpu = &bmf["gate controller CPU per pod"]["increase"];
    assert!(cpu["value"].as_f64() > Some(100.0), "{bmf}");
    assert!(cpu["lower_value"].as_f64() < cpu["value"].as_f64(), "{bmf}");
}

#[test]
fn every_round_has_its_figures_and_orders_are_drawn() {
    let results = tempfile::tempdir().expect("a directory");
    let (code, result, shown) = gate(results.path(), &[]);
    assert_eq!(result["errors"], json!([]), "{shown}");
    assert_eq!(result["complaints"], json!([]), "{shown}");
    // The verdict on two equal programs after so few rounds depends on the machine.
    assert!(matches!(code, Some(0 | 3 | 4)), "{code:?} {shown}");
    let blocks = result["blocks"].as_array().expect("a list");
    assert_eq!(blocks.len(), 8);
    for block in blocks {
        for side in ["base", "head"] {
            let rounds = block[side].as_array().expect("a list");
            assert_eq!(rounds.len(), 2);
            for round in rounds {
                for figure in ["pods", "cpu_ms_per_pod", "p50_ms", "mean_ms"] {
                    assert!(
                        round[figure].as_f64().expect("a number") > 0.0,
                        "{figure}: {round}"
                    );
                }
            }
        }
    }
    let orders: Vec<_> = blocks.iter().map(|block| &block["order"]).collect();
    assert!(orders.contains(&&json!("base_first")) && orders.contains(&&json!("head_first")));
    // Each block has one CPU, and its programs and load share it.
    let cpus = blocks
        .iter()
        .map(|block| block["cpus"].as_array().expect("a list").len());
    assert!(cpus.eq([1; 8]));
    let forecast = &result["forecast"];
    assert_eq!(forecast["blocks"], 6);
    assert!(forecast["noise"].as_f64().expect("a number") > 0.0);
}

#[test]
fn a_slow_program_serves_as_many_pods_as_the_other() {
    let results = tempfile::tempdir().expect("a directory");
    let (_, result, shown) = gate(results.path(), &["--head-arg=--test-slowdown=300"]);
    assert_eq!(result["complaints"], json!([]), "{shown}");
    let pods = |side: &str| -> u64 {
        let blocks = result["blocks"].as_array().expect("a list").iter();
        let rounds = blocks.flat_map(|block| block[side].as_array().expect("a list"));
        rounds
            .map(|round| round["pods"].as_u64().expect("a number"))
            .sum()
    };
    assert_eq!((pods("base"), pods("head")), (8 * 2 * 5, 8 * 2 * 5));
}

#[test]
fn too_few_blocks_and_too_many_cpus_are_refused() {
    let results = tempfile::tempdir().expect("a directory");
    for (args, message) in [
        (["--max-blocks", "7"], "--max-blocks must be at least 8"),
        (["--cpus", "5000"], "--cpus 5000: this process may use"),
        (["--cpus", "none"], "a number above 0, or all"),
        (["--max-minutes", "0"], "more than 0"),
    ] {
        let sandboxer = binary("resource-slot-sandboxer");
        let output = Command::new(binary("loadgen"))
            .args(["gate", "--base"])
            .arg(&sandboxer)
            .arg("--head")
            .arg(&sandboxer)
            .arg("--results")
            .arg(results.path())
            .args(args)
            .output()
            .expect("loadgen runs");
        let shown = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{shown}");
        assert!(shown.contains(message), "{shown}");
    }
}
