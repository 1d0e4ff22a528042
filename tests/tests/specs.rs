//! Specs of all tools over the task service: only a used field with a wrong value is refused.

use std::fs;
use std::path::Path;

use containerd_sandbox::Code;
use serde_json::{Value, json};
use tests::{Daemon, bundle, read_json, ready_sandbox, request};

/// Returns every whole spec of the corpus with its name.
fn corpus() -> Vec<(String, Value)> {
    let dir =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/pod-resources/src/fixtures/corpus");
    let entries = fs::read_dir(&dir).expect("a corpus");
    let mut specs: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, read_json(&path))
        })
        // The others are configurations of CRI.
        .filter(|(_, spec)| spec.get("ociVersion").is_some())
        .collect();
    specs.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(specs.len() > 10);
    specs
}

#[tokio::test]
async fn a_container_of_every_tools_spec_is_created_and_runs_commands() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "p1").await;
    for (name, mut spec) in corpus() {
        if !spec["annotations"].is_object() {
            spec["annotations"] = json!({});
        }
        spec["annotations"]["io.kubernetes.cri.sandbox-id"] = json!("p1");
        if spec["process"]["args"].is_array() {
            // The container must run until its command has ended.
            spec["process"]["args"] = json!(["sleep", "infinity"]);
        }
        let bundle = bundle(daemon.home().root(), &name, &spec);
        let created = client.create(&request::create(&name, &bundle)).await;
        created.unwrap_or_else(|e| panic!("{name}: {e}"));
        client.start(&request::start(&name, "")).await.expect(&name);
        let exec = request::exec(&name, "e", &["sh", "-c", "exit 7"]);
        if client.exec(&exec).await.is_ok() {
            client
                .start(&request::start(&name, "e"))
                .await
                .expect(&name);
            let ended = client.wait(&request::wait(&name, "e")).await.expect(&name);
            assert_eq!(ended.exit_status, 7, "{name}");
        }
    }
    let view = read_json(&daemon.container_view("p1", "podman"));
    assert_eq!(view["cpu_limit"], json!(1.5));
}

#[tokio::test]
async fn a_used_field_with_a_wrong_value_is_named_in_the_error_or_in_a_warning() {
    let wrong = [
        (
            json!({"process": {"args": "sleep"}}),
            r#"process.args: cannot read "sleep""#,
        ),
        (json!({"process": 5}), "process: cannot read 5"),
        (json!({"linux": 5}), r#"linux: cannot read "5""#),
        (
            json!({"linux": {"resources": {"memory": {"limit": "512m"}}}}),
            r#"memory limit: cannot read "\"512m\"""#,
        ),
        (
            json!({"linux": {"resources": {"cpu": {"shares": -1}}}}),
            r#"cpu shares: cannot read "-1""#,
        ),
        (
            json!({"linux": {"resources": {"unified": {"pids.max": [5]}}}}),
            r#"pids.max: cannot read "[5]""#,
        ),
    ];
    for args in [&[][..], &["--on-invalid", "warn"]] {
        let daemon = Daemon::start(args);
        let client = daemon.ttrpc().await;
        ready_sandbox(&client, "p1").await;
        for (n, (spec, message)) in wrong.iter().enumerate() {
            let mut spec = spec.clone();
            spec["annotations"] = json!({"io.kubernetes.cri.sandbox-id": "p1"});
            let id = format!("c{n}");
            let bundle = bundle(daemon.home().root(), &id, &spec);
            let created = client.create(&request::create(&id, &bundle)).await;
            if args.is_empty() {
                let refused = created.expect_err(message);
                assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
                assert!(refused.to_string().contains(message), "{refused}");
            } else {
                created.expect(message);
                let log = daemon.home().log();
                let warning = log.lines().find(|line| line.contains(message));
                assert!(warning.is_some_and(|line| line.contains("WARN")), "{log}");
            }
        }
    }
}
