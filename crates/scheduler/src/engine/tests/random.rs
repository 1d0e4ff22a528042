//! Random nodes, pods and profiles.

use std::sync::Arc;

use inventory::api::{Labels, PodSpec, Taint};
use inventory::{Amounts, Node, Source, Template};
use serde_json::{Value, json};

use crate::profile::{Profile, ResourceWeight, Strategy, Version};
use crate::scoring::{Shape, ShapePoint};

/// Generator of draws.
pub(super) struct Draws(pub(super) u64);

impl Draws {
    /// Draws a number below a limit.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Draws a node.
pub(super) fn node(draws: &mut Draws, number: usize) -> Node {
    let name = format!("node-{number}");
    let mut labels = Labels::new();
    labels.insert("kubernetes.io/hostname".to_owned(), name.clone());
    if draws.below(6) != 0 {
        let zone = draws.of(&["a", "b", "c"]);
        labels.insert("topology.kubernetes.io/zone".to_owned(), zone.to_owned());
    }
    let disk = draws.of(&["ssd", "hdd"]);
    labels.insert("disk".to_owned(), disk.to_owned());
    let taint = |key: &str, effect: &str| Taint {
        key: key.to_owned(),
        value: String::new(),
        effect: effect.to_owned(),
    };
    let mut taints = Vec::new();
    if draws.below(8) == 0 {
        taints.push(taint("dedicated", "NoSchedule"));
    }
    for key in ["flaky", "slow"] {
        if draws.below(6) == 0 {
            taints.push(taint(key, "PreferNoSchedule"));
        }
    }
    let mut allocatable: Amounts = [
        ("cpu", draws.of(&[0, 1930, 4000, 4000, 8000])),
        ("memory", draws.of(&[0, 4, 8, 16, 16]) << 30),
        ("pods", draws.of(&[3, 10, 110])),
        ("ephemeral-storage", draws.of(&[0, 10 << 30])),
    ]
    .into_iter()
    .collect();
    if draws.below(3) == 0 {
        allocatable.set("example.com/gpu", draws.of(&[1, 4]));
    }
    let allocatable = Arc::new(allocatable);
    Node {
        name: name.into(),
        labels: Arc::new(labels),
        taints: taints.into(),
        unschedulable: draws.below(12) == 0,
        capacity: Arc::clone(&allocatable),
        allocatable,
        provider_id: None,
        source: Source {
            file: "random".into(),
            line: 0,
        },
    }
}

/// Draws a profile.
pub(super) fn profile(draws: &mut Draws) -> Profile {
    let point = |utilization, score| ShapePoint { utilization, score };
    let shape = Shape::new(&[point(0, 2), point(60, 10), point(100, 5)]).expect("a shape");
    let mut profile = Profile {
        version: draws.of(&[Version::V1_34, Version::V1_36]),
        strategy: match draws.below(4) {
            0 => Strategy::RequestedToCapacityRatio(shape),
            1 => Strategy::MostAllocated,
            _ => Strategy::LeastAllocated,
        },
        ..Profile::default()
    };
    let weighed = |name: &str, weight| ResourceWeight {
        name: name.to_owned(),
        weight,
    };
    match draws.below(4) {
        0 => {
            profile.strategy_resources = vec![
                weighed("memory", 3),
                weighed("cpu", 2),
                weighed("example.com/gpu", 5),
                weighed("ephemeral-storage", 1),
            ];
            profile
                .balanced_resources
                .push(weighed("example.com/gpu", 1));
        }
        1 => {
            profile.strategy_resources[1].weight = 7;
            profile.weights.fit = 5;
        }
        _ => {}
    }
    profile
}

/// Returns the template of a kind of pods, with rules about other pods or without.
pub(super) fn template(kind: usize, rules: bool) -> Arc<Template> {
    let requests = [
        json!({}),
        json!({"cpu": "100m"}),
        json!({"cpu": "500m", "memory": "1Gi"}),
        json!({"memory": "2Gi"}),
        json!({"cpu": "1", "memory": "512Mi", "example.com/gpu": "1"}),
        json!({"cpu": "250m", "memory": "256Mi", "ephemeral-storage": "2Gi"}),
        json!({"cpu": "10m", "memory": "0"}),
        json!({"cpu": "1500m", "memory": "3Gi"}),
    ];
    let mut spec = json!({
        "containers": [{"name": "c", "resources": {"requests": requests[kind % 8]}}],
    });
    let app = ["web", "db", "web", "cache"][kind % 4];
    labels_and_taints(kind, &mut spec);
    if rules {
        about_pods(kind, app, &mut spec);
    }
    let spec: PodSpec = serde_json::from_value(spec).expect("a spec");
    let mut labels = Labels::new();
    labels.insert("app".to_owned(), app.to_owned());
    labels.insert("kind".to_owned(), kind.to_string());
    Arc::new(Template::new(labels, spec))
}

fn labels_and_taints(kind: usize, spec: &mut Value) {
    let prefer = |key: &str, value: &str, weight: i32| {
        json!({"weight": weight, "preference": {
            "matchExpressions": [{"key": key, "operator": "In", "values": [value]}],
        }})
    };
    match kind {
        1 => spec["nodeSelector"] = json!({"disk": "ssd"}),
        2 => {
            spec["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] =
                json!([
                    prefer("disk", "hdd", 30),
                    prefer("topology.kubernetes.io/zone", "b", 70),
                ]);
            spec["tolerations"] = json!([{"key": "flaky", "operator": "Exists"}]);
        }
        3 => spec["tolerations"] = json!([{"operator": "Exists"}]),
        5 => spec["containers"][0]["ports"] = json!([{"containerPort": 1, "hostPort": 8080}]),
        6 => {
            spec["containers"][0]["ports"] =
                json!([{"containerPort": 1, "hostPort": 8080, "hostIP": "127.0.0.1"}]);
        }
        _ => {}
    }
}

fn about_pods(kind: usize, app: &str, spec: &mut Value) {
    let zone = "topology.kubernetes.io/zone";
    let host = "kubernetes.io/hostname";
    let term = |app: &str, key: &str| json!({"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key});
    let spread = |key: &str, when: &str, skew: i32| {
        json!({
            "maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": when,
            "labelSelector": {"matchLabels": {"app": app}},
        })
    };
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    match kind {
        0 => {
            spec["topologySpreadConstraints"] = json!([
                spread(zone, "DoNotSchedule", 1),
                spread(host, "ScheduleAnyway", 1),
            ]);
        }
        1 => {
            spec["topologySpreadConstraints"] = json!([
                spread(zone, "ScheduleAnyway", 2),
                spread(host, "ScheduleAnyway", 1),
                spread(host, "DoNotSchedule", 3),
            ]);
            spec["topologySpreadConstraints"][2]["minDomains"] = json!(4);
            spec["topologySpreadConstraints"][0]["nodeAffinityPolicy"] = json!("Ignore");
            spec["topologySpreadConstraints"][1]["nodeTaintsPolicy"] = json!("Honor");
        }
        2 => spec["affinity"]["podAntiAffinity"][required] = json!([term("web", host)]),
        3 => {
            spec["affinity"]["podAffinity"][required] = json!([term("cache", zone)]);
            spec["affinity"]["podAntiAffinity"][preferred] =
                json!([{"weight": 40, "podAffinityTerm": term("web", host)}]);
        }
        4 => {
            spec["affinity"]["podAffinity"][preferred] = json!([
                {"weight": 60, "podAffinityTerm": term("db", zone)},
                {"weight": 15, "podAffinityTerm": term("web", host)},
            ]);
        }
        5 => {
            let mut other = term("db", zone);
            other["namespaces"] = json!(["other"]);
            spec["affinity"]["podAntiAffinity"][required] = json!([other]);
        }
        6 => {
            spec["affinity"]["podAffinity"][required] =
                json!([term("web", host), term("web", zone)]);
        }
        _ => {}
    }
}
