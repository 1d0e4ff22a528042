//! Pods over CRI to the sandboxer, with containers that end by themselves: loadgen learns of each
//! end from the stream of events and starts containers again.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::{Daemon, binary, read_json};

/// Fifty pods that are held for a second while their containers end every 50 ms.
const RESTARTED: &str = r#"
name = "restarted"

[pods]
containers = 2
life = { restart_always = { hold = "1s", exit_after_ms = 50, exit_code = { choice = [[0, 1], [7, 1]] } } }

[load]
concurrency = 8
connections = 2
pods = 50
"#;

/// Fifty pods that are removed when their containers have ended, some of them with exit code 3.
const JOBS: &str = r#"
name = "short-jobs"

[pods]
containers = 2
life = { job = { exit_after_ms = 50, exit_code = { choice = [[0, 9], [3, 1]] } } }

[load]
concurrency = 8
pods = 50
"#;

/// Runs a scenario on a new sandboxer and returns the result, which must be good.
fn run(scenario: &str) -> Value {
    let daemon = Daemon::start(&[]);
    let results = daemon.home().root().join("results");
    let file = daemon.home().root().join("scenario.toml");
    fs::write(&file, scenario).expect("a scenario is written");
    let output = Command::new(binary("loadgen"))
        .arg("run")
        .arg(file)
        .args(["--no-progress", "--target", "cri", "--endpoint"])
        .arg(daemon.home().socket())
        .arg("--results")
        .arg(&results)
        .stdin(Stdio::null())
        .output()
        .expect("loadgen runs");
    let shown = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{printed}");
    assert_eq!(daemon.slots(), Vec::<String>::new());
    let result = read_json(&only_entry(&results).join("result.json"));
    assert_eq!(result["valid"], true, "{}", result["reasons"]);
    assert_eq!(result["notes"], serde_json::json!([]), "all is compared");
    assert_eq!(result["totals"]["pods"], 50);
    result
}

fn only_entry(dir: &Path) -> std::path::PathBuf {
    let mut entries = fs::read_dir(dir).expect("results");
    entries.next().expect("a result").expect("an entry").path()
}

fn count(result: &Value, operation: &str) -> u64 {
    let operations = result["operations"].as_array().expect("a list");
    let found = operations
        .iter()
        .find(|figures| figures["operation"] == operation);
    found.expect(operation)["count"].as_u64().expect("a number")
}

#[test]
fn containers_that_end_are_started_again_while_their_pods_are_held() {
    let result = run(RESTARTED);
    let created = count(&result, "create_container");
    assert!(created > 2 * 100, "{created} containers");
    // Containers that run at the end of the hold are stopped, and all pods are removed.
    assert!(count(&result, "stop_container") <= 100);
    assert_eq!(count(&result, "remove_container"), created);
    let hold = &result["hold"];
    assert!(hold["duration_s"].as_f64() >= Some(1.0), "{hold}");
}

#[test]
fn a_jobs_containers_end_with_the_planned_codes_and_its_pod_is_removed() {
    let result = run(JOBS);
    assert_eq!(count(&result, "create_container"), 100);
    assert_eq!(count(&result, "remove_container"), 100);
    assert_eq!(count(&result, "stop_container"), 0, "nobody stops them");
    assert_eq!(result["hold"], Value::Null);
}
