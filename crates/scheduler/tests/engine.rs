//! The engine held against the answers of kube-scheduler's own code.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::api::{Labels, PodSpec, Taint};
use inventory::{Amounts, Node, Source, Template};
use scheduler::{Cluster, Engine, PodId, PodOnNode, Profile, Strategy, Ties};
use serde_json::{Value, json};

fn node(golden: &Value) -> Node {
    let number = |name: &str| golden[name].as_i64().expect("a number");
    let name = golden["name"].as_str().expect("a name");
    let labels: Option<Labels> = serde_json::from_value(golden["labels"].clone()).expect("labels");
    let mut labels = labels.unwrap_or_default();
    labels.insert("kubernetes.io/hostname".to_owned(), name.to_owned());
    let taints: Option<Vec<Taint>> =
        serde_json::from_value(golden["taints"].clone()).expect("taints");
    let allocatable: Arc<Amounts> = Arc::new(
        [
            ("cpu", number("cpu_millicores")),
            ("memory", number("memory_bytes")),
            ("pods", number("pods")),
        ]
        .into_iter()
        .collect(),
    );
    Node {
        name: name.into(),
        labels: Arc::new(labels),
        taints: taints.unwrap_or_default().into(),
        unschedulable: golden["unschedulable"].as_bool().unwrap_or(false),
        capacity: Arc::clone(&allocatable),
        allocatable,
        provider_id: None,
        source: Source {
            file: "golden".into(),
            line: 0,
        },
    }
}

fn template(pod: &Value) -> Arc<Template> {
    let spec = match &pod["spec"] {
        Value::Null => {
            let containers = pod["containers"].as_array().expect("containers").iter();
            let containers: Vec<_> = containers
                .map(|container| {
                    let mut requests = json!({});
                    if let Some(cpu) = container["cpu_millicores"].as_i64() {
                        requests["cpu"] = json!(format!("{cpu}m"));
                    }
                    if let Some(memory) = container["memory_bytes"].as_i64() {
                        requests["memory"] = json!(memory.to_string());
                    }
                    json!({"name": "c", "resources": {"requests": requests}})
                })
                .collect();
            json!({"containers": containers})
        }
        spec => spec.clone(),
    };
    let labels: Option<Labels> = serde_json::from_value(pod["labels"].clone()).expect("labels");
    let spec: PodSpec = serde_json::from_value(spec).expect("a spec");
    Arc::new(Template::new(labels.unwrap_or_default(), spec))
}

fn schedule(golden: &str, strategy: Strategy, all_plugins: bool) {
    let golden: Value = serde_json::from_str(golden).expect("JSON");
    let nodes: Vec<_> = golden["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .map(node)
        .collect();
    let cluster = Cluster::new(&nodes, BTreeMap::new()).expect("nodes");
    let mut profile = Profile {
        strategy,
        ..Profile::default()
    };
    if !all_plugins {
        // The file counts two plugins alone.
        profile.weights.taint_toleration = 0;
    }
    let mut engine = Engine::new(cluster, profile, Ties::First).expect("a profile");
    let pods = golden["pods"].as_array().expect("pods");
    let steps = golden["steps"].as_array().expect("steps");
    for ((pod, step), id) in pods.iter().zip(steps).zip(0..) {
        let class = engine.class(&"default".into(), &template(pod), None);
        let class = class.expect("a valid spec");
        let found = engine.best(class).map_or(
            Value::Null,
            |(nodes, total)| json!({"best": nodes, "placed": nodes[0], "total": total}),
        );
        let total = |totals: &Vec<Value>| totals.iter().filter_map(Value::as_i64).max();
        let expected = match step["total"].as_array() {
            None => Value::Null,
            Some(totals) => {
                json!({"best": step["best"], "placed": step["placed"], "total": total(totals)})
            }
        };
        assert_eq!(found, expected, "{}", pod["name"]);
        engine.place(PodOnNode {
            id: PodId(id),
            class,
            start: PodOnNode::NOT_STARTED,
        });
    }
}

#[test]
fn the_emptiest_nodes_are_those_of_kube_scheduler() {
    let golden = include_str!("../../../tests/data/golden/schedule-least.json");
    schedule(golden, Strategy::LeastAllocated, false);
}

#[test]
fn the_fullest_nodes_are_those_of_kube_scheduler() {
    let golden = include_str!("../../../tests/data/golden/schedule-most.json");
    schedule(golden, Strategy::MostAllocated, false);
}

#[test]
fn all_plugins_choose_the_nodes_of_kube_scheduler() {
    let golden = include_str!("../../../tests/data/golden/schedule-full.json");
    schedule(golden, Strategy::LeastAllocated, true);
}
