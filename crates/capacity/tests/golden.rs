//! Held against the numbers of nodes that kube-scheduler's own code needs.

use std::sync::Arc;

use capacity::packing::{lower_bound, pack, sum_bound};
use capacity::{Attempt, Fleet, Least, Load, PLACEMENTS, Shape, ShapedNode};
use inventory::api::{Labels, PodSpec};
use inventory::{Amounts, Pod, Source, Template};
use scheduler::{Profile, Strategy, Ties};
use serde_json::{Value, json};

fn pod(number: usize, cpu: i64, memory: i64) -> Pod {
    let spec: PodSpec = serde_json::from_value(json!({"containers": [{"name": "c", "resources": {
        "requests": {"cpu": format!("{cpu}m"), "memory": memory.to_string()},
    }}]}))
    .expect("a spec");
    Pod {
        namespace: "default".into(),
        name: format!("pod-{number}").into(),
        uid: None,
        template: Arc::new(Template::new(Labels::new(), spec)),
        owner: None,
        node: None,
        arrival: None,
        departure: None,
        source: Source {
            file: "golden".into(),
            line: 0,
        },
    }
}

fn shape(cpu: i64, memory: i64, pods: i64) -> Shape {
    let mut shape: Shape = "1c,1Gi,1pods".parse().expect("a shape");
    shape.allocatable = [("cpu", cpu), ("memory", memory), ("pods", pods)]
        .into_iter()
        .collect::<Amounts>();
    shape
}

#[test]
fn numbers_of_nodes_are_those_of_kube_scheduler() {
    let golden = include_str!("../../../tests/data/golden/capacity.json");
    let golden: Value = serde_json::from_str(golden).expect("JSON");
    for case in golden["cases"].as_array().expect("cases") {
        let number = |value: &Value| value.as_i64().expect("a number");
        let node = &case["node"];
        let shape = shape(
            number(&node["cpu_millicores"]),
            number(&node["memory_bytes"]),
            number(&node["pods"]),
        );
        let pods = case["pods_cpu_memory"].as_array().expect("pods").iter();
        let pods: Vec<_> = pods
            .enumerate()
            .map(|(place, of)| pod(place, number(&of[0]), number(&of[1])))
            .collect();
        let load = Load::new(&pods, &[], |_| None);
        let mut found = json!({});
        for strategy in [Strategy::LeastAllocated, Strategy::MostAllocated] {
            let name = format!("{strategy:?}");
            let profile = Profile {
                strategy,
                ..Profile::default()
            };
            let shaped = ShapedNode::new(&shape, &load, &profile).expect("a node");
            let problem = load.problem(&load.in_order(), &shape.allocatable, &[]);
            for (of_order, order) in [
                ("given_order", load.in_order()),
                ("largest_first", load.largest_first(&shape.allocatable)),
            ] {
                let attempt = Attempt {
                    load: &load,
                    order: &order,
                    base: Fleet::default(),
                    shape: &shaped,
                    profile: &profile,
                    ties: Ties::First,
                };
                let least = attempt
                    .least(lower_bound(&problem), PLACEMENTS)
                    .expect("an answer");
                let Least::Nodes { nodes, is_proven } = least else {
                    panic!("{least:?}");
                };
                assert!(is_proven);
                let left_over: Vec<_> = (1..nodes)
                    .map(|nodes| attempt.place(nodes, false).expect("a trial").left_over)
                    .collect();
                found[format!("{of_order}_{name}")] =
                    json!({"nodes": nodes, "left_over_with_fewer": left_over});
            }
            found["sum_bound"] = json!(sum_bound(&problem));
            found["optimum"] = json!(pack(&problem, 2_000_000).expect("every pod fits").optimum());
        }
        assert_eq!(found, case["expect"], "case {}", case["seed"]);
    }
}
