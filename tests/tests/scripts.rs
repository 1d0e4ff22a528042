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

/// Runs the shipped plugin of CNI, and returns its output if it succeeds.
fn cni(dir: &Path, command: &str, pod: &str) -> Option<String> {
    let plugin = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/cni/resource-slot");
    let output = Command::new("sh")
        .arg(plugin)
        .env("RESOURCE_SLOT_CNI_DIR", dir)
        .env("CNI_COMMAND", command)
        .env("CNI_CONTAINERID", pod)
        .env("CNI_NETNS", "/run/netns/x")
        .output()
        .expect("the plugin runs");
    let text = String::from_utf8(output.stdout).expect("text");
    output.status.success().then_some(text)
}

/// Returns the address that the plugin reports for a new pod.
fn address(dir: &Path, pod: &str) -> String {
    let text = cni(dir, "ADD", pod).expect("an address");
    let result: serde_json::Value = serde_json::from_str(&text).expect("a result of CNI");
    result["ips"][0]["address"]
        .as_str()
        .expect("an address")
        .to_owned()
}

#[test]
fn the_plugin_of_cni_gives_each_pod_an_address_until_it_is_deleted() {
    let dir = tempfile::tempdir().expect("a directory");
    let dir = dir.path();
    assert_eq!(address(dir, "a"), "198.18.0.1/32");
    assert_eq!(address(dir, "b"), "198.18.0.2/32");
    assert_eq!(address(dir, "a"), "198.18.0.1/32");
    assert!(cni(dir, "DEL", "a").is_some());
    assert!(cni(dir, "DEL", "a").is_some());
    assert_eq!(address(dir, "c"), "198.18.0.3/32");
    std::fs::write(dir.join("last"), "131069").expect("a file");
    let next = ["d", "e", "f"].map(|pod| address(dir, pod));
    assert_eq!(
        next,
        ["198.19.255.254/32", "198.18.0.1/32", "198.18.0.4/32"]
    );
    assert_eq!(cni(dir, "ADD", "../x"), None);
    // Pods that come at once have different addresses.
    let pods: Vec<String> = (0..8).map(|n| format!("p{n}")).collect();
    let mut all: Vec<String> = std::thread::scope(|scope| {
        let each = pods
            .iter()
            .map(|pod| scope.spawn(move || address(dir, pod)));
        let each: Vec<_> = each.collect();
        each.into_iter()
            .map(|one| one.join().expect("it ends"))
            .collect()
    });
    all.sort();
    all.dedup();
    assert_eq!(all.len(), pods.len());
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
    for (program, command) in [
        ("resource-slot-sandboxer", "inspect"),
        ("loadgen", "gate"),
        ("slotplan", "inventory"),
    ] {
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
