//! The scripts find programs and count words as they document it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What `scripts/containerd` prints if the first containerd on the PATH is a stand-in
/// that says only this of its version.
fn found(dir: &Path, version: &str) -> String {
    let program = dir.join("containerd");
    let text = format!("#!/bin/sh\necho containerd github.com/containerd/containerd {version} x\n");
    std::fs::write(&program, text).expect("the stand-in is written");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("it is executable");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../scripts/containerd"
    ))
    .env_remove("CONTAINERD_BIN")
    .env("PATH", format!("{}:{path}", dir.display()))
    .output()
    .expect("the script runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_containerd_on_the_path_is_used_if_it_is_new_enough() {
    let dir = tempfile::tempdir().expect("a directory");
    let program = dir.path().join("containerd").display().to_string();
    assert_eq!(found(dir.path(), "v2.1.9"), program);
    assert_eq!(found(dir.path(), "2.10.0~ds1"), program);
    assert_ne!(found(dir.path(), "1.7.24"), program);
}

/// Runs `scripts/words` on a path and returns the numbers of its row.
fn counted(path: &Path) -> Vec<f64> {
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/words"))
        .arg(path)
        .output()
        .expect("the script runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let row = text.lines().nth(1).expect("a row");
    let numbers = row.split_whitespace().skip(1);
    numbers
        .map(|cell| cell.parse().expect("a number"))
        .collect()
}

#[test]
fn words_outside_of_code_are_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let document = dir.path().join("a.md");
    let text =
        "# Who\n\nReturns the WHAT of `what` it, whatsoever.\n\n```sh\nwho\n```\n\nEnds of it.\n";
    std::fs::write(&document, text).expect("the document is written");
    // Inline code is one word. "Ends" has no object.
    assert_eq!(counted(&document), [11.0, 181.8, 90.9]);
}

#[test]
fn words_of_rustdoc_are_counted_and_those_of_other_comments_are_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = "//! Parses a thing.\n// who\n/// Whose.\n/// ```\n/// who\n/// ```\nfn who() {}\n/// Holds it.\n";
    std::fs::write(dir.path().join("a.rs"), text).expect("the source is written");
    assert_eq!(counted(dir.path()), [6.0, 166.7, 333.3]);
}

#[test]
fn each_program_writes_a_manual_page_for_every_command() {
    for (program, command) in [("resource-slot-sandboxer", "inspect"), ("loadgen", "gate")] {
        let dir = tempfile::tempdir().expect("a directory");
        let written = Command::new(tests::binary(program))
            .arg("man")
            .arg(dir.path())
            .status()
            .expect("the program runs");
        assert!(written.success(), "{program}");
        for page in [program.to_owned(), format!("{program}-{command}")] {
            let page = dir.path().join(format!("{page}.1"));
            let text = std::fs::read_to_string(&page).expect("a page");
            assert!(text.contains(".SH NAME"), "{}", page.display());
        }
    }
}
