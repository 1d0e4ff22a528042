//! Policies over time: quotas, departures, defaults, expressions.

#![expect(
    clippy::needless_pass_by_value,
    reason = "the macro `json` makes values"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use admission::{Plugin, Policies, Replay, Requester, replay};
use inventory::api::{Labels, PodSpec};
use inventory::{Object, Pod, Source, Template, Timestamp};
use kube_resources::Quantity;
use proptest::prelude::*;
use serde_json::{Value, json};

fn source() -> Source {
    Source {
        file: "test.yaml".into(),
        line: 1,
    }
}

fn object(kind: &str, value: Value) -> Object {
    Object {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        value,
        source: source(),
    }
}

fn quota(namespace: &str, name: &str, spec: Value) -> Object {
    let meta = json!({"name": name, "namespace": namespace});
    object("ResourceQuota", json!({"metadata": meta, "spec": spec}))
}

fn template(labels: &[(&str, &str)], spec: Value) -> Arc<Template> {
    let labels: Labels = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let raw = json!({"metadata": {"labels": labels}, "spec": spec});
    let spec: PodSpec = serde_json::from_value(spec).unwrap();
    Arc::new(Template::new(labels, spec).with_raw(Arc::new(raw)))
}

fn pod(name: &str, template: &Arc<Template>, from: Option<i64>, to: Option<i64>) -> Pod {
    Pod {
        namespace: "a".into(),
        name: name.into(),
        uid: None,
        template: Arc::clone(template),
        owner: None,
        node: None,
        arrival: from.map(Timestamp::from_seconds),
        departure: to.map(Timestamp::from_seconds),
        source: source(),
    }
}

fn cpu(millis: u64) -> Value {
    json!({"containers": [{"name": "c", "image": "i", "resources": {"requests": {"cpu": format!("{millis}m")}}}]})
}

fn run(pods: &[Pod], objects: &[Object]) -> Replay {
    let requester = Requester {
        name: "alice".to_owned(),
        groups: vec!["dev".to_owned()],
    };
    replay(pods, &Policies::read(objects).unwrap(), &requester)
}

fn message(replay: &Replay, place: usize) -> Option<&str> {
    let refused = replay.decisions[place].refused.as_ref();
    refused.map(|(_, words)| words.as_ref())
}

#[test]
fn a_departure_frees_quota_for_an_arrival_at_the_same_time() {
    let quota = quota("a", "q", json!({"hard": {"requests.cpu": "1"}}));
    let template = template(&[], cpu(600));
    let pods = [
        pod("first", &template, Some(0), Some(10)),
        pod("early", &template, Some(9), Some(30)),
        pod("late", &template, Some(10), None),
        pod("ended", &template, Some(11), Some(11)),
    ];
    let replay = run(&pods, &[quota]);
    assert_eq!(
        message(&replay, 1),
        Some(
            "pods \"early\" is forbidden: exceeded quota: q, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1"
        )
    );
    assert_eq!(message(&replay, 2), None);
    assert_eq!(message(&replay, 3), None);
    let key = &replay.quotas[0].keys[0];
    assert_eq!(key.peak.to_string(), "600m");
    assert_eq!(key.sufficient.to_string(), "1200m");
    assert_eq!(replay.quotas[0].refused, 1);
}

#[test]
fn quotas_of_other_namespaces_and_scopes_do_not_count() {
    let objects = [
        quota("b", "other", json!({"hard": {"pods": "0"}})),
        quota(
            "a",
            "best-effort",
            json!({"hard": {"pods": "0"}, "scopes": ["BestEffort"]}),
        ),
        quota(
            "a",
            "high",
            json!({"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}
            ]}}),
        ),
    ];
    let mut high = cpu(1);
    high["priorityClassName"] = json!("high");
    let pods = [
        pod("burstable", &template(&[], cpu(1)), None, None),
        pod("high", &template(&[], high), None, None),
        pod(
            "nothing",
            &template(&[], json!({"containers": [{"name": "c"}]})),
            None,
            None,
        ),
    ];
    let replay = run(&pods, &objects);
    assert_eq!(message(&replay, 0), None);
    assert!(message(&replay, 1).unwrap().contains("quota: high,"));
    assert!(message(&replay, 2).unwrap().contains("quota: best-effort,"));
}

#[test]
fn defaults_of_limit_range_count_for_quotas_and_reach_the_template() {
    let limits = object(
        "LimitRange",
        json!({"metadata": {"name": "l", "namespace": "a"}, "spec": {"limits": [
            {"type": "Container", "defaultRequest": {"cpu": "700m"}, "default": {"cpu": "1"}}
        ]}}),
    );
    let quota = quota("a", "q", json!({"hard": {"requests.cpu": "1"}}));
    let template = template(&[], json!({"containers": [{"name": "c"}]}));
    let pods = [
        pod("one", &template, None, None),
        pod("two", &template, None, None),
    ];
    let replay = run(&pods, &[limits, quota]);
    let first = &replay.decisions[0];
    assert_eq!(first.template.effective.requests.cpu(), 700);
    assert_eq!(
        first.changed.as_deref(),
        Some("LimitRanger plugin set: cpu request for container c; cpu limit for container c")
    );
    assert!(message(&replay, 1).unwrap().contains("requests.cpu=700m"));
}

fn policy(spec: Value, binding: Value) -> Vec<Object> {
    let mut bound = json!({"policyName": "p", "validationActions": ["Deny"]});
    for (field, value) in binding.as_object().unwrap() {
        bound[field] = value.clone();
    }
    vec![
        object(
            "ValidatingAdmissionPolicy",
            json!({"metadata": {"name": "p"}, "spec": spec}),
        ),
        object(
            "ValidatingAdmissionPolicyBinding",
            json!({"metadata": {"name": "b"}, "spec": bound}),
        ),
    ]
}

/// Returns the words with which policies refuse a pod with the label `team: a`, behind its name.
fn verdict(objects: &[Object]) -> Option<String> {
    let pods = [pod("x", &template(&[("team", "a")], cpu(100)), None, None)];
    let replay = run(&pods, objects);
    let words = message(&replay, 0)?;
    let words = words.strip_prefix("pods \"x\" is forbidden: ")?;
    Some(words.to_owned())
}

fn expression(text: &str) -> Option<String> {
    verdict(&policy(
        json!({"validations": [{"expression": text}]}),
        json!({}),
    ))
}

#[test]
fn expressions_see_the_pod_with_the_defaults_of_the_api_server() {
    for text in [
        "object.kind == 'Pod' && object.apiVersion == 'v1'",
        "object.metadata.name == 'x' && object.metadata.namespace == 'a'",
        "object.spec.restartPolicy == 'Always' && object.spec.terminationGracePeriodSeconds == 30",
        "object.spec.containers.all(c, c.imagePullPolicy == 'Always' && c.resources.requests.cpu == '100m')",
        "object.spec.tolerations.size() == 2 && object.spec.serviceAccountName == 'default'",
        "object.status.phase == 'Pending' && object.status.qosClass == 'Burstable'",
        "!has(object.spec.nodeName) && !has(object.spec.containers[0].ports)",
        "oldObject == null && request.operation == 'CREATE' && request.resource.resource == 'pods'",
        "request.userInfo.username == 'alice' && 'dev' in request.userInfo.groups && request.name == 'x'",
        "namespaceObject.metadata.name == 'a' && namespaceObject.metadata.labels['kubernetes.io/metadata.name'] == 'a'",
    ] {
        assert_eq!(expression(text), None, "{text}");
    }
}

#[test]
fn a_refusal_has_the_words_of_the_policy() {
    let denied = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";
    let of = |validation: Value| {
        let words = verdict(&policy(json!({"validations": [validation]}), json!({})))?;
        words.strip_prefix(denied).map(str::to_owned)
    };
    assert_eq!(
        of(json!({"expression": " 1 > 2 "})).as_deref(),
        Some("failed expression: 1 > 2")
    );
    assert_eq!(
        of(json!({"expression": "false", "message": " no "})).as_deref(),
        Some("no")
    );
    let text = "'not ' + object.metadata.name";
    assert_eq!(
        of(json!({"expression": "false", "message": "no", "messageExpression": text})).as_deref(),
        Some("not x")
    );
    // A message that fails, is empty or has several lines gives way to the plain one.
    for text in ["object.nothing.at", "' '", "'a\\nb'"] {
        let text = if text.starts_with('\'') {
            text.to_owned()
        } else {
            format!("string({text})")
        };
        let shown = of(json!({"expression": "false", "message": "no", "messageExpression": text}));
        assert_eq!(shown.as_deref(), Some("no"), "{text}");
    }
    assert_eq!(
        of(json!({"expression": "object.spec.nothing == 1"})).as_deref(),
        Some("expression 'object.spec.nothing == 1' resulted in error: no such key: nothing")
    );
}

#[test]
fn the_failure_policy_decides_on_evaluations_that_fail() {
    let of = |failure: &str, conditions: Value| {
        verdict(&policy(
            json!({
                "failurePolicy": failure,
                "matchConditions": conditions,
                "variables": [{"name": "v", "expression": "object.spec.nothing"}],
                "validations": [{"expression": "variables.v == 1"}]
            }),
            json!({}),
        ))
    };
    assert!(of("Fail", json!([])).is_some());
    assert_eq!(of("Ignore", json!([])), None);
    let fails = json!({"name": "f", "expression": "object.nothing == 1"});
    let is_false = json!({"name": "n", "expression": "object.metadata.name == 'y'"});
    assert!(of("Fail", json!([fails])).is_some());
    assert_eq!(of("Fail", json!([fails, is_false])), None);
    assert_eq!(of("Ignore", json!([fails])), None);
}

#[test]
fn a_policy_is_for_the_pods_that_its_constraints_match() {
    let of = |constraints: Value, binding: Value| {
        let spec =
            json!({"matchConstraints": constraints, "validations": [{"expression": "false"}]});
        verdict(&policy(spec, binding)).is_some()
    };
    let rule = |operation: &str, group: &str, resource: &str| {
        json!({"resourceRules": [{
            "operations": [operation], "apiGroups": [group], "apiVersions": ["*"], "resources": [resource]
        }]})
    };
    assert!(of(rule("CREATE", "", "pods"), json!({})));
    assert!(of(rule("*", "*", "*"), json!({})));
    assert!(of(rule("*", "*", "*/*"), json!({})));
    assert!(!of(rule("UPDATE", "", "pods"), json!({})));
    assert!(!of(rule("CREATE", "apps", "pods"), json!({})));
    assert!(!of(rule("CREATE", "", "deployments"), json!({})));
    assert!(!of(rule("CREATE", "", "pods/status"), json!({})));
    let team = |team: &str| json!({"objectSelector": {"matchLabels": {"team": team}}});
    assert!(of(team("a"), json!({})));
    assert!(!of(team("b"), json!({})));
    assert!(!of(json!({}), json!({"matchResources": team("b")})));
    let mut excluded = rule("CREATE", "", "pods");
    excluded["excludeResourceRules"] = excluded["resourceRules"].clone();
    assert!(!of(excluded, json!({})));
    let namespace = json!({"namespaceSelector": {"matchExpressions": [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["a"]}
    ]}});
    assert!(!of(namespace, json!({})));
    // A binding that only warns refuses nothing.
    assert!(!of(json!({}), json!({"validationActions": ["Warn"]})));
}

#[test]
fn parameters_are_found_by_name_and_by_label() {
    let spec = json!({
        "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
        "validations": [{"expression": "params != null && int(params.data.most) > 1"}]
    });
    let of = |reference: Value, most: Option<&str>| {
        let mut objects = policy(spec.clone(), json!({"paramRef": reference}));
        if let Some(most) = most {
            let meta = json!({"name": "c", "namespace": "a", "labels": {"for": "pods"}});
            objects.push(object(
                "ConfigMap",
                json!({"metadata": meta, "data": {"most": most}}),
            ));
        }
        verdict(&objects).is_some()
    };
    let by_name = json!({"name": "c", "parameterNotFoundAction": "Deny"});
    assert!(!of(by_name.clone(), Some("2")));
    assert!(of(by_name.clone(), Some("1")));
    assert!(of(by_name, None));
    assert!(!of(
        json!({"name": "c", "parameterNotFoundAction": "Allow"}),
        None
    ));
    let by_label = json!({"selector": {"matchLabels": {"for": "pods"}}});
    assert!(!of(by_label.clone(), Some("2")));
    assert!(of(by_label, Some("1")));
    assert!(of(
        json!({"name": "c", "namespace": "z", "parameterNotFoundAction": "Deny"}),
        Some("2")
    ));
}

#[test]
fn a_policy_that_no_api_server_accepts_is_an_error_with_its_place() {
    let error = |spec: Value| {
        let objects = policy(spec, json!({}));
        Policies::read(&objects).unwrap_err().to_string()
    };
    assert_eq!(
        error(json!({"validations": [{"expression": "1"}]})),
        "test.yaml:1: ValidatingAdmissionPolicy p: spec.validations[0].expression: compilation failed: ERROR: <input>:1:1: must evaluate to bool but got int"
    );
    assert!(
        error(json!({"validations": [{"expression": "true", "messageExpression": "1"}]}))
            .contains("messageExpression")
    );
    assert!(
        error(json!({"variables": [{"name": "v", "expression": "params.a"}]}))
            .contains("undeclared reference to 'params'")
    );
    assert!(
        error(json!({"matchConditions": [{"name": "c", "expression": "object.a"}]}))
            .contains("must evaluate to bool but got dyn")
    );
    let twice = [
        quota("a", "q", json!({"hard": {"pods": "1"}})),
        quota("a", "q", json!({"hard": {"pods": "2"}})),
    ];
    assert!(
        Policies::read(&twice)
            .unwrap_err()
            .to_string()
            .contains("is there twice")
    );
    let negative = [quota("a", "q", json!({"hard": {"pods": "-1"}}))];
    assert!(
        Policies::read(&negative)
            .unwrap_err()
            .to_string()
            .contains("below zero")
    );
    let scope = [quota(
        "a",
        "q",
        json!({"hard": {"pods": "1"}, "scopes": ["Nothing"]}),
    )];
    assert!(
        Policies::read(&scope)
            .unwrap_err()
            .to_string()
            .contains("is not a scope")
    );
}

/// Amounts that a request in one of three notations is.
fn request() -> impl Strategy<Value = (String, u128)> {
    (0_u64..3000, 0..3).prop_map(|(number, notation)| {
        let text = match notation {
            0 => format!("{number}m"),
            1 => number.to_string(),
            _ => format!("{number}Ki"),
        };
        let nanos = text.parse::<Quantity>().unwrap().nanos();
        (text, nanos)
    })
}

proptest! {
    #[test]
    fn usage_is_a_recount_of_the_admitted_pods(
        pods in proptest::collection::vec((request(), 0_i64..50, proptest::option::of(1_i64..30)), 1..60),
        hard in request(),
        count in 0_u64..30,
    ) {
        let objects = [quota("a", "q", json!({"hard": {"memory": hard.0, "pods": count.to_string(), "count/pods": "1000"}}))];
        let mut all: Vec<_> = pods
            .iter()
            .enumerate()
            .map(|(place, ((text, nanos), from, life))| {
                let spec = json!({"containers": [{"name": "c", "resources": {"requests": {"memory": text}}}]});
                let to = life.map(|life| from + life);
                (pod(&format!("p{place}"), &template(&[], spec), Some(*from), to), *nanos)
            })
            .collect();
        all.sort_by_key(|(pod, _)| pod.arrival);
        let list: Vec<_> = all.iter().map(|(pod, _)| pod.clone()).collect();
        let first = run(&list, &objects);
        // Recounts, after each arrival, the admitted pods that live.
        let (mut peak, mut peak_pods) = (0, 0);
        for (place, (newest, nanos)) in all.iter().enumerate() {
            let now = newest.arrival.unwrap();
            let lives = |pod: &Pod| pod.departure.is_none_or(|end| end > now);
            let earlier = all[..place].iter().zip(&first.decisions);
            let living: Vec<_> = earlier
                .filter(|((pod, _), decision)| decision.refused.is_none() && lives(pod))
                .map(|((_, nanos), _)| *nanos)
                .collect();
            let sum: u128 = living.iter().sum();
            let pods = living.len() as u64;
            let fits = (*nanos == 0 || sum + nanos <= hard.1) && pods < count;
            prop_assert_eq!(first.decisions[place].refused.is_none(), fits, "{}", place);
            if fits {
                peak = peak.max(sum + nanos);
                peak_pods = peak_pods.max(pods + 1);
            }
        }
        let keys: BTreeMap<_, _> = first.quotas[0].keys.iter().map(|key| (key.key.as_str(), key)).collect();
        prop_assert_eq!(keys["memory"].peak.nanos(), peak);
        prop_assert_eq!(keys["pods"].peak.whole(), peak_pods);
        // Quotas as large as the sufficient ones refuse nothing.
        let sufficient: serde_json::Map<_, _> = first.quotas[0].keys.iter()
            .map(|key| (key.key.clone(), json!(key.sufficient.to_string())))
            .collect();
        let enough = run(&list, &[quota("a", "q", json!({"hard": sufficient}))]);
        prop_assert!(enough.decisions.iter().all(|decision| decision.refused.is_none()));
        for key in &enough.quotas[0].keys {
            prop_assert_eq!(key.peak, key.hard);
        }
        // The same input has the same words.
        let again = run(&list, &objects);
        for (a, b) in first.decisions.iter().zip(&again.decisions) {
            prop_assert_eq!(&a.refused, &b.refused);
        }
    }

    #[test]
    fn reasons_of_limit_range_do_not_depend_on_the_order_of_keys(
        amounts in proptest::collection::btree_map("[a-e]", request(), 0..5),
        bounds in proptest::collection::btree_map("[a-e]", request(), 0..5),
    ) {
        let list = |all: &BTreeMap<String, (String, u128)>, reversed: bool| {
            let mut texts: Vec<_> = all.iter().map(|(key, (text, _))| format!("{key:?}: {text:?}")).collect();
            if reversed { texts.reverse(); }
            format!("{{{}}}", texts.join(", "))
        };
        let words = |reversed: bool| {
            let spec = format!(r#"{{"containers": [{{"name": "c", "resources": {{"requests": {0}, "limits": {0}}}}}]}}"#, list(&amounts, reversed));
            let item = format!(r#"{{"metadata": {{"name": "l", "namespace": "a"}}, "spec": {{"limits": [{{"type": "Container", "max": {0}, "min": {0}, "maxLimitRequestRatio": {0}}}]}}}}"#, list(&bounds, reversed));
            let pods = [pod("x", &template(&[], serde_json::from_str(&spec).unwrap()), None, None)];
            let replay = run(&pods, &[object("LimitRange", serde_json::from_str(&item).unwrap())]);
            replay.decisions[0].refused.clone()
        };
        let first = words(false);
        prop_assert_eq!(&first, &words(true));
        if let Some((plugin, _)) = first {
            prop_assert_eq!(plugin, Plugin::LimitRange);
        }
    }
}
