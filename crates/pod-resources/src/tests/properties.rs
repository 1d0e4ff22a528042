//! Properties that hold for every input.

use std::collections::HashMap;

use cri_api::v1::PodSandboxConfig;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::info::tests::infos;

/// Generates `unified` maps with valid and invalid contents.
fn unified_maps() -> impl Strategy<Value = HashMap<String, String>> {
    let file = proptest::sample::select(vec![
        "cpu.max",
        "cpu.weight",
        "memory.max",
        "memory.min",
        "memory.low",
        "pids.max",
        "io.max",
    ]);
    let content = "max|-?[0-9]{1,6}|[0-9]{1,6} [0-9]{1,6}|[0-9]{1,6}[KMG]i?|[a-z]{0,4}";
    proptest::collection::hash_map(file.prop_map(str::to_owned), content, 0..4)
}

fn annotation_maps() -> impl Strategy<Value = HashMap<String, String>> {
    let key = proptest::sample::select(vec![
        "resources.limits.cpu",
        "resources.requests.cpu",
        "resources.limits.memory",
        "resources.requests.memory",
        "resources.limits.pid",
        "resources.limits.ephemeral-storage",
        "kubernetes.io/ingress-bandwidth",
        "kubernetes.io/egress-bandwidth",
    ]);
    let content = "-?[0-9]{1,5}(\\.[0-9]{1,3})?[mkMG]?i?|[a-z]{0,3}";
    proptest::collection::hash_map(key.prop_map(str::to_owned), content, 0..5)
}

/// Returns annotations that state exactly these resources.
fn as_annotations(info: &ResourceInfo) -> HashMap<String, String> {
    [
        (
            "resources.limits.cpu",
            info.cpu_limit.map(|cores| format!("{cores}")),
        ),
        (
            "resources.requests.cpu",
            info.cpu_request.map(|cores| format!("{cores}")),
        ),
        (
            "resources.limits.memory",
            info.memory_limit.map(|n| n.to_string()),
        ),
        (
            "resources.requests.memory",
            info.memory_request.map(|n| n.to_string()),
        ),
        (
            "resources.limits.pid",
            info.pid_limit.map(|n| n.to_string()),
        ),
        (
            "resources.limits.ephemeral-storage",
            info.storage_limit.map(|n| n.to_string()),
        ),
        (
            "kubernetes.io/ingress-bandwidth",
            info.network_bandwidth.map(|n| n.to_string()),
        ),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), value?)))
    .collect()
}

/// Limits random resources to values that annotations can state.
fn stateable(info: ResourceInfo) -> ResourceInfo {
    let count = |n: Option<u64>| n.map(|n| n.clamp(1, i64::MAX.unsigned_abs()));
    ResourceInfo {
        cpu_limit: info.cpu_limit.filter(|cores| *cores > 0.0),
        cpu_request: info.cpu_request,
        memory_limit: count(info.memory_limit),
        memory_request: count(info.memory_request),
        pid_limit: count(info.pid_limit),
        storage_limit: count(info.storage_limit),
        network_bandwidth: info
            .network_bandwidth
            .map(|n| n.clamp(1_000, 10_u64.pow(15))),
    }
}

proptest! {
    #[test]
    fn reject_fails_with_the_first_warning_of_warn(
        unified in unified_maps(),
        annotations in annotation_maps(),
    ) {
        let linux = Field::Value(decoded(&json!({"resources": {"unified": unified}})));
        let data = ContainerData { linux: &linux, annotations: &annotations };
        let warned = ResourceInfo::from_container_data(&data, OnInvalid::Warn).unwrap();
        match ResourceInfo::from_container_data(&data, OnInvalid::Reject) {
            Ok(found) => prop_assert_eq!(found, warned),
            Err(invalid) => prop_assert_eq!(Some(&invalid), warned.warnings.first()),
        }
    }

    #[test]
    fn annotations_state_the_resources_that_they_were_made_of(any in infos()) {
        let stated = stateable(any);
        let annotations = as_annotations(&stated);
        let data = ContainerData { linux: &Field::Absent, annotations: &annotations };
        let found = ResourceInfo::from_container_data(&data, OnInvalid::Reject).unwrap();
        prop_assert_eq!(found.info, stated);
    }

    #[test]
    fn sources_merge_field_by_field_in_order(a in infos(), b in infos(), c in infos()) {
        let (a, b, c) = (stateable(a), stateable(b), stateable(c));
        let sandbox = Sandbox {
            config: Some(PodSandboxConfig {
                annotations: as_annotations(&a),
                ..PodSandboxConfig::default()
            }),
            annotations: as_annotations(&b),
            labels: HashMap::new(),
            record: Some(record(&Value::Null, &json!(as_annotations(&c)))),
        };
        prop_assert_eq!(sandbox.info(), a.or(b).or(c));
    }

    #[test]
    fn any_record_is_read_or_refused(json in any::<Vec<u8>>()) {
        let sandbox = Sandbox { record: Some(json), ..Sandbox::default() };
        let _ = sandbox.extract(OnInvalid::Reject);
    }

    #[test]
    fn any_linux_numbers_are_read_or_refused(
        quota in any::<i64>(), period in any::<u64>(), shares in any::<u64>(),
        limit in any::<i64>(), reservation in any::<i64>(), pids in any::<i64>(),
    ) {
        let resources: LinuxResources = decoded(&json!({
            "cpu": {"quota": quota, "period": period, "shares": shares},
            "memory": {"limit": limit, "reservation": reservation},
            "pids": {"limit": pids}
        }));
        let updated = ResourceInfo::default().updated_by(None, &resources, OnInvalid::Reject);
        if let Ok(Extraction { info, .. }) = updated {
            for cores in [info.cpu_limit, info.cpu_request].into_iter().flatten() {
                prop_assert!(cores > 0.0 && cores <= 1e6);
            }
            prop_assert_eq!(info.pid_limit, u64::try_from(pids).ok());
        }
    }
}
