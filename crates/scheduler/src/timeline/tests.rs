//! Small loads over time, and a model of the queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::api::{Labels, PodSpec};
use inventory::{Amounts, Node, Source, Template};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cluster::Cluster;
use crate::evaluation::Ties;
use crate::profile::Profile;

fn engine(nodes: &[(i64, i64)]) -> Engine {
    let node = |(number, &(cpu, pods)): (usize, &(i64, i64))| {
        let allocatable: Arc<Amounts> = Arc::new(
            [("cpu", cpu), ("memory", 8 << 30), ("pods", pods)]
                .into_iter()
                .collect(),
        );
        Node {
            name: format!("node-{number}").into(),
            labels: Arc::new(Labels::new()),
            taints: Arc::new([]),
            unschedulable: false,
            capacity: Arc::clone(&allocatable),
            allocatable,
            provider_id: None,
            source: Source {
                file: "test".into(),
                line: 0,
            },
        }
    };
    let nodes: Vec<_> = nodes.iter().enumerate().map(node).collect();
    let cluster = Cluster::new(&nodes, BTreeMap::new()).expect("nodes");
    Engine::new(cluster, Profile::default(), Ties::First).expect("a profile")
}

fn class(engine: &mut Engine, cpu: i64, priority: i32) -> ClassId {
    let spec: PodSpec = serde_json::from_value(json!({
        "priority": priority,
        "containers": [{"name": "c", "resources": {"requests": {
            "cpu": format!("{cpu}m"), "memory": "1Gi",
        }}}],
    }))
    .expect("a spec");
    let template = Arc::new(Template::new(Labels::new(), spec));
    engine
        .class(&"default".into(), &template, None)
        .expect("a valid spec")
}

fn pod(class: ClassId, from: i64, to: Option<i64>) -> Lifetime {
    Lifetime {
        class,
        arrival: Some(Timestamp(from)),
        departure: to.map(Timestamp),
    }
}

const SETTINGS: Settings = Settings {
    intervals: 0,
    stop_at_first_wait: false,
};

fn waits(timeline: &Timeline) -> Vec<(Option<usize>, i64)> {
    let stays = timeline.stays.iter();
    stays.map(|stay| (stay.node, stay.waited_ns)).collect()
}

#[test]
fn a_pod_waits_for_a_departure_and_then_runs_as_long_as_before() {
    let mut engine = engine(&[(1000, 10)]);
    let large = class(&mut engine, 800, 0);
    let pods = [
        pod(large, 0, Some(10)),
        pod(large, 4, Some(9)),
        pod(large, 5, None),
    ];
    let timeline = run(&mut engine, &pods, 0, SETTINGS);
    // The second pod runs for 5 from 10 on, the third one follows.
    assert_eq!(
        waits(&timeline),
        [(Some(0), 0), (Some(0), 6), (Some(0), 10)]
    );
    assert_eq!((timeline.end, timeline.most_waiting), (Timestamp(15), 2));
    assert_eq!(timeline.high_water, (1, Timestamp(0)));
}

#[test]
fn the_higher_priority_is_tried_first() {
    let mut engine = engine(&[(1000, 10)]);
    let (low, high) = (class(&mut engine, 800, 0), class(&mut engine, 900, 7));
    let pods = [
        pod(low, 0, Some(10)),
        pod(low, 1, None),
        pod(high, 2, Some(12)),
    ];
    let timeline = run(&mut engine, &pods, 0, SETTINGS);
    assert_eq!(
        waits(&timeline),
        [(Some(0), 0), (Some(0), 19), (Some(0), 8)]
    );
}

#[test]
fn a_small_pod_passes_a_large_one_that_fits_nowhere() {
    let mut engine = engine(&[(1000, 10)]);
    let (large, small) = (class(&mut engine, 800, 0), class(&mut engine, 200, 0));
    let pods = [
        pod(large, 0, None),
        pod(large, 1, None),
        pod(small, 2, None),
    ];
    let timeline = run(&mut engine, &pods, 0, SETTINGS);
    assert_eq!(waits(&timeline), [(Some(0), 0), (None, 1), (Some(0), 0)]);
}

#[test]
fn intervals_have_means_and_fragmentation() {
    let mut engine = engine(&[(1000, 10), (1000, 10)]);
    let large = class(&mut engine, 600, 0);
    let pods = [pod(large, 0, Some(50)), pod(large, 0, Some(100))];
    let settings = Settings {
        intervals: 2,
        ..SETTINGS
    };
    let timeline = run(&mut engine, &pods, 0, settings);
    let [first, second] = timeline.intervals[..] else {
        panic!("two intervals: {:?}", timeline.intervals);
    };
    assert_eq!((first.start, first.end), (Timestamp(0), Timestamp(50)));
    assert!((first.requested.cpu - 0.6).abs() < 1e-9);
    // 400 of each node are left, and no class fits there.
    assert!((first.fragmented.cpu - 1.0).abs() < 1e-9);
    assert_eq!((first.nodes_in_use, first.waiting), (2, 0));
    assert!((second.requested.cpu - 0.3).abs() < 1e-9);
    assert_eq!(second.nodes_in_use, 2);
}

#[test]
fn no_pods_take_no_time() {
    let timeline = run(
        &mut engine(&[(1, 1)]),
        &[],
        0,
        Settings {
            intervals: 3,
            ..SETTINGS
        },
    );
    assert_eq!((timeline.start, timeline.end), (Timestamp(0), Timestamp(0)));
    assert_eq!(timeline.high_water, (0, Timestamp(0)));
}

proptest! {
    /// The model keeps one sorted list and tries all of it after each event.
    #[test]
    fn the_queue_is_that_of_a_plain_model(
        pods in prop::collection::vec((0_i64..30, 1_i64..20, 0_usize..4), 0..40),
    ) {
        let nodes = [(1000, 3), (1500, 10)];
        let mut engine = engine(&nodes);
        let classes = [(300, 0), (700, 0), (500, 5), (1400, 1)];
        let ids = classes.map(|(cpu, priority)| class(&mut engine, cpu, priority));
        let list: Vec<_> = pods
            .iter()
            .map(|&(from, length, kind)| pod(ids[kind], from, Some(from + length)))
            .collect();
        let timeline = run(&mut engine, &list, 0, SETTINGS);
        let mut model = super::tests::engine(&nodes);
        let again = classes.map(|(cpu, priority)| class(&mut model, cpu, priority));
        prop_assert_eq!(ids, again);
        let mut placed: Vec<Option<(usize, i64)>> = vec![None; list.len()];
        let mut gone = vec![false; list.len()];
        for now in 0..2000 {
            for number in 0..list.len() {
                if let Some((node, since)) = placed[number]
                    && !gone[number]
                    && since + pods[number].1 == now
                {
                    gone[number] = true;
                    let id = PodId(u32::try_from(number).expect("few pods"));
                    prop_assert!(model.remove(node, id).is_some());
                }
            }
            let mut waiting: Vec<_> = (0..list.len())
                .filter(|&number| placed[number].is_none() && pods[number].0 <= now)
                .collect();
            waiting.sort_by_key(|&number| (Reverse(classes[pods[number].2].1), pods[number].0, number));
            for number in waiting {
                let pod = PodOnNode {
                    id: PodId(u32::try_from(number).expect("few pods")),
                    class: ids[pods[number].2],
                    start: Timestamp(now),
                };
                placed[number] = model.place(pod).map(|node| (node, now));
            }
        }
        for (number, stay) in timeline.stays.iter().enumerate() {
            let expected = placed[number].map(|(node, since)| (node, since - pods[number].0));
            prop_assert_eq!(stay.node.map(|node| (node, stay.waited_ns)), expected);
        }
    }
}
