//! Updates of a running container.

use oci_spec::runtime::LinuxResources;
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
            json!({"cpu": {"quota": 0, "period": 0, "shares": 0}, "memory": {"limit": 0}, "pids": {"limit": 0}}),
            with(json!({})),
        ),
        (
            json!({"cpu": {"quota": 200_000, "period": 100_000, "shares": 1024}}),
            with(json!({"cpu_limit": 2.0, "cpu_request": 1.0})),
        ),
        (
            json!({"cpu": {"quota": 200_000}}),
            with(json!({"cpu_limit": 2.0})),
        ),
        (json!({"cpu": {"period": 50_000}}), with(json!({}))),
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
        let resources: LinuxResources = serde_json::from_value(update.clone()).unwrap();
        let expected = Extraction {
            info: info(left),
            warnings: Vec::new(),
        };
        for on_invalid in [OnInvalid::Reject, OnInvalid::Warn] {
            let updated = info(full.clone()).updated_by(&resources, on_invalid);
            assert_eq!(updated.as_ref(), Ok(&expected), "{update}");
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
        let resources: LinuxResources = serde_json::from_value(update.clone()).unwrap();
        let before = info(before.clone());
        let invalid = before.updated_by(&resources, OnInvalid::Reject);
        let expected = Extraction {
            info: info(after),
            warnings: vec![invalid.unwrap_err()],
        };
        let warned = before.updated_by(&resources, OnInvalid::Warn);
        assert_eq!(warned, Ok(expected), "{update}");
    }
}
