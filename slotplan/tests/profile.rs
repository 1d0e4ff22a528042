//! `slotplan profile`, by the program.

use std::fmt::Write;
use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const WEB: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: app
        image: app
        resources: {requests: {cpu: "1", memory: 2Gi}, limits: {cpu: "2", memory: 2Gi}}
"#;

/// Files of a test: the Deployment, and usage of one of its pods, one sample a minute of 100
/// millicores and 300 MiB.
struct Files(TempDir);

impl Files {
    fn new(minutes: i64) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("web.yaml", WEB);
        let mut usage = "time,namespace,pod,container,cpu_millicores,memory_bytes\n".to_owned();
        for minute in 0..minutes {
            let time = 1_767_225_600 + 60 * minute;
            writeln!(usage, "{time},shop,web-6d4cf56db6-x2zp7,app,100,314572800").unwrap();
        }
        files.write("usage.csv", &usage);
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_slotplan"))
            .current_dir(self.0.path())
            .env_clear()
            .arg("profile")
            .args(args)
            .output()
            .unwrap()
    }

    fn document(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(
            output.status.code(),
            Some(0),
            "{args:?}: {}",
            errors(&output)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The case `constant` of VPA's golden answers.
#[test]
fn a_table_of_usage_has_the_recommendation_of_vpa() {
    let document = Files::new(120).document(&["web.yaml", "--usage", "usage.csv"]);
    let container = &document["containers"][0];
    let (cpu, memory) = (&container["cpu"]["vpa"], &container["memory"]["vpa"]);
    assert_eq!(
        (&cpu["lower_bound"], &cpu["target"], &cpu["upper_bound"]),
        (&123.into(), &126.into(), &1650.into())
    );
    assert_eq!(memory["target"], 380_258_472);
    assert_eq!(memory["upper_bound"], 4_981_705_528_i64);
    let krr = &container["cpu"]["krr"];
    assert_eq!(krr["request"], Value::Null);
    assert_eq!(krr["reason"], "not enough data: 120 points in 2.0 h");
}

#[test]
fn new_requests_reach_patches_and_other_commands() {
    let files = Files::new(2 * 1_440);
    let wanted = ["web.yaml", "--usage", "usage.csv", "--strategy", "krr"];
    let written = ["--apply", "patches", "--apply-to", "new.json"];
    let before = files.document(&[&wanted[..], &written].concat());
    let patch = files.read("patches/shop_deployment_web.yaml");
    let resources = "\
        resources:
          requests:
            cpu: \"100m\"
            memory: \"361758720\"
          limits:
            cpu: null
            memory: \"361758720\"
";
    assert!(patch.ends_with(resources), "{patch}");
    let resized = ["web.yaml", "--usage", "usage.csv", "--resize", "new.json"];
    let after = files.document(&resized);
    assert_eq!(before["sums"]["after"], after["sums"]["before"]);
    assert_eq!(before["sums"]["before"]["cpu_millicores"], 3_000);
    assert_eq!(after["sums"]["before"]["cpu_millicores"], 300);
    assert_eq!(after["inputs"].as_array().unwrap().len(), 3);
    let as_they_are = files.document(&[&resized[..], &["--strategy", "requested"]].concat());
    let notes = as_they_are["notes"].to_string();
    assert!(!notes.contains("not enough data"), "{notes}");
    assert_eq!(as_they_are["sums"]["before"], as_they_are["sums"]["after"]);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let files = Files::new(1_500);
    let twice = [(); 2].map(|()| {
        let args = ["web.yaml", "--usage", "usage.csv", "--html", "page.html"];
        let output = files.run(&args);
        assert!(output.status.success(), "{}", errors(&output));
        (output.stdout, files.read("page.html"))
    });
    assert_eq!(twice[0], twice[1]);
    assert!(twice[0].1.contains("shop/Deployment/web, app (3 pods)"));
}

#[test]
fn wrong_input_is_one_clear_error() {
    let files = Files::new(1);
    files.write(
        "other.csv",
        "time,namespace,pod,container,cpu_millicores,memory_bytes\n",
    );
    files.write("new.json", "{\"schema\": \"slotplan/cost/1\"}");
    for (args, message) in [
        (&["web.yaml"][..], "no usage of the pods in the input"),
        (
            &["web.yaml", "--usage", "other.csv"],
            "no usage of the pods in the input",
        ),
        (&["web.yaml", "--usage", "missing.csv"], "missing.csv"),
        (
            &["web.yaml", "--usage", "usage.csv", "--resize", "new.json"],
            "new.json: missing field `strategy`",
        ),
        (
            &["web.yaml", "--usage", "usage.csv", "--strategy", "p95"],
            "not a strategy: p95 (requested, vpa, krr or percentile=95)",
        ),
        (
            &["web.yaml", "--usage", "usage.csv", "--step", "1s"],
            "less than a minute",
        ),
    ] {
        let output = files.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(
            errors(&output).contains(message),
            "{args:?}: {}",
            errors(&output)
        );
        assert!(output.stdout.is_empty());
    }
}
