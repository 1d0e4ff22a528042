//! `slotplan policy` and `--policies`, as a user calls them.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const LOAD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, team: front}}
    spec:
      securityContext: {runAsNonRoot: true}
      containers: [{name: web, image: 'web:1', resources: {requests: {cpu: 500m}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: root, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: root}}
  template:
    metadata: {labels: {app: root, team: back}}
    spec:
      containers: [{name: root, image: root}]
";

const POLICIES: &str = "\
apiVersion: v1
kind: LimitRange
metadata: {name: l, namespace: shop}
spec: {limits: [{type: Container, defaultRequest: {memory: 128Mi}}]}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: shop}
spec: {hard: {pods: '3', requests.memory: 1Gi}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-root}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  validations:
  - expression: \"object.spec.?securityContext.?runAsNonRoot.orValue(false) || request.userInfo.username == params.data.exempt\"
    messageExpression: \"'may run as root: ' + object.metadata.labels.app\"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: everywhere}
spec:
  policyName: no-root
  validationActions: [Deny]
  paramRef: {name: exempt, namespace: shop, parameterNotFoundAction: Deny}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: exempt, namespace: shop}
data: {exempt: alice}
";

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("load.yaml", LOAD);
        files.write("policies.yaml", POLICIES);
        files
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_slotplan"))
            .args(args)
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    fn json(&self, args: &[&str]) -> (Option<i32>, Value) {
        let output = self.run(args);
        let text = String::from_utf8_lossy(&output.stderr);
        let json = serde_json::from_slice(&output.stdout);
        (
            output.status.code(),
            json.unwrap_or_else(|error| panic!("{error}: {text}")),
        )
    }
}

const ARGS: [&str; 5] = [
    "policy",
    "load.yaml",
    "--policies",
    "policies.yaml",
    "--json",
];

#[test]
fn each_pod_is_admitted_changed_or_refused_with_the_words_of_an_api_server() {
    let files = Files::new();
    let (code, document) = files.json(&ARGS);
    assert_eq!(code, Some(3));
    assert_eq!(document["schema"], "slotplan/policy/1");
    assert_eq!(document["pods"]["changed"], 3);
    assert_eq!(document["pods"]["refused_by"]["resource_quota"], 1);
    assert_eq!(
        document["pods"]["refused_by"]["validating_admission_policy"],
        2
    );
    let words: Vec<_> = document["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|decision| decision["message"].as_str())
        .map(|words| words.split_once(" is forbidden: ").unwrap().1)
        .collect();
    let root = "ValidatingAdmissionPolicy 'no-root' with binding 'everywhere' denied request: may run as root: root";
    assert_eq!(
        words,
        [
            "exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3",
            root,
            root
        ]
    );
    let pods = &document["quotas"][0]["keys"][0];
    assert_eq!(
        (&pods["peak"], &pods["sufficient"]),
        (&"3".into(), &"4".into())
    );
    assert_eq!(document["refusals_by_team"][0]["name"], "back");
}

#[test]
fn the_user_counts() {
    let files = Files::new();
    let args = [&ARGS[..], &["--user", "alice"]].concat();
    let (_, document) = files.json(&args);
    assert_eq!(
        document["pods"]["refused_by"]["validating_admission_policy"],
        0
    );
    assert_eq!(document["pods"]["refused_by"]["resource_quota"], 3);
}

#[test]
fn the_same_input_gives_the_same_bytes_in_every_form() {
    let files = Files::new();
    let forms: [&[&str]; 4] = [
        &["--json"],
        &["--markdown"],
        &["--all"],
        &["--html", "page.html"],
    ];
    for form in forms {
        let args = [
            &["policy", "load.yaml", "--policies", "policies.yaml"],
            form,
        ]
        .concat();
        let (first, second) = (files.run(&args), files.run(&args));
        assert!(
            !first.stdout.is_empty(),
            "{}",
            String::from_utf8_lossy(&first.stderr)
        );
        assert_eq!(first.stdout, second.stdout);
    }
    let page = fs::read_to_string(files.0.path().join("page.html")).unwrap();
    assert!(page.contains("3 of 6 pods refused"));
    let text = String::from_utf8(files.run(&ARGS[..4]).stdout).unwrap();
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn policies_decide_before_another_command_computes() {
    let files = Files::new();
    let (code, before) = files.json(&["inventory", "load.yaml", "--json"]);
    assert_eq!((code, &before["pods"]), (Some(0), &6.into()));
    let (code, after) = files.json(&[
        "inventory",
        "load.yaml",
        "--policies",
        "policies.yaml",
        "--json",
    ]);
    assert_eq!((code, &after["pods"]), (Some(0), &3.into()));
    let assumptions = after["assumptions"].to_string();
    assert!(
        assumptions.contains("policies refuse 3 pods"),
        "{assumptions}"
    );
    assert!(assumptions.contains("LimitRange sets default requests or limits of 3 pods"));
}

#[test]
fn without_refusals_the_code_is_0_and_a_wrong_policy_is_1() {
    let files = Files::new();
    let output = files.run(&["policy", "load.yaml"]);
    assert_eq!(output.status.code(), Some(0));
    files.write(
        "wrong.yaml",
        &POLICIES.replace("orValue(false)", "orValue(false) || 1"),
    );
    let output = files.run(&["policy", "load.yaml", "--policies", "wrong.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains(
            "wrong.yaml:11: ValidatingAdmissionPolicy no-root: spec.validations[0].expression"
        ),
        "{error}"
    );
}
