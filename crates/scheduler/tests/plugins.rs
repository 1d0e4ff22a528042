//! Rules of single plugins that the golden files do not reach.

mod support;

use inventory::Timestamp;
use scheduler::scoring::{Shape, ShapePoint};
use scheduler::{
    Amount, Bound, Budget, Outcome, Plugin, PodId, Profile, Settings, Strategy, Ties, Version,
    Waiting,
};
use serde_json::json;
use support::{World, node, selector};

const ZONE: &str = "zone";

/// Three nodes in the zones a, a and b.
fn zones() -> World {
    World::new(&[
        node("n0").label(ZONE, "a"),
        node("n1").label(ZONE, "a"),
        node("n2").label(ZONE, "b"),
    ])
}

fn spread(more: &serde_json::Value) -> serde_json::Value {
    let mut constraint = json!({
        "maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    });
    let constraint_fields = constraint.as_object_mut().unwrap();
    constraint_fields.extend(more.as_object().unwrap().clone());
    json!({"topologySpreadConstraints": [constraint]})
}

fn anti(when: &str, term: &serde_json::Value) -> serde_json::Value {
    json!({"affinity": {"podAntiAffinity": {when: [term]}}})
}

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

#[test]
fn too_few_domains_count_as_an_empty_one() {
    let mut world = zones();
    world.run("n0", &[("app", "web")], json!({}));
    world.run("n2", &[("app", "web")], json!({}));
    assert_eq!(
        world.feasible(&[("app", "web")], spread(&json!({}))).len(),
        3
    );
    let few = spread(&json!({"minDomains": 3}));
    assert_eq!(
        world.feasible(&[("app", "web")], few.clone()),
        [] as [&str; 0]
    );
    // A pod that is not counted itself still fits.
    assert_eq!(world.feasible(&[("app", "db")], few).len(), 3);
}

#[test]
fn tainted_and_excluded_nodes_are_domains_unless_policies_say_otherwise() {
    let mut world = World::new(&[
        node("n0").label(ZONE, "a"),
        node("n1")
            .label(ZONE, "b")
            .taint("dedicated", "batch", "NoSchedule"),
    ]);
    world.run("n0", &[("app", "web")], json!({}));
    let web = [("app", "web")];
    assert!(world.feasible(&web, spread(&json!({}))).is_empty());
    let honour = spread(&json!({"nodeTaintsPolicy": "Honor"}));
    assert_eq!(world.feasible(&web, honour), ["n0"]);
    // The affinity is honoured by default.
    let mut world = zones();
    world.run("n0", &web, json!({}));
    let in_a = |more: &serde_json::Value| {
        let mut spec = spread(more);
        spec["nodeSelector"] = json!({ZONE: "a"});
        spec
    };
    assert_eq!(world.feasible(&web, in_a(&json!({}))), ["n0", "n1"]);
    let ignore = in_a(&json!({"nodeAffinityPolicy": "Ignore"}));
    assert!(world.feasible(&web, ignore).is_empty());
}

#[test]
fn a_node_without_the_label_is_refused_in_other_words() {
    let mut world = World::new(&[node("n0")]);
    assert_eq!(
        world.message(&[("app", "web")], spread(&json!({}))),
        "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints \
         (missing required label)."
    );
}

#[test]
fn label_keys_narrow_what_is_counted() {
    let mut world = zones();
    for _ in 0..2 {
        world.run("n0", &[("app", "web"), ("version", "1")], json!({}));
    }
    let new = [("app", "web"), ("version", "2")];
    assert_eq!(world.feasible(&new, spread(&json!({}))), ["n2"]);
    let keys = spread(&json!({"matchLabelKeys": ["version"]}));
    assert_eq!(world.feasible(&new, keys).len(), 3);
}

#[test]
fn terms_reach_into_namespaces_by_name_and_by_label() {
    let mut world = zones().namespace("prod", &[("stage", "prod")]);
    world.run_in("prod", "n0", &[("app", "web")], json!({}));
    let term = |more: serde_json::Value| {
        let mut term =
            json!({"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "web"}}});
        let fields = term.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        anti(REQUIRED, &term)
    };
    let everywhere = ["n0", "n1", "n2"];
    let mut feasible = |more| world.feasible(&[], term(more));
    assert_eq!(feasible(json!({})), everywhere);
    assert_eq!(feasible(json!({"namespaces": ["prod"]})), ["n2"]);
    assert_eq!(feasible(json!({"namespaceSelector": {}})), ["n2"]);
    let labelled = |value: &str| json!({"namespaceSelector": {"matchLabels": {"stage": value}}});
    assert_eq!(feasible(labelled("prod")), ["n2"]);
    assert_eq!(feasible(labelled("test")), everywhere);
    // The selector of a pod to place is also compared with no labels at all.
    let absent = json!({"matchExpressions": [{"key": "stage", "operator": "DoesNotExist"}]});
    assert_eq!(feasible(json!({"namespaceSelector": absent})), ["n2"]);
}

#[test]
fn label_keys_of_terms_match_or_exclude_the_own_value() {
    let mut world = zones();
    world.run("n0", &[("app", "web"), ("tenant", "x")], json!({}));
    world.run("n2", &[("app", "web"), ("tenant", "y")], json!({}));
    let of = |keys: &str| {
        let mut term =
            json!({"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "web"}}});
        term[keys] = json!(["tenant"]);
        anti(REQUIRED, &term)
    };
    let own = [("tenant", "x")];
    assert_eq!(world.feasible(&own, of("matchLabelKeys")), ["n2"]);
    assert_eq!(world.feasible(&own, of("mismatchLabelKeys")), ["n0", "n1"]);
}

#[test]
fn pods_on_nodes_keep_others_away() {
    let mut world = zones();
    let term = json!({"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "web"}}});
    world.run("n0", &[], anti(REQUIRED, &term));
    assert_eq!(world.feasible(&[("app", "web")], json!({})), ["n2"]);
    assert_eq!(world.feasible(&[("app", "db")], json!({})).len(), 3);
    let only_a = json!({"nodeSelector": {ZONE: "a"}});
    assert_eq!(
        world.message(&[("app", "web")], only_a),
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, \
         2 node(s) didn't satisfy existing pods anti-affinity rules."
    );
}

#[test]
fn the_first_of_a_group_goes_anywhere_and_the_others_follow() {
    let mut world = zones();
    let term = json!({"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "web"}}});
    let together = json!({"affinity": {"podAffinity": {REQUIRED: [term]}}});
    assert_eq!(world.feasible(&[("app", "web")], together.clone()).len(), 3);
    assert_eq!(
        world.message(&[("app", "db")], together.clone()),
        "0/3 nodes are available: 3 node(s) didn't match pod affinity rules."
    );
    world.run("n2", &[("app", "web")], together.clone());
    assert_eq!(world.feasible(&[("app", "web")], together.clone()), ["n2"]);
    // A required term of a pod on a node attracts with the weight 1.
    let scores = world.scores(&[("app", "web")], json!({}), Plugin::InterPodAffinity);
    assert_eq!(scores, [Some(0), Some(0), Some(200)]);
}

#[test]
fn pods_of_a_workload_spread_by_default() {
    let mut world = zones();
    world.run("n0", &[("app", "web")], json!({}));
    let web = [("app", "web")];
    let plain = world.scores(&web, json!({}), Plugin::PodTopologySpread);
    assert_eq!(plain, [None, None, None]);
    let world = World::new(&[node("n0"), node("n1"), node("n2")]);
    let mut world = world.default_selector(&web);
    world.run("n0", &web, json!({}));
    // No node has a zone, so the hosts alone decide: ln 5 + 2 beside 2, and 4 for the zones.
    let spread = world.scores(&web, json!({}), Plugin::PodTopologySpread);
    assert_eq!(spread, [Some(100), Some(200), Some(200)]);
}

#[test]
fn names_of_nodes_exclude_and_contradict() {
    let mut world = zones();
    let named = |names: &[&str]| {
        let field = |name| json!({"key": "metadata.name", "operator": "In", "values": [name]});
        let fields: Vec<_> = names.iter().map(field).collect();
        json!({"affinity": {"nodeAffinity": {REQUIRED: {
            "nodeSelectorTerms": [{"matchFields": fields}]}}}})
    };
    assert_eq!(world.feasible(&[], named(&["n1"])), ["n1"]);
    let mut large = named(&["n1"]);
    large["containers"] = json!([{"name": "c", "resources": {"requests": {"cpu": "100"}}}]);
    assert_eq!(
        world.message(&[], large),
        "0/3 nodes are available: 1 Insufficient cpu, \
         2 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    );
    let conflict = named(&["n1", "n2"]);
    assert_eq!(
        world.message(&[], conflict.clone()),
        "0/3 nodes are available: pod affinity terms conflict."
    );
    let (words, all) = world.preempt(&[], conflict).unwrap_err();
    assert_eq!(
        words,
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    );
    assert_eq!(all, "not found");
}

#[test]
fn older_schedulers_name_the_taint() {
    let mut world = World::new(&[
        node("n0").taint("a", "b", "NoSchedule"),
        node("n1").taint("gpu", "", "NoExecute"),
        node("n2").unschedulable(),
    ]);
    assert_eq!(
        world.message(&[], json!({})),
        "0/3 nodes are available: 1 node(s) were unschedulable, \
         2 node(s) had untolerated taint(s)."
    );
    world.profile.version = Version::V1_34;
    assert_eq!(
        world.message(&[], json!({})),
        "0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, \
         1 node(s) had untolerated taint {gpu: }, 1 node(s) were unschedulable."
    );
}

#[test]
fn a_node_tells_all_that_it_lacks() {
    let mut world = World::new(&[node("n0").pods(1)]);
    world.run("n0", &[], json!({}));
    let requests = json!({"cpu": "100", "memory": "1Ti", "ephemeral-storage": "1Gi",
        "example.com/gpu": "1", "hugepages-2Mi": "4Mi"});
    let spec = json!({"containers": [{"name": "c", "resources": {"requests": requests}}]});
    assert_eq!(
        world.message(&[], spec),
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient ephemeral-storage, \
         1 Insufficient example.com/gpu, 1 Insufficient hugepages-2Mi, 1 Insufficient memory, \
         1 Too many pods."
    );
    let none: [&str; 0] = [];
    let empty = World::new(&[]).message(&[], json!({}));
    assert_eq!(empty, "no nodes available to schedule pods");
    assert_eq!(World::new(&[]).feasible(&[], json!({})), none);
}

#[test]
fn the_ratio_strategy_scores_by_its_shape() {
    let mut world = World::new(&[node("n0"), node("n1")]);
    world.run(
        "n0",
        &[],
        json!({"containers": [{"name": "c", "resources": {"requests":
        {"cpu": "2", "memory": "4Gi"}}}]}),
    );
    let points = [(0, 0), (100, 10)].map(|(utilization, score)| ShapePoint { utilization, score });
    let shape = Shape::new(&points).unwrap();
    world.profile.strategy = Strategy::RequestedToCapacityRatio(shape);
    let pod = json!({"containers": [{"name": "c", "resources": {"requests":
        {"cpu": "1", "memory": "2Gi"}}}]});
    let scores = world.scores(&[], pod, Plugin::NodeResourcesFit);
    assert_eq!(scores, [Some(75), Some(25)]);
}

#[test]
fn gated_pods_and_pods_that_do_not_preempt_stay() {
    let mut world = World::new(&[node("n0")]);
    let large = |more: serde_json::Value| {
        let mut spec = json!({"priority": 10, "containers": [{"name": "c", "resources":
            {"requests": {"cpu": "4"}}}]});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        spec
    };
    world.run("n0", &[], large(json!({"priority": 0})));
    let (words, all) = world
        .preempt(&[], large(json!({"preemptionPolicy": "Never"})))
        .unwrap_err();
    assert_eq!(
        words,
        "preemption: not eligible due to preemptionPolicy=Never."
    );
    assert_eq!(all, format!("no new claims to deallocate, {words}"));
    assert!(world.preempt(&[], large(json!({}))).is_ok());
    // More than the node has: no removal helps.
    let mut huge = large(json!({}));
    huge["containers"][0]["resources"]["requests"]["cpu"] = json!("5");
    let (words, _) = world.preempt(&[], huge).unwrap_err();
    assert_eq!(
        words,
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    );
    let class = world.class(&[], large(json!({"schedulingGates": [{"name": "wait"}]})));
    let waiting = Waiting {
        id: PodId(99),
        class,
        only: None,
        arrival: None,
    };
    let profile = Profile::default();
    let settings = Settings {
        profile: &profile,
        ties: Ties::First,
        preemption: Some(&[]),
    };
    let outcomes = world
        .cluster
        .schedule(vec![waiting], &settings, |_, _| None, |_, _, _| {});
    assert_eq!(outcomes[&PodId(99)], Outcome::Gated);
}

#[test]
fn budgets_decide_between_nodes_and_between_pods() {
    let cpu = |priority: i32, cpu: &str| {
        json!({"priority": priority, "containers": [{"name": "c", "resources":
            {"requests": {"cpu": cpu}}}]})
    };
    let mut world = World::new(&[node("n0"), node("n1")]);
    // On n0 a pod of priority 0 that a budget protects, on n1 one of priority 5.
    world.run("n0", &[("app", "web")], cpu(0, "4"));
    world.run("n1", &[("app", "db")], cpu(5, "4"));
    let (on, victims, violations) = world.preempt(&[], cpu(10, "4")).unwrap();
    assert_eq!((on.as_str(), victims, violations), ("n0", vec![0], 0));
    let budget = |bound| {
        let selector = selector(&[("app", "web")]);
        Budget::new(&"default".into(), Some(&selector), bound).unwrap()
    };
    world.budgets = vec![budget(Bound::MinAvailable(Amount::Count(1)))];
    let (on, victims, violations) = world.preempt(&[], cpu(10, "4")).unwrap();
    assert_eq!((on.as_str(), victims, violations), ("n1", vec![1], 0));
    // Half of one pod is one pod: it must stay.
    world.budgets = vec![budget(Bound::MinAvailable(Amount::Percent(50)))];
    assert_eq!(world.budgets[0].allowed(&world.cluster), 0);
    world.budgets = vec![budget(Bound::MaxUnavailable(Amount::Percent(50)))];
    assert_eq!(world.budgets[0].allowed(&world.cluster), 1);

    // On one node, protected pods are spared first, whatever their priority.
    let mut world = World::new(&[node("n0")]);
    world.run("n0", &[("app", "web")], cpu(0, "2"));
    world.run("n0", &[("app", "db")], cpu(5, "2"));
    world.budgets = vec![budget(Bound::MaxUnavailable(Amount::Count(0)))];
    let (_, victims, violations) = world.preempt(&[], cpu(10, "2")).unwrap();
    assert_eq!((victims, violations), (vec![1], 0));
    let (_, victims, violations) = world.preempt(&[], cpu(10, "4")).unwrap();
    assert_eq!((victims, violations), (vec![1, 0], 1));
}

#[test]
fn the_queue_is_sorted_by_priority_and_arrival() {
    let mut world = World::new(&[node("n0")]);
    let mut waiting = Vec::new();
    for (id, priority, arrival) in [
        (0, 0, Some(5)),
        (1, 0, None),
        (2, 7, Some(9)),
        (3, 0, Some(5)),
    ] {
        let class = world.class(&[], json!({"priority": priority}));
        let arrival = arrival.map(Timestamp);
        waiting.push(Waiting {
            id: PodId(id),
            class,
            only: None,
            arrival,
        });
    }
    world.cluster.sort_queue(&mut waiting);
    let order: Vec<_> = waiting.iter().map(|pod| pod.id.0).collect();
    assert_eq!(order, [2, 1, 0, 3]);
}

#[test]
fn a_pod_that_comes_back_waits_behind_its_priority() {
    let mut world = World::new(&[node("n0")]);
    let cpu = |priority: i32| {
        json!({"priority": priority, "containers": [{"name": "c", "resources":
            {"requests": {"cpu": "4"}}}]})
    };
    world.run("n0", &[], cpu(0));
    let low = world.class(&[], cpu(0));
    let high = world.class(&[], cpu(10));
    let waiting = |id: u32, class| Waiting {
        id: PodId(id),
        class,
        only: None,
        arrival: None,
    };
    let profile = Profile::default();
    let settings = Settings {
        profile: &profile,
        ties: Ties::First,
        preemption: Some(&[]),
    };
    let outcomes = world.cluster.schedule(
        vec![waiting(1, high)],
        &settings,
        |id, _| Some(waiting(id.0, low)),
        |_, _, _| {},
    );
    let Outcome::Placed { node: 0, victims } = &outcomes[&PodId(1)] else {
        panic!("{outcomes:?}");
    };
    assert_eq!(victims[0].id, PodId(0));
    assert_eq!(
        outcomes[&PodId(0)],
        Outcome::Unschedulable(
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, \
             preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
                .to_owned()
        )
    );
}
