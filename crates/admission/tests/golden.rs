//! The answers of Kubernetes' own admission plug-ins, compared byte for byte.

use admission::{Ledger, LimitRange, ResourceQuota, Usage, set_resource_defaults};
use inventory::Effective;
use inventory::api::{PodSpec, Quantities};
use serde_json::{Map, Value, json};

const GOLDEN: &str = include_str!("../../../tests/data/golden/admission.json");

fn objects<T: serde::de::DeserializeOwned>(values: &Value) -> Vec<T> {
    let values = values.as_array().into_iter().flatten();
    values
        .map(|value| {
            let mut spec = value.clone();
            let name = spec.as_object_mut().unwrap().remove("name").unwrap();
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
        })
        .collect()
}

fn listed(amounts: &Quantities) -> Value {
    let texts = amounts
        .iter()
        .map(|(name, amount)| (name.clone(), json!(amount.to_string())));
    Value::Object(texts.collect())
}

fn containers(spec: &PodSpec) -> Value {
    let all = spec.init_containers.iter().chain(&spec.containers);
    let shown = all.map(|container| {
        let mut resources = Map::new();
        for (part, amounts) in [
            ("limits", &container.resources.limits),
            ("requests", &container.resources.requests),
        ] {
            if !amounts.is_empty() {
                resources.insert(part.to_owned(), listed(amounts));
            }
        }
        json!({"name": container.name, "resources": resources})
    });
    shown.collect()
}

/// Returns the decision on one pod in the form of the expected ones.
fn decide(limits: &[LimitRange], ledgers: &mut [Ledger], spec: &mut PodSpec) -> Value {
    let mut answer = Map::new();
    set_resource_defaults(spec);
    for limit in limits {
        if let Some(annotation) = limit.mutate(spec) {
            answer.insert("annotation".to_owned(), json!(annotation));
        }
    }
    answer.insert("after_limit_range".to_owned(), containers(spec));
    let qos = Effective::of(spec).qos;
    answer.insert("qos".to_owned(), json!(qos.name()));
    let refused = limits
        .iter()
        .map(|limit| ("LimitRange", limit.validate(spec)))
        .find(|(_, reasons)| !reasons.is_empty());
    let refused = refused.or_else(|| {
        let held = ledgers.iter().filter(|ledger| ledger.matches(spec, qos));
        let held: Vec<_> = held.collect();
        let usage = Usage::of(spec);
        let unstated = held.iter().find_map(|ledger| ledger.constraints(spec));
        let refused = unstated.or_else(|| {
            held.iter()
                .find_map(|ledger| ledger.refuses(&ledger.share(&usage)))
        });
        refused.map(|reason| ("ResourceQuota", vec![reason]))
    });
    if let Some((by, reasons)) = refused {
        answer.insert("refused_by".to_owned(), json!(by));
        answer.insert("reasons".to_owned(), json!(reasons));
    } else {
        answer.insert("admitted".to_owned(), json!(true));
        let usage = Usage::of(spec);
        for ledger in ledgers.iter_mut().filter(|l| l.matches(spec, qos)) {
            ledger.charge(&ledger.share(&usage));
        }
    }
    if !ledgers.is_empty() {
        let used = ledgers.iter().map(|ledger| {
            let used: Quantities = ledger
                .lines()
                .map(|(key, _, used, _)| (key.to_owned(), used))
                .collect();
            (ledger.name().to_owned(), listed(&used))
        });
        answer.insert("used".to_owned(), Value::Object(used.collect()));
    }
    Value::Object(answer)
}

#[test]
fn every_step_is_decided_as_by_the_api_server() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let mut steps = 0;
    for namespace in golden["namespaces"].as_array().unwrap() {
        let mut limits: Vec<LimitRange> = objects(&namespace["limit_ranges"]);
        limits.iter_mut().for_each(LimitRange::set_defaults);
        let quotas: Vec<ResourceQuota> = objects(&namespace["quotas"]);
        let mut ledgers: Vec<_> = quotas.iter().map(Ledger::new).collect();
        for step in namespace["steps"].as_array().unwrap() {
            let mut spec = serde_json::from_value(step["pod"]["spec"].clone()).unwrap();
            let answer = decide(&limits, &mut ledgers, &mut spec);
            let place = (&namespace["namespace"], &step["pod"]["name"]);
            assert_eq!(answer, step["expect"], "{place:?}");
            steps += 1;
        }
    }
    assert!(steps > 200, "{steps}");
}

#[test]
fn the_usage_of_odd_pods_is_that_of_the_quota_evaluator() {
    let golden: Value =
        serde_json::from_str(include_str!("../../../tests/data/golden/podfacts.json")).unwrap();
    for case in golden["cases"].as_array().unwrap() {
        let mut spec: PodSpec = serde_json::from_value(case["spec"].clone()).unwrap();
        set_resource_defaults(&mut spec);
        let usage = listed(Usage::of(&spec).amounts());
        assert_eq!(usage, case["expect"]["quota_usage"], "{}", case["name"]);
    }
}
