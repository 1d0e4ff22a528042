//! The example pod: `deploy/kubernetes/pod.json` and `container.json` for crictl, `loadgen pod`,
//! and the script that tries the programs with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cri_api::v1::{ContainerFilter, ContainerState, PodSandboxFilter};
use serde_json::{Value, json};
use tests::cri::{containers, pods, status};
use tests::{Daemon, binary, read_json};

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Returns a shipped file with the log directory below `root`.
fn shipped(name: &str, root: &Path) -> PathBuf {
    let mut document = read_json(&repository().join("deploy/kubernetes").join(name));
    if document.get("log_directory").is_some() {
        document["log_directory"] = json!(root.join("logs"));
    }
    let path = root.join(name);
    fs::write(&path, document.to_string()).expect("a file");
    path
}

fn pod(daemon: &Daemon, args: &[&Path]) -> Output {
    Command::new(binary("loadgen"))
        .args(["pod", "--endpoint"])
        .arg(daemon.home().socket())
        .args(args)
        .output()
        .expect("loadgen runs")
}

#[tokio::test]
async fn the_pod_for_crictl_runs_with_its_container() {
    let daemon = Daemon::start(&[]);
    let root = daemon.home().root();
    let files = [shipped("pod.json", root), shipped("container.json", root)];
    let output = pod(&daemon, &[&files[0], &files[1]]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let printed = String::from_utf8(output.stdout).expect("text");
    let ids: Vec<&str> = printed.lines().collect();

    let cri = daemon.cri().await;
    assert_eq!(
        pods(&cri, PodSandboxFilter::default())
            .await
            .expect("a list"),
        [ids[0]]
    );
    let running = containers(&cri, ContainerFilter::default()).await;
    assert_eq!(running.expect("a list"), [ids[1]]);
    let state = status(&cri, ids[1]).await.state;
    assert_eq!(state, i32::from(ContainerState::ContainerRunning));
    assert!(root.join("logs/web.log").exists());
    let right = json!({
        "cpu_limit": 2.0,
        "cpu_request": 1.0,
        "memory_limit": 2_147_483_648_u64,
        "memory_request": 1_073_741_824,
        "pid_limit": 1000,
        "storage_limit": Value::Null,
        "network_bandwidth": Value::Null,
    });
    assert_eq!(read_json(&daemon.view(ids[0])), right);

    let output = Command::new(binary("loadgen"))
        .args(["pod", "--id", "test-sandbox", "--endpoint"])
        .arg(daemon.home().socket())
        .arg(&files[0])
        .output()
        .expect("loadgen runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "test-sandbox\n");
    assert_eq!(read_json(&daemon.view("test-sandbox")), right);
}

#[tokio::test]
async fn a_file_that_is_no_pod_is_named_with_the_mistake() {
    let daemon = Daemon::start(&[]);
    let file = daemon.home().root().join("pod.json");
    for (text, words) in [
        (r#"{"metadta": {}}"#, "unknown field metadta"),
        ("metadata:\n  name: web\n", "no JSON document"),
    ] {
        fs::write(&file, text).expect("a file");
        let output = pod(&daemon, &[&file]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(words), "{said}");
    }
    let output = pod(&daemon, &[Path::new("/dev/zero")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("/dev/zero: it is a device"), "{said}");
}

/// Runs the script with a shell and the programs of a directory.
fn tried(shell: &str, bin: &Path) -> Output {
    Command::new(shell)
        .arg(repository().join("test_resource_slot.sh"))
        .env("BIN", bin)
        .env("RESOURCE_SLOT_LOG_LEVEL", "error")
        .output()
        .expect("the shell runs")
}

#[test]
fn the_script_tries_the_programs_in_every_shell() {
    let program = binary("resource-slot-sandboxer");
    let bin = program.parent().expect("in a directory");
    for shell in ["sh", "bash", "dash"] {
        if Command::new(shell).args(["-c", ":"]).status().is_err() {
            assert_eq!(shell, "dash", "every system has sh and bash");
            continue;
        }
        let output = tried(shell, bin);
        let printed = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{shell}: {printed}{said}");
        assert!(printed.contains("ResourceSlot sandbox test-sandbox created successfully"));
        assert!(printed.ends_with("all passed\n"), "{shell}: {printed}");
    }
}

#[test]
fn the_script_fails_without_programs_and_with_wrong_ones() {
    let empty = tempfile::tempdir().expect("a directory");
    let output = tried("sh", empty.path());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("does not contain"), "{said}");

    for name in ["resource-slot-sandboxer", "loadgen"] {
        std::os::unix::fs::symlink("/bin/false", empty.path().join(name)).expect("a link");
    }
    let output = tried("sh", empty.path());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("FAILED: the sandboxer starts"), "{said}");
}
