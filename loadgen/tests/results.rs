//! Tests of the messages of `loadgen` about unusable files.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn loadgen(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let code = output.status.code().expect("no signal");
    (code, String::from_utf8(output.stderr).unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_result_that_cannot_be_read_is_named_with_the_required_form() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("result.json");
    let begin = r#"{"schema": "resource-slot.loadgen.result", "schema_version": "#;
    for (content, told) in [
        ("", "it is no whole JSON document: EOF"),
        (&format!("{begin}2, \"reasons\": [\n"), "at line 2"),
        (
            r#"{"schema": "other"}"#,
            "its field schema is \"other\", and must be one of \
             \"resource-slot.loadgen.result\", \"resource-slot.loadgen.search\", \
             \"resource-slot.loadgen.density\", \"resource-slot.loadgen.gate\", \
             \"resource-slot.loadgen.runs\", \"resource-slot.loadgen.calibration\" and \
             \"resource-slot.loadgen.overhead\"",
        ),
        (&format!("{begin}3}}"), "use a newer loadgen"),
        (&format!("{begin}2}}"), "missing field `tool_version`"),
        (
            &format!("{begin}2,\n\"tool_version\": 1}}"),
            "its field tool_version: invalid type: integer `1`, expected a string at line 2",
        ),
    ] {
        fs::write(&file, content).unwrap();
        for args in [&["report", text(dir.path())][..], &["report", text(&file)]] {
            let (code, message) = loadgen(args);
            assert_eq!(code, 1, "{message}");
            let named = format!("error: read {}: ", file.display());
            assert!(
                message.starts_with(&named) && message.contains(told),
                "{told}: {message}"
            );
        }
    }
}

#[test]
fn a_result_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("run-1");
    let whole = dir.path().join("whole");
    for args in [
        &["report", text(&missing)][..],
        &["merge", text(&whole), text(&missing), text(&missing)],
    ] {
        let (code, message) = loadgen(args);
        assert_eq!(code, 1, "{message}");
        assert!(
            message.contains("run-1: No such file or directory"),
            "{message}"
        );
    }
    assert!(!whole.exists());
}

#[test]
fn commands_on_runs_refuse_other_results() {
    let dir = tempfile::tempdir().unwrap();
    let search = r#"{"schema": "resource-slot.loadgen.search", "schema_version": 1}"#;
    fs::write(dir.path().join("result.json"), search).unwrap();
    let (result, whole) = (text(dir.path()), dir.path().join("whole"));
    for args in [
        &["compare", result, result][..],
        &["merge", text(&whole), result, result],
    ] {
        let (code, message) = loadgen(args);
        assert_eq!(code, 1, "{message}");
        let told = "must be \"resource-slot.loadgen.result\"";
        assert!(message.contains(told), "{message}");
    }
}

#[test]
fn a_merge_takes_two_parts_at_least() {
    let (code, message) = loadgen(&["merge", "whole", "part"]);
    assert_eq!(code, 1, "{message}");
}

#[test]
fn the_schema_that_is_printed_is_the_committed_one() {
    let output = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .arg("schema")
        .output()
        .unwrap();
    let committed = include_str!("../../results/schema/run-2.schema.json");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), committed);
}

#[test]
fn results_that_cannot_be_saved_are_noticed_before_the_load() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let results = file.join("results");
    let nobody = dir.path().join("none.sock");
    let args = [
        "run",
        "--endpoint",
        text(&nobody),
        "--results",
        text(&results),
    ];
    let (code, message) = loadgen(&args);
    assert_eq!(code, 1, "{message}");
    assert!(
        message.contains("file/results: Not a directory"),
        "{message}"
    );
}
