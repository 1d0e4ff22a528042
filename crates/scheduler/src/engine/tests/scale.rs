//! Measurements of the engine, each with its bar.
//!
//! `cargo test --release -p scheduler scale -- --ignored --nocapture --test-threads 1`
//!
//! The time is that of the processor, so that other programs on the machine do not count.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use inventory::api::{Labels, PodSpec};
use inventory::{Amounts, Node, Source, Template};
use serde_json::json;

use crate::cluster::{Cluster, PodId, PodOnNode};
use crate::evaluation::Ties;
use crate::profile::Profile;

use super::super::Engine;
use super::random::Draws;

/// Returns the time of this process on the processor, in seconds, and its largest size in MiB.
#[expect(
    clippy::disallowed_methods,
    reason = "the measurement reads its own process"
)]
fn used() -> (f64, u64) {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split(' ').collect();
    let ticks = |place: usize| fields[place].parse::<f64>().expect("ticks");
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    ((ticks(12) + ticks(13)) / 100.0, peak.unwrap_or(0) / 1024)
}

fn nodes(count: usize) -> Vec<Node> {
    let node = |number: usize| {
        let mut labels = Labels::new();
        let name = format!("node-{number}");
        labels.insert("kubernetes.io/hostname".to_owned(), name.clone());
        let zone = ["a", "b", "c"][number % 3].to_owned();
        labels.insert("topology.kubernetes.io/zone".to_owned(), zone);
        let kind = i64::try_from(number).unwrap_or(0);
        let allocatable: Arc<Amounts> = Arc::new(
            [
                ("cpu", 16_000 + 8_000 * (kind % 3)),
                ("memory", (64 + 32 * (kind % 2)) << 30),
                ("pods", 250),
            ]
            .into_iter()
            .collect(),
        );
        Node {
            name: name.into(),
            labels: Arc::new(labels),
            taints: Arc::new([]),
            unschedulable: false,
            capacity: Arc::clone(&allocatable),
            allocatable,
            provider_id: None,
            source: Source {
                file: "scale".into(),
                line: 0,
            },
        }
    };
    (0..count).map(node).collect()
}

/// Returns a template: of each ten kinds with rules, four spread and six have affinities.
fn template(draws: &mut Draws, kind: usize, rules: bool) -> Arc<Template> {
    let cpu = 50 * (1 + draws.below(8));
    let memory = 64 * (1 + draws.below(16));
    let requests = json!({"cpu": format!("{cpu}m"), "memory": format!("{memory}Mi")});
    let mut spec = json!({"containers": [{"name": "c", "resources": {"requests": requests}}]});
    let selector = json!({"matchLabels": {"app": format!("app-{kind}")}});
    let spread = |key: &str, when: &str| json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": when, "labelSelector": selector});
    let (zone, host) = ("topology.kubernetes.io/zone", "kubernetes.io/hostname");
    let term = json!({"labelSelector": selector, "topologyKey": host});
    match kind % 10 {
        _ if !rules => {}
        0..4 => {
            spec["topologySpreadConstraints"] = json!([
                spread(zone, "DoNotSchedule"),
                spread(host, "ScheduleAnyway")
            ]);
        }
        4..7 => {
            spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] =
                json!([{"weight": 100, "podAffinityTerm": term}]);
        }
        7..9 => {
            spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
                json!([term]);
        }
        _ => {
            let mut term = term;
            term["topologyKey"] = json!(zone);
            spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
                json!([term]);
        }
    }
    let spec: PodSpec = serde_json::from_value(spec).expect("a spec");
    let mut labels = Labels::new();
    labels.insert("app".to_owned(), format!("app-{kind}"));
    Arc::new(Template::new(labels, spec))
}

fn measure(what: &str, of_nodes: usize, pods: u32, rules: bool, seconds: f64, mebibytes: u64) {
    let mut draws = Draws(1);
    let cluster = Cluster::new(&nodes(of_nodes), BTreeMap::new()).expect("nodes");
    let mut engine = Engine::new(cluster, Profile::default(), Ties::First).expect("a profile");
    let classes: Vec<_> = (0..200)
        .map(|kind| {
            let template = template(&mut draws, kind, rules);
            let class = engine.class(&"default".into(), &template, None);
            class.expect("a valid spec")
        })
        .collect();
    let (before, _) = used();
    let mut placed = 0_u32;
    for number in 0..pods {
        let pod = PodOnNode {
            id: PodId(number),
            class: classes[draws.below(classes.len())],
            start: PodOnNode::NOT_STARTED,
        };
        placed += u32::from(engine.place(pod).is_some());
    }
    let (after, peak) = used();
    let took = after - before;
    let is_met = took <= seconds && peak <= mebibytes;
    println!(
        "{}: {placed} of {pods} pods of 200 classes{what} on {of_nodes} nodes: {took:.2} s of one \
         core, at most {seconds} s; {peak} MiB, at most {mebibytes}",
        if is_met { "met" } else { "MISSED" }
    );
    assert!(is_met, "a bar is missed");
}

#[test]
#[ignore = "a measurement"]
fn scale_of_a_million_pods_on_ten_thousand_nodes() {
    measure("", 10_000, 1_000_000, false, 10.0, 500);
}

#[test]
#[ignore = "a measurement"]
fn scale_of_spread_and_affinity_on_five_thousand_nodes() {
    measure(" with spread and affinity", 5_000, 100_000, true, 60.0, 500);
}
