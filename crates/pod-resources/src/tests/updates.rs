//! Updates of a running container.

use serde_json::{Value, json};

use super::*;

#[test]
fn updates_replace_what_they_state() {
    let full = json!({
        "cpu_limit": 1.0, "cpu_request": 0.5, "memory_limit": 100, "memory_request": 50,
        "pid_limit": 10, "storage_limit": 7, "network_bandwidth": 9000
    });
    let with = |changes: Value| {
        let mut left = full.clone();
        left.as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        left
    };
    for (update, left) in [
        (json!({}), with(json!({}))),
        (
            json!({"cpu": {"quota": 0, "period": 0, "shares": 0}, "memory": {"limit": 0}}),
            with(json!({})),
        ),
        (json!({"pids": {"limit": null}}), with(json!({}))),
        (json!({"pids": {"limit": 0}}), with(json!({"pid_limit": 0}))),
        (
            json!({"cpu": {"quota": 200_000, "period": 100_000, "shares": 1024}}),
            with(json!({"cpu_limit": 2.0, "cpu_request": 1.0})),
        ),
        (
            json!({"cpu": {"quota": 200_000}}),
            with(json!({"cpu_limit": 2.0})),
        ),
        (
            json!({"cpu": {"period": 50_000}}),
            with(json!({"cpu_limit": 2.0})),
        ),
        (
            json!({"memory": {"limit": 200, "reservation": 150}, "pids": {"limit": 20}}),
            with(json!({"memory_limit": 200, "memory_request": 150, "pid_limit": 20})),
        ),
        (
            json!({"cpu": {"quota": -1, "shares": 2}, "memory": {"limit": -1, "reservation": -1}, "pids": {"limit": -1}}),
            json!({"storage_limit": 7, "network_bandwidth": 9000}),
        ),
        (
            json!({"unified": {"cpu.max": "max", "memory.max": "max", "memory.min": "0", "pids.max": "max"}}),
            json!({"cpu_request": 0.5, "storage_limit": 7, "network_bandwidth": 9000}),
        ),
        (
            json!({"unified": {"cpu.max": "300000 100000"}}),
            with(json!({"cpu_limit": 3.0})),
        ),
    ] {
        let resources: LinuxResources = decoded(&update);
        for on_invalid in [OnInvalid::Reject, OnInvalid::Warn] {
            let updated = info(full.clone()).updated_by(None, &resources, on_invalid);
            let updated = updated.unwrap();
            assert_eq!(updated.info, info(left.clone()), "{update}");
            assert_eq!(updated.warnings, [], "{update}");
        }
    }
}

#[test]
fn an_unreadable_value_of_an_update_is_an_error_or_a_warning_and_a_null() {
    let before = json!({
        "cpu_limit": 1.0, "memory_limit": 100, "memory_request": 50, "pid_limit": 10,
        "storage_limit": 7
    });
    for (update, after) in [
        (
            json!({"unified": {"cpu.max": "x"}, "pids": {"limit": 20}}),
            json!({"memory_limit": 100, "memory_request": 50, "pid_limit": 20, "storage_limit": 7}),
        ),
        (
            json!({"cpu": {"quota": i64::MAX, "period": 1}}),
            json!({"memory_limit": 100, "memory_request": 50, "pid_limit": 10, "storage_limit": 7}),
        ),
        (
            json!({"unified": {"memory.min": "x"}}),
            json!({"cpu_limit": 1.0, "memory_limit": 100, "pid_limit": 10, "storage_limit": 7}),
        ),
        // Another source in the same update still counts.
        (
            json!({"unified": {"cpu.max": "x"}, "cpu": {"quota": 300_000, "period": 100_000}}),
            json!({
                "cpu_limit": 3.0, "memory_limit": 100, "memory_request": 50, "pid_limit": 10,
                "storage_limit": 7
            }),
        ),
    ] {
        let resources: LinuxResources = decoded(&update);
        let before = info(before.clone());
        let invalid = before.updated_by(None, &resources, OnInvalid::Reject);
        let warned = before.updated_by(None, &resources, OnInvalid::Warn);
        let warned = warned.unwrap();
        assert_eq!(warned.info, info(after), "{update}");
        assert_eq!(warned.warnings, [invalid.unwrap_err()], "{update}");
    }
}

/// Returns the CPU limits after each update of a container with `before` as `linux.resources`,
/// each update applied to the result of the one before it.
fn limits(before: &Value, annotations: &Value, updates: &[Value]) -> Vec<Option<f64>> {
    let spec = spec(before, annotations);
    let mut state = extract_container(&spec, OnInvalid::Reject).unwrap();
    let mut limits = vec![state.info.cpu_limit];
    for update in updates {
        let update: LinuxResources = decoded(update);
        let updated = state
            .info
            .updated_by(state.cpu_quota, &update, OnInvalid::Reject);
        state = updated.unwrap();
        limits.push(state.info.cpu_limit);
    }
    limits
}

#[test]
fn a_quota_or_period_alone_works_on_the_other_of_before() {
    let none = json!({});
    let cpu = |cpu: Value| json!({"cpu": cpu});
    let file = |content: &str| json!({"unified": {"cpu.max": content}});
    for (before, annotations, updates, expected) in [
        (
            cpu(json!({"quota": 50_000, "period": 200_000})),
            none.clone(),
            vec![
                cpu(json!({"period": 100_000})),
                cpu(json!({"quota": 100_000})),
                cpu(json!({"period": 50_000})),
                json!({"memory": {"limit": 5}}),
                cpu(json!({"quota": -1})),
                cpu(json!({"period": 25_000})),
                cpu(json!({"quota": 50_000})),
            ],
            vec![
                Some(0.25),
                Some(0.5),
                Some(1.0),
                Some(2.0),
                Some(2.0),
                None,
                None,
                Some(2.0),
            ],
        ),
        // The period comes before the first quota.
        (
            cpu(json!({"period": 50_000})),
            none.clone(),
            vec![cpu(json!({"quota": 25_000}))],
            vec![None, Some(0.5)],
        ),
        (
            file("50000 200000"),
            none.clone(),
            vec![
                cpu(json!({"period": 100_000})),
                file("100000"),
                file("max"),
                file("25000"),
            ],
            vec![Some(0.25), Some(0.5), Some(1.0), None, Some(0.25)],
        ),
        // A limit that an annotation states has no quota.
        (
            none,
            json!({"resources.limits.cpu": "2"}),
            vec![
                cpu(json!({"period": 50_000})),
                cpu(json!({"quota": 50_000})),
            ],
            vec![Some(2.0), Some(2.0), Some(1.0)],
        ),
    ] {
        assert_eq!(
            limits(&before, &annotations, &updates),
            expected,
            "{before}"
        );
    }
}
