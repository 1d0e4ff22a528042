//! The planner: its command line over the shipped binary.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `slotplan` without variables of the surroundings that it reads.
fn slotplan(directory: &Path, variables: &[(&str, &str)], args: &[&str]) -> Output {
    let surroundings = std::env::vars_os().map(|(name, _)| name);
    let mut command = Command::new(tests::binary("slotplan"));
    for name in surroundings.filter(|name| name.to_string_lossy().starts_with("SLOTPLAN_")) {
        command.env_remove(name);
    }
    command
        .current_dir(directory)
        .envs(variables.iter().copied())
        .args(args)
        .output()
        .expect("slotplan runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 250m}}}]}
";

const NODE: &str = "\
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {allocatable: {cpu: \"4\", memory: 8Gi, pods: \"20\"}}
";

#[test]
fn a_flag_wins_over_the_environment_and_the_environment_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("pod.yaml"), POD).unwrap();
    fs::write(dir.path().join("all.toml"), "format = \"json\"\n").unwrap();
    fs::write(
        dir.path().join("one.toml"),
        "format = \"json\"\n[inventory]\nformat = \"text\"\n",
    )
    .unwrap();
    let is_json = |variables: &[(&str, &str)], args: &[&str]| {
        let output = slotplan(
            dir.path(),
            variables,
            &[&["inventory", "pod.yaml"], args].concat(),
        );
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice::<Value>(&output.stdout).is_ok()
    };
    assert!(!is_json(&[], &[]));
    assert!(is_json(&[], &["--config", "all.toml"]));
    assert!(!is_json(&[], &["--config", "one.toml"]));
    assert!(is_json(&[("SLOTPLAN_CONFIG", "all.toml")], &[]));
    assert!(is_json(
        &[("SLOTPLAN_FORMAT", "json")],
        &["--config", "one.toml"]
    ));
    assert!(!is_json(
        &[("SLOTPLAN_FORMAT", "json")],
        &["--format", "text"]
    ));
    assert!(is_json(&[("SLOTPLAN_FORMAT", "text")], &["--json"]));
    // A variable that is set to nothing is not set.
    assert!(!is_json(&[("SLOTPLAN_FORMAT", "")], &[]));
}

#[test]
fn wrong_usage_and_wrong_input_are_told_once_with_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("pod.yaml", POD);
    write("bad.yaml", &POD.replace("250m", "25 0m"));
    write("command.toml", "[inventry]\nformat = \"json\"\n");
    write("option.toml", "formt = \"json\"\n");
    write("value.toml", "[inventory]\nformat = \"jsn\"\n");
    let cases: [(&[&str], &[&str]); 6] = [
        (&["inventory", "none.yaml"], &["none.yaml", "No such file"]),
        (
            &["inventory", "bad.yaml"],
            &["bad.yaml:4", "requests.cpu", "25 0m"],
        ),
        (
            &["inventory", "--config", "command.toml"],
            &["command.toml", "[inventry]"],
        ),
        (
            &["inventory", "--config", "option.toml"],
            &["option.toml", "formt"],
        ),
        (
            &["inventory", "--config", "value.toml"],
            &["value.toml", "jsn"],
        ),
        (
            &["inventory", "--config", "none.toml"],
            &["none.toml", "No such file"],
        ),
    ];
    for (args, parts) in cases {
        let output = slotplan(dir.path(), &[], args);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert_eq!(stdout(&output), "");
        for part in parts {
            assert_eq!(told.matches(part).count(), 1, "{part} in {told}");
        }
    }
    let output = slotplan(
        dir.path(),
        &[("SLOTPLAN_FORMAT", "jsn")],
        &["inventory", "pod.yaml"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("SLOTPLAN_FORMAT"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn every_answer_has_a_page_and_markdown() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("pod.yaml"), POD).unwrap();
    fs::write(dir.path().join("node.yaml"), NODE).unwrap();
    let inputs = ["pod.yaml", "node.yaml"];
    for command in [
        &["inventory"][..],
        &["schedule"],
        &["fit", "--pod-shape", "1,1Gi"],
        &["capacity", "--node", "4c,8Gi"],
        &["policy"],
        &["cost"],
    ] {
        let args = [command, &inputs, &["--html", "page.html", "--markdown"]].concat();
        let output = slotplan(dir.path(), &[], &args);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(!stdout(&output).is_empty(), "{command:?}");
        let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
        fs::remove_file(dir.path().join("page.html")).unwrap();
        assert!(page.starts_with("<!DOCTYPE html>"), "{command:?}");
        assert!(page.contains(command[0]), "{command:?}");
    }
}

#[test]
fn completions_name_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let help = stdout(&slotplan(dir.path(), &[], &["--help"]));
    let commands = help.split_once("Commands:").expect("a list").1;
    let commands = commands.split("\n\n").next().unwrap_or_default();
    let names: Vec<&str> = commands
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.contains(&"inventory"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&slotplan(dir.path(), &[], &["completions", shell]));
        for name in &names {
            assert!(script.contains(name), "{shell}: {name}");
        }
    }
}
