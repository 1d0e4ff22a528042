//! Resources of odd pods, held against Kubernetes' own computation.

use std::collections::BTreeMap;

use inventory::api::{PodSpec, Quantities};
use inventory::{
    Amounts, Effective, Parts, QosClass, amounts, container_facts, defaulted, pod_requests,
    quota_usage,
};
use serde::Deserialize;

const GOLDEN: &str = include_str!("../../../tests/data/golden/podfacts.json");

#[derive(Deserialize)]
struct Golden {
    node_memory_bytes: u64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    spec: PodSpec,
    expect: Expect,
}

type Figures = BTreeMap<String, i64>;

#[derive(Debug, Deserialize, PartialEq)]
struct Expect {
    containers: Vec<ExpectContainer>,
    limits: Figures,
    qos: String,
    quota_usage: BTreeMap<String, String>,
    requests: Figures,
    requests_for_scoring: Figures,
    requests_without_overhead: Figures,
    requests_without_pod_level: Figures,
}

#[derive(Debug, Deserialize, PartialEq)]
struct ExpectContainer {
    cpu_quota: i64,
    cpu_shares: i64,
    limits: Figures,
    name: String,
    oom_score_adj: i64,
    requests_after_defaulting: Figures,
}

fn figures(amounts: &Amounts) -> Figures {
    let owned = |(name, amount): (&str, i64)| (name.to_owned(), amount);
    amounts.iter().map(owned).collect()
}

fn texts(quantities: &Quantities) -> BTreeMap<String, String> {
    let text = |(name, quantity): (&String, &_)| (name.clone(), format!("{quantity}"));
    quantities.iter().map(text).collect()
}

fn computed(spec: &PodSpec, node_memory: u64) -> Expect {
    let effective = Effective::of(spec);
    let with_defaults = defaulted(spec);
    let part = |pod_level, overhead| {
        let parts = Parts {
            pod_level,
            overhead,
        };
        figures(&amounts(&pod_requests(&with_defaults, parts)))
    };
    let containers = container_facts(spec, node_memory).into_iter();
    Expect {
        containers: containers
            .map(|facts| ExpectContainer {
                cpu_quota: facts.cpu_quota,
                cpu_shares: facts.cpu_shares,
                limits: figures(&facts.limits),
                name: facts.name,
                oom_score_adj: facts.oom_score_adj,
                requests_after_defaulting: figures(&facts.requests),
            })
            .collect(),
        limits: figures(&effective.limits),
        qos: effective.qos.name().to_owned(),
        quota_usage: texts(&quota_usage(spec)),
        requests: figures(&effective.requests),
        requests_for_scoring: figures(&effective.requests_for_scoring),
        requests_without_overhead: part(true, false),
        requests_without_pod_level: part(false, true),
    }
}

#[test]
fn every_figure_of_odd_pods_is_that_of_kubernetes() {
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(golden.cases.len(), 42);
    for case in golden.cases {
        let computed = computed(&case.spec, golden.node_memory_bytes);
        assert_eq!(computed, case.expect, "{}", case.name);
    }
}

fn spec(json: serde_json::Value) -> PodSpec {
    serde_json::from_value(json).unwrap()
}

#[test]
fn fractions_are_rounded_up_to_a_thousandth_before_the_sum_and_to_the_unit_after_it() {
    let half = serde_json::json!({"requests": {"cpu": "500u", "memory": "500m"}});
    let pod = spec(serde_json::json!({
        "containers": [{"name": "a", "resources": half}, {"name": "b", "resources": half}]
    }));
    let requests = Effective::of(&pod).requests;
    assert_eq!((requests.cpu(), requests.memory()), (2, 1));
}

#[test]
fn huge_pages_of_containers_become_a_limit_and_a_request_of_a_pod_that_states_resources() {
    let pod = spec(serde_json::json!({
        "resources": {"limits": {"cpu": "2"}},
        "containers": [{"name": "a", "resources": {
            "limits": {"hugepages-2Mi": "4Mi"}, "requests": {"memory": "1Gi"}
        }}]
    }));
    let pod = defaulted(&pod).resources.unwrap();
    assert_eq!(pod.limits["hugepages-2Mi"].whole(), 4 << 20);
    assert_eq!(pod.requests["hugepages-2Mi"].whole(), 4 << 20);
    // The container's request counts for the pod, and its missing one is the pod's limit.
    assert_eq!(pod.requests["memory"].whole(), 1 << 30);
    assert_eq!(pod.requests["cpu"].whole(), 2);
}

#[test]
fn a_pod_that_states_no_resources_in_an_empty_map_is_of_class_best_effort() {
    let pod = spec(serde_json::json!({
        "resources": {},
        "containers": [{"name": "a", "resources": {"requests": {"cpu": "1"}}}]
    }));
    assert_eq!(Effective::of(&pod).qos, QosClass::BestEffort);
}

#[test]
fn a_pod_counts_differently_once_placed_if_it_states_only_some_requests() {
    let pod = spec(serde_json::json!({
        "resources": {"requests": {"cpu": "3"}},
        "containers": [
            {"name": "a", "resources": {"requests": {"memory": "1Gi"}}},
            {"name": "b"}
        ]
    }));
    let effective = Effective::of(&pod);
    assert_eq!(
        effective.requests_for_scoring.memory(),
        (1 << 30) + (200 << 20)
    );
    assert_eq!(effective.requests_for_scoring_once_placed.memory(), 1 << 30);
}

#[test]
fn the_largest_amounts_do_not_overflow() {
    let most = serde_json::json!({"requests": {"cpu": "8E", "memory": "9223372036854775807"}});
    let pod = spec(serde_json::json!({
        "containers": [{"name": "a", "resources": most}, {"name": "b", "resources": most}],
        "overhead": {"cpu": "8E", "memory": "7E"}
    }));
    let effective = Effective::of(&pod);
    assert_eq!(effective.requests.memory(), i64::MAX);
    assert_eq!(effective.requests.cpu(), i64::MAX);
    assert_eq!(container_facts(&pod, 1)[0].oom_score_adj, 3);
    assert_eq!(container_facts(&pod, 0)[0].cpu_shares, 262_144);
}

#[test]
fn overhead_is_added_to_requests_and_to_limits_above_zero() {
    let pod = spec(serde_json::json!({
        "containers": [{"name": "a", "resources": {
            "limits": {"cpu": "0", "memory": "1Gi"}, "requests": {"memory": "1Gi"}
        }}],
        "overhead": {"cpu": "250m", "memory": "1Gi"}
    }));
    let effective = Effective::of(&pod);
    assert_eq!(effective.limits.get("cpu"), Some(0));
    assert_eq!(effective.limits.memory(), 2 << 30);
    assert_eq!(effective.requests.cpu(), 250);
}
