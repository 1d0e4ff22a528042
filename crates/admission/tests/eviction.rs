//! Order of eviction, and the peak of a node.

use std::sync::Arc;

use admission::{Candidate, at_peak, rank};
use inventory::api::{Labels, PodSpec};
use inventory::{Pod, Sample, Source, Template, Timestamp, UsageSeries};
use proptest::prelude::*;
use serde_json::json;

fn candidate(pod: usize, usage: Option<i64>, request: i64, priority: i32) -> Candidate {
    Candidate {
        pod,
        usage,
        request,
        priority,
    }
}

#[test]
fn pods_above_their_request_go_first_then_low_priorities_then_large_excess() {
    let mut all = [
        candidate(0, Some(100), 200, -5),
        candidate(1, Some(300), 200, 10),
        candidate(2, Some(250), 200, 0),
        candidate(3, Some(900), 200, 0),
        candidate(4, Some(200), 200, -9),
        candidate(5, None, 0, 100),
        candidate(6, Some(150), 200, -5),
    ];
    rank(&mut all);
    let order = all.map(|candidate| candidate.pod);
    // Usage that equals the request is not above it; a pod without statistics goes first.
    assert_eq!(order, [5, 3, 2, 1, 4, 6, 0]);
}

fn pod(name: &str, node: &str, spec: serde_json::Value, departure: Option<i64>) -> Pod {
    let spec: PodSpec = serde_json::from_value(spec).unwrap();
    Pod {
        namespace: "a".into(),
        name: name.into(),
        uid: None,
        template: Arc::new(Template::new(Labels::new(), spec)),
        owner: None,
        node: Some(node.into()),
        arrival: Some(Timestamp::from_seconds(0)),
        departure: departure.map(Timestamp::from_seconds),
        source: Source {
            file: "test".into(),
            line: 0,
        },
    }
}

fn usage(pod: &str, samples: &[(i64, i64)]) -> UsageSeries {
    let sample = |&(time, bytes): &(i64, i64)| Sample {
        time: Timestamp::from_seconds(time),
        cpu_nanocores: None,
        memory_bytes: Some(bytes),
        oom_killed: false,
    };
    UsageSeries {
        namespace: "a".into(),
        pod: pod.into(),
        container: "c".into(),
        samples: samples.iter().map(sample).collect(),
    }
}

#[test]
fn each_node_is_looked_at_when_its_pods_use_most() {
    let plain =
        || json!({"containers": [{"name": "c", "resources": {"requests": {"memory": "100"}}}]});
    let mut critical = plain();
    critical["priority"] = json!(2_000_001_000);
    let pods = [
        pod("grows", "n1", plain(), None),
        pod("leaves", "n1", plain(), Some(20)),
        pod("critical", "n1", critical, None),
        pod("alone", "n2", plain(), None),
        pod("unknown", "n2", plain(), None),
    ];
    let series = [
        usage("grows", &[(0, 50), (30, 400)]),
        usage("leaves", &[(0, 500), (25, 9_000)]),
        usage("critical", &[(10, 1_000)]),
        usage("alone", &[(5, 10)]),
        usage("nobody", &[(5, 10)]),
    ];
    let found = at_peak(&pods, &series);
    let shown: Vec<_> = found
        .iter()
        .map(|of| {
            let order: Vec<_> = of.order.iter().map(|one| (one.pod, one.usage)).collect();
            (of.node.as_deref(), of.time, of.usage, order)
        })
        .collect();
    let at = Timestamp::from_seconds;
    assert_eq!(
        shown,
        [
            (
                Some("n1"),
                at(10),
                1_550,
                vec![(1, Some(500)), (0, Some(50))]
            ),
            (Some("n2"), at(5), 10, vec![(3, Some(10))]),
        ]
    );
}

proptest! {
    #[test]
    fn absurd_amounts_have_an_order_that_the_input_does_not_change(
        amounts in proptest::collection::vec((any::<Option<i64>>(), any::<i64>(), any::<i32>()), 0..20),
    ) {
        let all: Vec<_> = amounts
            .iter()
            .enumerate()
            .map(|(pod, (usage, request, priority))| candidate(pod, *usage, *request, *priority))
            .collect();
        let (mut forward, mut backward) = (all.clone(), all);
        backward.reverse();
        rank(&mut forward);
        rank(&mut backward);
        let key = |of: &Candidate| (of.usage.map(|usage| usage.saturating_sub(of.request)), of.priority);
        let keys = |all: &[Candidate]| all.iter().map(key).collect::<Vec<_>>();
        // Pods without statistics have no excess to compare.
        prop_assert_eq!(keys(&forward), keys(&backward));
    }
}
