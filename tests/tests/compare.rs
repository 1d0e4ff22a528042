//! Repeated runs, comparisons of them, and calibrations, with real sandboxers. The tests do not
//! depend on absolute speed, only on one of two programs being four times slower.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tests::{binary, read_json};

/// Options of runs that take a fraction of a second.
const SMALL: [&str; 6] = ["--pods", "40", "--concurrency", "8", "--seed", "5"];

/// Runs loadgen, and returns its exit code and output.
fn loadgen(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(binary("loadgen"))
        .args(args)
        // Pods of the rounds of a gate, where no option states the number.
        .env("LOADGEN_PODS", "5")
        .stdin(Stdio::null())
        .output()
        .expect("loadgen runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Makes runs and returns the directory of their result, the only one in `results`.
fn runs(results: &Path, args: &[&str]) -> PathBuf {
    let sandboxer = binary("resource-slot-sandboxer").display().to_string();
    let results_text = results.display().to_string();
    let all = [
        &[
            "run",
            "--sandboxer",
            &sandboxer,
            "--results",
            &results_text,
            "--quiet",
        ][..],
        &SMALL[..],
        args,
    ];
    let (code, _, said) = loadgen(&all.concat());
    assert_eq!(code, Some(0), "{said}");
    let mut saved = fs::read_dir(results).expect("results");
    saved.next().expect("a result").expect("an entry").path()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of letters")
}

#[test]
fn repeated_runs_are_whole_results_with_a_summary() {
    let results = tempfile::tempdir().expect("a directory");
    let dir = runs(results.path(), &["--repeat", "2", "--slo", "pod.errors<1"]);
    let name = dir.file_name().expect("a name").to_string_lossy();
    assert!(name.starts_with("runs-") && name.ends_with("-5"), "{name}");
    let summary = read_json(&dir.join("result.json"));
    assert_eq!(summary["schema"], "resource-slot.loadgen.runs");
    assert_eq!(
        (&summary["valid"], &summary["repeat"]),
        (&json!(true), &json!(2))
    );
    let mut logs = 0;
    for run in summary["runs"].as_array().expect("a list") {
        let run = dir.join(run["dir"].as_str().expect("a name"));
        let document = read_json(&run.join("result.json"));
        assert_eq!(document["plan_hash"], summary["plan_hash"]);
        assert_eq!(document["totals"]["pods"], 40);
        for file in [
            "latencies.hlog",
            "report.html",
            "operations.csv",
            "sandboxer.log",
        ] {
            assert!(run.join(file).exists(), "{file}");
        }
        logs += 1;
    }
    assert_eq!(logs, 2);
    let cpu = summary["figures"].as_array().expect("a list").iter();
    let cpu = cpu
        .filter(|figure| figure["what"] == "sandboxer")
        .collect::<Vec<_>>();
    assert_eq!(
        cpu[0]["values"].as_array().map(Vec::len),
        Some(2),
        "{cpu:?}"
    );
    let (code, shown, _) = loadgen(&["report", "--format", "text", text(&dir)]);
    assert_eq!(code, Some(0));
    assert!(shown.contains("sandboxer CPU per pod"), "{shown}");
}

#[test]
fn a_missed_threshold_of_one_run_is_named_with_its_number() {
    let results = tempfile::tempdir().expect("a directory");
    let place = text(results.path()).to_owned();
    let sandboxer = binary("resource-slot-sandboxer").display().to_string();
    let args = [
        &[
            "run",
            "--sandboxer",
            &sandboxer,
            "--results",
            &place,
            "--quiet",
        ][..],
        &SMALL[..],
        &["--repeat", "2", "--slo", "pod.rate<1"],
    ];
    let (code, _, said) = loadgen(&args.concat());
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("run 2: MISSED: pod.rate"), "{said}");
}

#[test]
fn a_program_four_times_slower_is_called_slower_with_three_runs_a_side_and_not_with_one() {
    let place = tempfile::tempdir().expect("a directory");
    let (a, b) = (place.path().join("a"), place.path().join("b"));
    let a = runs(&a, &["--repeat", "3"]);
    let slow = ["--repeat", "3", "--sandboxer-arg=--test-slowdown=300"];
    let b = runs(&b, &slow);
    let (code, out, said) = loadgen(&["compare", text(&a), text(&b), "--json"]);
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(
        (code, &document["outcome"]),
        (Some(3), &json!("slower")),
        "{document}"
    );
    assert_eq!(document["basis"], "runs");
    assert_eq!(document["figures"][0]["what"], "sandboxer");
    assert_eq!(document["figures"][0]["verdict"], "slower");

    let one = |side: &Path, run: &str| text(&side.join(run)).to_owned();
    let (a1, a2, a3) = (one(&a, "run-001"), one(&a, "run-002"), one(&a, "run-003"));
    let (b1, b2, b3) = (one(&b, "run-001"), one(&b, "run-002"), one(&b, "run-003"));
    let (code, out, said) = loadgen(&["compare", "--a", &a1, &a2, &a3, "--b", &b1, &b2, &b3]);
    assert_eq!(code, Some(3), "{out}{said}");
    assert!(out.contains("SLOWER: sandboxer CPU per pod"), "{out}");

    let (code, out, said) = loadgen(&["compare", &a1, &b1]);
    assert_eq!(code, Some(4), "{out}{said}");
    assert!(out.contains("one run a side cannot tell"), "{out}");
    let (code, _, said) = loadgen(&["compare", "--a", &a1, "--b"]);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn a_calibrated_machine_lets_single_runs_be_judged() {
    let place = tempfile::tempdir().expect("a directory");
    let results = text(place.path()).to_owned();
    let sandboxer = binary("resource-slot-sandboxer").display().to_string();
    let args = [
        &["calibrate", "--runs", "5", "--sandboxer", &sandboxer][..],
        &["--results", &results, "--no-progress"],
        &SMALL[..],
    ];
    let (code, out, said) = loadgen(&args.concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(
        out.contains("run-to-run spread") && out.contains("runs a side"),
        "{out}"
    );
    let file = place.path().join("calibration.json");
    let calibration = read_json(&file);
    assert_eq!(calibration["schema"], "resource-slot.loadgen.calibration");
    assert_eq!(calibration["runs"], 5);
    let gate = &calibration["gate"];
    assert!(gate["blocks"].as_u64() >= Some(6), "{gate}");
    assert!(gate["noise"].as_f64() > Some(0.0), "{gate}");
    assert_eq!(gate["max_minutes"], 5.0, "{gate}");
    assert!(out.contains("varies by"), "{out}");

    let carries = ["--calibration", text(&file)];
    let a = runs(&place.path().join("a"), &carries);
    let b = runs(&place.path().join("b"), &carries);
    assert_eq!(read_json(&a.join("result.json"))["calibration"]["runs"], 5);
    let (code, out, said) = loadgen(&["compare", text(&a), text(&b), "--json"]);
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(document["basis"], "calibration", "{code:?}");
    assert!(document["figures"][0]["interval"].is_object(), "{document}");

    // The file of another machine is refused.
    let mut other = calibration;
    other["environment"]["cores"] = json!(4096);
    fs::write(&file, other.to_string()).expect("written");
    let args = [
        &[
            "run",
            "--results",
            &results,
            "--sandboxer",
            &sandboxer,
            "--quiet",
        ][..],
        &SMALL[..],
        &carries,
    ];
    let (code, _, said) = loadgen(&args.concat());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cores: 4096, and here"), "{said}");
}
