//! Speed, as ignored tests of the release profile:
//!
//! ```text
//! cargo test --release -p admission --test scale -- --ignored --nocapture --test-threads 1
//! ```

#![expect(clippy::disallowed_methods, reason = "measures time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use admission::{Policies, Requester, replay};
use cel::{Bindings, Budget, Environment, Evaluated, Type, Value};
use inventory::api::{Labels, PodSpec};
use inventory::{Object, Pod, Source, Template, Timestamp};
use serde_json::json;

fn judge(name: &str, took: Duration, bar: Duration) {
    let word = if took <= bar { "met" } else { "MISSED" };
    println!("{word}: {name}: {took:.2?}, at most {bar:.2?}");
    assert!(took <= bar, "{name}");
}

fn source() -> Source {
    Source {
        file: "test".into(),
        line: 0,
    }
}

#[test]
#[ignore = "measures the release profile"]
fn a_million_pods_pass_limit_range_and_quota() {
    const PODS: i64 = 1_000_000;
    let mut objects = Vec::new();
    for namespace in 0..20 {
        let meta = |name: &str| json!({"name": name, "namespace": format!("n{namespace}")});
        objects.push(("LimitRange", json!({"metadata": meta("l"), "spec": {"limits": [
            {"type": "Container", "default": {"cpu": "2", "memory": "2Gi"}, "defaultRequest": {"cpu": "100m", "memory": "64Mi"},
             "max": {"cpu": "64"}, "min": {"cpu": "1m"}, "maxLimitRequestRatio": {"memory": "64"}}
        ]}})));
        for name in ["a", "b"] {
            objects.push(("ResourceQuota", json!({"metadata": meta(name), "spec": {"hard": {
                "requests.cpu": "60", "requests.memory": "300Gi", "limits.cpu": "2000", "limits.memory": "2000Gi", "pods": "900"
            }}})));
        }
    }
    let objects: Vec<_> = objects
        .into_iter()
        .map(|(kind, value)| Object {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            value,
            source: source(),
        })
        .collect();
    let templates: Vec<_> = (0..200)
        .map(|class| {
            let spec: PodSpec = serde_json::from_value(json!({"containers": [
                {"name": "a", "resources": {"requests": {"cpu": format!("{}m", 10 + class)}}},
                {"name": "b", "resources": {"requests": {"memory": format!("{}Mi", 32 + class)}}}
            ]}))
            .unwrap();
            Arc::new(Template::new(Labels::new(), spec))
        })
        .collect();
    let namespaces: Vec<Arc<str>> = (0..20).map(|n| format!("n{n}").into()).collect();
    let pods: Vec<_> = (0..PODS)
        .map(|number| Pod {
            namespace: Arc::clone(&namespaces[usize::try_from(number % 20).unwrap()]),
            name: format!("pod-{number}").into(),
            uid: None,
            template: Arc::clone(&templates[usize::try_from(number * 7 % 200).unwrap()]),
            owner: None,
            node: None,
            arrival: Some(Timestamp::from_seconds(number / 10)),
            departure: Some(Timestamp::from_seconds(number / 10 + 600 + number % 977)),
            source: source(),
        })
        .collect();
    let policies = Policies::read(&objects).unwrap();
    let start = Instant::now();
    let replay = replay(&pods, &policies, &Requester::default());
    let took = start.elapsed();
    let refused = replay
        .decisions
        .iter()
        .filter(|decision| decision.refused.is_some())
        .count();
    println!("{refused} of {PODS} pods refused");
    assert!(refused > 0 && refused < pods.len());
    judge(
        "LimitRange and ResourceQuota decide on 1000000 pods of 200 classes",
        took,
        Duration::from_secs(3),
    );
}

struct Case(Value, Vec<cel::Program>);

impl Bindings for Case {
    fn global(&self, _: usize) -> Value {
        self.0.clone()
    }

    fn variable(&self, place: usize, budget: &mut Budget) -> Evaluated<Value> {
        self.1[place].evaluate(self, budget)
    }
}

#[test]
#[ignore = "measures the release profile"]
fn fifty_thousand_expressions_are_evaluated_in_a_second() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/data/golden/cel.json")).unwrap();
    let mut environment = Environment::default();
    for name in ["object", "namespaceObject", "request"] {
        environment.declare(name, Type::Dyn);
    }
    let mut variables = Vec::new();
    for variable in golden["variables"].as_array().unwrap() {
        let program = environment
            .compile(variable["expression"].as_str().unwrap())
            .unwrap();
        environment.declare_variable(variable["name"].as_str().unwrap(), program.output().clone());
        variables.push(program);
    }
    let programs: Vec<_> = golden["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|case| environment.compile(case["expression"].as_str()?).ok())
        .collect();
    let cases: Vec<_> = golden["pods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pod| Case(admission::typed_pod(pod), variables.clone()))
        .collect();
    let (mut evaluations, mut values) = (0_u64, 0_u64);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        for case in &cases {
            for program in &programs {
                let value = program.evaluate(case, &mut Budget::new(Budget::PER_CALL));
                values += u64::from(value.is_ok());
                evaluations += 1;
            }
        }
    }
    let took = start.elapsed();
    println!("{evaluations} evaluations in {took:.2?}, {values} with a value");
    let for_50_000 = took * 50_000 / u32::try_from(evaluations).unwrap_or(u32::MAX);
    judge(
        "50000 evaluations of CEL",
        for_50_000,
        Duration::from_secs(1),
    );
}
