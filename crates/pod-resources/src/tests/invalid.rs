//! Values that cannot be read: errors, warnings, and the other values beside them.

use serde_json::{Value, json};

use super::*;
use crate::Origin;

#[test]
fn records_without_a_configuration_state_nothing() {
    for json in [
        "",
        "{}",
        r#"{"Version":"v1"}"#,
        r#"{"Version":"v1","Metadata":{}}"#,
        r#"{"Version":"v1","Metadata":{"Config":null}}"#,
        r#"{"Version":"v1","Metadata":{"Config":{}}}"#,
        r#"{"Version":"v1","Metadata":{"Config":{"annotations":null,"linux":null}}}"#,
        r#"{"Version":"v1","Metadata":{"Config":{"linux":{"resources":null,"overhead":null}}}}"#,
        r#"{"Version":"v1","Metadata":{"Config":{"linux":{"resources":{"unified":null}}}}}"#,
    ] {
        let sandbox = Sandbox {
            record: Some(json.into()),
            ..Sandbox::default()
        };
        assert!(sandbox.info().is_empty(), "{json}");
    }
}

#[test]
fn a_record_that_is_not_the_json_of_containerd_is_invalid() {
    let deep = "[".repeat(1 << 20);
    for json in [
        "x",
        "[]",
        "null",
        "\0",
        r#"{"Version":"v2","Metadata":{}}"#,
        r#"{"Version":1}"#,
        r#"{"Metadata":{"Config":{"annotations":{"a":1}}}}"#,
        r#"{"Metadata":{"Config":{"linux":{"resources":{"cpu_shares":"1024"}}}}}"#,
        r#"{"Metadata":{"Config":{"linux":{"resources":{"cpu_shares":1e99}}}}}"#,
        r#"{"Metadata":{"Config":{}}"#,
        &deep,
    ] {
        let sandbox = Sandbox {
            record: Some(json.into()),
            labels: map(json!({"resources.limits.cpu": "1"})),
            ..Sandbox::default()
        };
        let invalid = sandbox.extract(OnInvalid::Reject).unwrap_err();
        assert_eq!(invalid.origin, Origin::Record);
        assert!(invalid.value.len() < 400);
        let found = sandbox.extract(OnInvalid::Warn).unwrap();
        assert_eq!(found.warnings, [invalid]);
        assert_eq!(
            found.info.cpu_limit,
            Some(1.0),
            "later sources are still read"
        );
    }
}

/// Returns rows with one invalid value each, and the expected message.
fn invalid_rows() -> Vec<(Value, Value, &'static str)> {
    let none = || json!({});
    let annotation = |key: &str, value: &str| json!({key: value});
    vec![
        (
            none(),
            annotation("resources.limits.cpu", "two"),
            r#"container annotation resources.limits.cpu: cannot read "two": expected a quantity such as 500m, 1.5, 2Gi or 1e3"#,
        ),
        (
            none(),
            annotation("resources.requests.cpu", "-1"),
            r#"container annotation resources.requests.cpu: cannot read "-1": expected a quantity that is not below zero"#,
        ),
        (
            none(),
            annotation("resources.limits.cpu", "1000001"),
            r#"container annotation resources.limits.cpu: cannot read "1000001": expected at most 1000000 cores"#,
        ),
        (
            none(),
            annotation("resources.limits.memory", "8Ei"),
            r#"container annotation resources.limits.memory: cannot read "8Ei": expected a quantity of at most 9223372036854775807"#,
        ),
        (
            none(),
            annotation("resources.requests.memory", "1 Gi"),
            r#"container annotation resources.requests.memory: cannot read "1 Gi": expected a quantity such as 500m, 1.5, 2Gi or 1e3"#,
        ),
        (
            none(),
            annotation("resources.limits.pid", ""),
            r#"container annotation resources.limits.pid: cannot read "": expected a quantity such as 500m, 1.5, 2Gi or 1e3"#,
        ),
        (
            none(),
            annotation("resources.limits.ephemeral-storage", "1\n"),
            r#"container annotation resources.limits.ephemeral-storage: cannot read "1\n": expected a quantity such as 500m, 1.5, 2Gi or 1e3"#,
        ),
        (
            none(),
            annotation("kubernetes.io/ingress-bandwidth", "999"),
            r#"container annotation kubernetes.io/ingress-bandwidth: cannot read "999": expected a bandwidth from 1k to 1P bits per second"#,
        ),
        (
            none(),
            annotation("kubernetes.io/egress-bandwidth", "1.1P"),
            r#"container annotation kubernetes.io/egress-bandwidth: cannot read "1.1P": expected a bandwidth from 1k to 1P bits per second"#,
        ),
        (
            json!({"unified": {"cpu.max": "half"}}),
            none(),
            r#"OCI resources cpu.max: cannot read "half": expected "max" or microseconds, and a period of microseconds above 0, as in 50000 100000"#,
        ),
        (
            json!({"unified": {"cpu.weight": "0"}}),
            none(),
            r#"OCI resources cpu.weight: cannot read "0": expected a weight from 1 to 10000"#,
        ),
        (
            json!({"unified": {"memory.max": "1Gi"}}),
            none(),
            r#"OCI resources memory.max: cannot read "1Gi": expected "max" or a number of bytes"#,
        ),
        (
            json!({"unified": {"memory.min": "x"}}),
            none(),
            r#"OCI resources memory.min: cannot read "x": expected "max" or a number of bytes"#,
        ),
        (
            json!({"unified": {"memory.low": "x"}}),
            none(),
            r#"OCI resources memory.low: cannot read "x": expected "max" or a number of bytes"#,
        ),
        (
            json!({"unified": {"pids.max": "many"}}),
            none(),
            r#"OCI resources pids.max: cannot read "many": expected "max" or a number of processes"#,
        ),
        (
            json!({"cpu": {"quota": i64::MAX, "period": 1}}),
            none(),
            r#"OCI resources cpu quota and period: cannot read "9223372036854775807 1": expected a quota of at most 1000000 times its period"#,
        ),
    ]
}

/// Returns rows with values of another JSON type or range.
fn mistyped_rows() -> Vec<(Value, Value, &'static str)> {
    let none = || json!({});
    vec![
        (
            json!({"memory": {"limit": "512m"}}),
            none(),
            r#"OCI resources memory limit: cannot read "\"512m\"": expected a whole number of bytes, or -1 for no limit"#,
        ),
        (
            json!({"cpu": {"shares": -1}}),
            none(),
            r#"OCI resources cpu shares: cannot read "-1": expected shares from 2 to 262144"#,
        ),
        (
            json!({"cpu": {"shares": 0.5}}),
            none(),
            r#"OCI resources cpu shares: cannot read "0.5": expected shares from 2 to 262144"#,
        ),
        (
            json!({"cpu": {"period": -1, "quota": 5}}),
            none(),
            r#"OCI resources cpu period: cannot read "-1": expected a period of microseconds above 0"#,
        ),
        (
            json!({"cpu": {"quota": [1]}}),
            none(),
            r#"OCI resources cpu quota: cannot read "[1]": expected a whole number of microseconds, or -1 for no limit"#,
        ),
        (
            json!({"pids": {"limit": true}}),
            none(),
            r#"OCI resources pids limit: cannot read "true": expected a whole number of processes, or -1 for no limit"#,
        ),
        (
            json!({"memory": 7}),
            none(),
            r#"OCI resources memory: cannot read "7": expected an object"#,
        ),
        (
            json!({"unified": ["cpu.max"]}),
            none(),
            r#"OCI resources unified: cannot read "[…]": expected an object of texts"#,
        ),
        (
            json!({"unified": {"pids.max": {"a": 1}}}),
            none(),
            r#"OCI resources pids.max: cannot read "{\"a\":1}": expected "max" or a number of processes"#,
        ),
        (
            none(),
            json!({"resources.limits.cpu": true}),
            r#"container annotation resources.limits.cpu: cannot read "true": expected a quantity such as 500m, 1.5, 2Gi or 1e3"#,
        ),
    ]
}

#[test]
fn an_unreadable_value_is_an_error_or_a_warning_and_a_null() {
    for (linux, annotations, message) in invalid_rows().into_iter().chain(mistyped_rows()) {
        let spec = spec(&linux, &annotations);
        let invalid = extract_container(&spec, OnInvalid::Reject).unwrap_err();
        assert_eq!(invalid.to_string(), message);
        let found = extract_container(&spec, OnInvalid::Warn).unwrap();
        assert_eq!(found.warnings, [invalid], "{message}");
        assert!(found.info.is_empty(), "{message}");
    }
}

#[test]
fn an_unreadable_value_is_an_error_even_if_an_earlier_source_wins() {
    let spec = spec(
        &json!({"cpu": {"quota": 100_000}}),
        &json!({"resources.limits.cpu": "x"}),
    );
    assert!(extract_container(&spec, OnInvalid::Reject).is_err());
    let found = extract_container(&spec, OnInvalid::Warn).unwrap();
    assert_eq!(found.info.cpu_limit, Some(1.0));
    assert_eq!(found.warnings.len(), 1);
}

#[test]
fn a_value_that_is_invalid_in_configuration_and_record_causes_one_warning() {
    let annotations = json!({"resources.limits.cpu": "x"});
    let sandbox = Sandbox {
        config: Some(pod_config(&Value::Null, &annotations)),
        record: Some(record(&Value::Null, &annotations)),
        ..Sandbox::default()
    };
    let warnings = sandbox.extract(OnInvalid::Warn).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].origin, Origin::PodAnnotation);
}

#[test]
fn invalid_overhead_is_noticed_without_resources_beside_it() {
    let linux = json!({"overhead": {"cpu_shares": -1}});
    let sandbox = Sandbox {
        config: Some(pod_config(&linux, &json!({}))),
        ..Sandbox::default()
    };
    let invalid = sandbox.extract(OnInvalid::Reject).unwrap_err();
    assert_eq!(
        invalid.to_string(),
        r#"pod overhead cpu shares: cannot read "-1": expected shares from 2 to 262144"#
    );
}

#[test]
fn a_section_that_is_no_object_is_named() {
    for (json, key) in [
        ("5", "linux"),
        (r#"{"resources":"none"}"#, "linux.resources"),
    ] {
        let text = format!("{{\"linux\":{json}}}");
        let spec: Spec = oci_config::from_slice(text.as_bytes()).unwrap();
        let invalid = extract_container(&spec, OnInvalid::Reject).unwrap_err();
        assert_eq!((invalid.key, invalid.expected), (key, "an object"));
        let found = extract_container(&spec, OnInvalid::Warn).unwrap();
        assert_eq!(found.warnings, [invalid]);
    }
}
