//! The scripts find what is there.

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
