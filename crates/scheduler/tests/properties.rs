//! Properties of placements on random clusters.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::api::{Labels, PodSpec};
use inventory::{Node, ResourceName, Source, Template};
use proptest::prelude::*;
use scheduler::{
    Cluster, Engine, Outcome, PodId, PodOnNode, Profile, ResourceIndex, Scores, Settings, Ties,
    Waiting,
};
use serde_json::{Value, json};

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

#[derive(Debug, Clone)]
struct Shape {
    cpu: i64,
    memory: i64,
    pods: i64,
    zone: u8,
    tainted: bool,
}

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let shape = (1..8_i64, 1..8_i64, 1..12_i64, 0..4_u8, any::<bool>()).prop_map(
        |(cpu, memory, pods, zone, tainted)| Shape {
            cpu: cpu * 500,
            memory: memory << 29,
            pods,
            zone,
            tainted,
        },
    );
    prop::collection::vec(shape, 1..8)
}

fn nodes(shapes: &[Shape]) -> Vec<Node> {
    let node = |(number, shape): (usize, &Shape)| {
        let name = format!("node-{number}");
        let mut labels = Labels::from([(HOST.to_owned(), name.clone())]);
        if shape.zone > 0 {
            labels.insert(ZONE.to_owned(), shape.zone.to_string());
        }
        let amounts = [
            ("cpu", shape.cpu),
            ("memory", shape.memory),
            ("pods", shape.pods),
        ];
        let amounts = Arc::new(amounts.into_iter().collect());
        let taint = json!([{"key": "soft", "effect": "PreferNoSchedule"}]);
        let taints = if shape.tainted { taint } else { json!([]) };
        let taints: Vec<_> = serde_json::from_value(taints).unwrap();
        Node {
            name: name.into(),
            labels: Arc::new(labels),
            taints: taints.into(),
            unschedulable: false,
            allocatable: Arc::clone(&amounts),
            capacity: amounts,
            provider_id: None,
            source: Source {
                file: "random".into(),
                line: 0,
            },
        }
    };
    shapes.iter().enumerate().map(node).collect()
}

fn pods() -> impl Strategy<Value = Vec<Arc<Template>>> {
    let app = || prop_oneof![Just("web"), Just("db")];
    let key = || prop_oneof![Just(HOST), Just(ZONE)];
    let selector = |app: &str| json!({"matchLabels": {"app": app}});
    let constraint = prop_oneof![
        4 => Just(json!({})),
        1 => (app(), key(), any::<bool>()).prop_map(move |(app, key, hard)| json!({
            "topologySpreadConstraints": [{
                "maxSkew": 1, "topologyKey": key, "labelSelector": selector(app),
                "whenUnsatisfiable": if hard { "DoNotSchedule" } else { "ScheduleAnyway" },
            }]
        })),
        1 => (app(), key(), 0..4_u8).prop_map(move |(app, key, which)| {
            let term = json!({"topologyKey": key, "labelSelector": selector(app)});
            let weighted = json!([{"weight": 7, "podAffinityTerm": term}]);
            let required = "requiredDuringSchedulingIgnoredDuringExecution";
            let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
            let (kind, when, terms) = match which {
                0 => ("podAffinity", required, json!([term])),
                1 => ("podAntiAffinity", required, json!([term])),
                2 => ("podAffinity", preferred, weighted),
                _ => ("podAntiAffinity", preferred, weighted),
            };
            json!({"affinity": {kind: {when: terms}}})
        }),
        1 => Just(json!({"ports": true})),
    ];
    let pod = (0..5_u32, 0..5_u32, app(), 0..4_i32, constraint).prop_map(
        |(cpu, memory, app, priority, constraint)| {
            let mut spec = constraint;
            let mut container = json!({"name": "c", "resources": {"requests": {
                "cpu": format!("{}m", cpu * 250), "memory": format!("{}Mi", memory * 128),
            }}});
            if spec.as_object_mut().unwrap().remove("ports").is_some() {
                container["ports"] = json!([{"containerPort": 80, "hostPort": 80}]);
            }
            spec["containers"] = json!([container]);
            spec["priority"] = json!(priority * 10);
            template(app, &spec)
        },
    );
    prop::collection::vec(pod, 1..40)
}

fn template(app: &str, spec: &Value) -> Arc<Template> {
    let spec: PodSpec = serde_json::from_value(spec.clone()).unwrap();
    let labels = Labels::from([("app".to_owned(), app.to_owned())]);
    Arc::new(Template::new(labels, spec))
}

fn waiting(cluster: &mut Cluster, pods: &[Arc<Template>]) -> Vec<Waiting> {
    let pod = |(number, template): (usize, &Arc<Template>)| Waiting {
        id: PodId(u32::try_from(number).unwrap()),
        class: cluster.class(&"default".into(), template, None).unwrap(),
        only: None,
        arrival: None,
    };
    pods.iter().enumerate().map(pod).collect()
}

fn state(cluster: &Cluster) -> Vec<(i64, i64, i64, Vec<PodOnNode>)> {
    let of = |node: &scheduler::NodeState| {
        (
            node.requested(ResourceIndex::CPU),
            node.requested(ResourceIndex::MEMORY),
            node.scored(ResourceIndex::CPU),
            node.pods().to_vec(),
        )
    };
    cluster.nodes().iter().map(of).collect()
}

proptest! {
    #[test]
    fn no_placement_overfills_a_node(shapes in shapes(), pods in pods(), seed in any::<u64>()) {
        let nodes = nodes(&shapes);
        let mut cluster = Cluster::new(&nodes, BTreeMap::new()).unwrap();
        let queue = waiting(&mut cluster, &pods);
        let profile = Profile::default();
        let settings = Settings { profile: &profile, ties: Ties::Seeded(seed), preemption: Some(&[]) };
        let again = |id: PodId, _| queue.iter().find(|pod| pod.id == id && id.0.is_multiple_of(2)).copied();
        let outcomes = cluster.schedule(queue.clone(), &settings, again, |_, _, _| {});
        prop_assert_eq!(outcomes.len(), pods.len());
        for (number, node) in cluster.nodes().iter().enumerate() {
            let on = || node.pods().iter().map(|pod| &pods[pod.id.0 as usize].effective);
            let cpu: i64 = on().map(|pod| pod.requests.cpu()).sum();
            let memory: i64 = on().map(|pod| pod.requests.memory()).sum();
            prop_assert_eq!(cpu, node.requested(ResourceIndex::CPU));
            prop_assert!(cpu <= node.allocatable(ResourceIndex::CPU));
            prop_assert!(memory <= node.allocatable(ResourceIndex::MEMORY));
            let most = node.node().allocatable.get(ResourceName::PODS).unwrap();
            prop_assert!(i64::try_from(node.pods().len()).unwrap() <= most);
            let ports = on().map(|pod| pod.host_ports.len()).sum::<usize>();
            prop_assert!(ports <= 1);
            for pod in node.pods() {
                let placed = matches!(
                    &outcomes[&pod.id],
                    Outcome::Placed { node, .. } if *node == number
                );
                prop_assert!(placed);
            }
        }
    }

    #[test]
    fn the_order_of_nodes_decides_ties_alone(shapes in shapes(), pods in pods(), turn in 0..8_usize) {
        let nodes = nodes(&shapes);
        let mut turned = nodes.clone();
        turned.rotate_left(turn % nodes.len());
        let (last, before) = pods.split_last().unwrap();
        let profile = Profile::default();
        let mut one = Cluster::new(&nodes, BTreeMap::new()).unwrap();
        let queue = waiting(&mut one, before);
        let settings = Settings { profile: &profile, ties: Ties::First, preemption: None };
        one.schedule(queue, &settings, |_, _| None, |_, _, _| {});
        // The other cluster has the same pods on the same nodes.
        let mut other = Cluster::new(&turned, BTreeMap::new()).unwrap();
        for node in one.nodes() {
            for pod in node.pods() {
                let template = &pods[pod.id.0 as usize];
                let class = other.class(&"default".into(), template, None).unwrap();
                let place = other.find_node(&node.node().name).unwrap();
                other.add(place, PodOnNode { class, ..*pod });
            }
        }
        let evaluate = |cluster: &mut Cluster| {
            let class = cluster.class(&"default".into(), last, None).unwrap();
            let evaluation = cluster.evaluate(class, &profile);
            let name = |node: usize| cluster.nodes()[node].node().name.to_string();
            let scores = evaluation.feasible().iter().zip(evaluation.scores());
            let scores: BTreeMap<String, Scores> =
                scores.map(|(&node, scores)| (name(node), *scores)).collect();
            let mut best: Vec<_> = evaluation.best().into_iter().map(name).collect();
            best.sort();
            (scores, best, evaluation.message())
        };
        prop_assert_eq!(evaluate(&mut one), evaluate(&mut other));
    }

    #[test]
    fn removing_what_was_added_restores(shapes in shapes(), pods in pods()) {
        let nodes = nodes(&shapes);
        let (last, before) = pods.split_last().unwrap();
        let profile = Profile::default();
        let mut cluster = Cluster::new(&nodes, BTreeMap::new()).unwrap();
        let queue = waiting(&mut cluster, before);
        let settings = Settings { profile: &profile, ties: Ties::First, preemption: None };
        cluster.schedule(queue, &settings, |_, _| None, |_, _, _| {});
        let class = cluster.class(&"default".into(), last, None).unwrap();
        let (state_before, evaluation) = (state(&cluster), cluster.evaluate(class, &profile));
        for node in 0..nodes.len() {
            let pod = PodOnNode { id: PodId(1000), class, start: PodOnNode::NOT_STARTED };
            cluster.add(node, pod);
            prop_assert_eq!(cluster.remove(node, pod.id), Some(pod));
            prop_assert_eq!(cluster.remove(node, pod.id), None);
        }
        prop_assert_eq!(state(&cluster), state_before);
        prop_assert_eq!(cluster.evaluate(class, &profile), evaluation);
    }

    #[test]
    fn victims_are_needed_and_enough(shapes in shapes(), pods in pods()) {
        let nodes = nodes(&shapes);
        let (last, before) = pods.split_last().unwrap();
        let profile = Profile::default();
        let mut cluster = Cluster::new(&nodes, BTreeMap::new()).unwrap();
        let queue = waiting(&mut cluster, before);
        let settings = Settings { profile: &profile, ties: Ties::First, preemption: None };
        cluster.schedule(queue, &settings, |_, _| None, |_, _, _| {});
        let class = cluster.class(&"default".into(), last, None).unwrap();
        let evaluation = cluster.evaluate(class, &profile);
        if !evaluation.feasible().is_empty() {
            return Ok(());
        }
        let Ok(nomination) = cluster.preempt(class, &profile, &evaluation, &[]) else {
            return Ok(());
        };
        prop_assert!(!nomination.victims.is_empty());
        for victim in &nomination.victims {
            prop_assert!(cluster.class_of(victim.class).priority() < last.effective.priority);
            cluster.remove(nomination.node, victim.id);
        }
        prop_assert!(cluster.evaluate(class, &profile).feasible().contains(&nomination.node));
        // The least important victim is the last that was tried: without its removal, no room.
        let spared = *nomination.victims.last().unwrap();
        cluster.add(nomination.node, spared);
        prop_assert!(!cluster.evaluate(class, &profile).feasible().contains(&nomination.node));
    }

    #[test]
    fn filling_each_node_is_filling_one_by_one(shapes in shapes(), pods in pods(), limit in 0..60_u64) {
        let nodes = nodes(&shapes);
        let profile = Profile::default();
        let mut cluster = Cluster::new(&nodes, BTreeMap::new()).unwrap();
        let class = cluster.class(&"default".into(), &pods[0], None).unwrap();
        let mut one_by_one = cluster.clone();
        let room = cluster.fill(class, &profile, Ties::First, limit, PodId(0));
        let mut counts = vec![0_u64; nodes.len()];
        for id in 0..u32::try_from(limit).unwrap() {
            let pod = Waiting { id: PodId(id), class, only: None, arrival: None };
            let settings = Settings { profile: &profile, ties: Ties::First, preemption: None };
            match one_by_one.schedule_one(pod, &settings, id.into()) {
                Outcome::Placed { node, .. } => counts[node] += 1,
                _ => break,
            }
        }
        prop_assert_eq!(&room.on_nodes, &counts);
        prop_assert_eq!(room.stop, one_by_one.evaluate(class, &profile).message());
    }

    #[test]
    fn the_engine_schedules_as_the_full_scan(
        shapes in shapes(), pods in pods(), seed in any::<u64>(), is_first in any::<bool>(),
    ) {
        let nodes = nodes(&shapes);
        let mut cluster = Cluster::new(&nodes, BTreeMap::new()).unwrap();
        let queue = waiting(&mut cluster, &pods);
        let profile = Profile::default();
        let ties = if is_first { Ties::First } else { Ties::Seeded(seed) };
        let mut engine = Engine::new(cluster.clone(), profile.clone(), ties).unwrap();
        let settings = Settings { profile: &profile, ties, preemption: Some(&[]) };
        let again = |id: PodId, _| queue.iter().find(|pod| pod.id == id && id.0.is_multiple_of(2)).copied();
        let outcomes = cluster.schedule(queue.clone(), &settings, again, |_, _, _| {});
        let of_engine = engine.schedule(queue.clone(), Some(&[]), again, |_, _, _| {});
        prop_assert_eq!(of_engine, outcomes);
        prop_assert_eq!(state(engine.cluster()), state(&cluster));
    }
}
