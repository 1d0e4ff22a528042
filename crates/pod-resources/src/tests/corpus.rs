//! Whole configurations in the manner of the tools that write them, in `../fixtures/corpus`.
//!
//! `runc spec`, `runc spec --rootless`, `crun spec` and `podman create` of Debian 12 wrote
//! `runc-spec`, `runc-spec-rootless`, `crun-spec` and `podman`, in which paths were replaced. The
//! others follow the documented forms of their tools. Those of the CRI API have the JSON that
//! crictl reads.

use cri_api::v1::{ContainerConfig, LinuxContainerConfig};
use oci_config::Details;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

macro_rules! corpus {
    ($($name:literal: $expected:tt),* $(,)?) => {
        [$((
            $name,
            include_str!(concat!("../fixtures/corpus/", $name, ".json")),
            json!($expected),
        )),*]
    };
}

fn specs() -> [(&'static str, &'static str, Value); 13] {
    corpus! {
        "runc-spec": {},
        "runc-spec-rootless": {},
        "crun-spec": {},
        "podman": {
            "cpu_limit": 1.5, "cpu_request": 0.5, "memory_limit": 1_073_741_824,
            "memory_request": 536_870_912, "pid_limit": 200
        },
        "docker": {
            "cpu_limit": 1.5, "cpu_request": 0.5, "memory_limit": 1_073_741_824,
            "memory_request": 536_870_912, "pid_limit": 200
        },
        "containerd-cri": {
            "cpu_limit": 0.5, "cpu_request": 0.25, "memory_limit": 134_217_728
        },
        "containerd-null-everywhere": {},
        "cri-o": {
            "cpu_limit": 1.0, "cpu_request": 0.1, "memory_limit": 536_870_912,
            "memory_request": 268_435_456
        },
        "gvisor": {
            "cpu_limit": 2.0, "cpu_request": 1.0, "memory_limit": 268_435_456, "pid_limit": 0
        },
        "kata": {
            "cpu_limit": 2.0, "cpu_request": 2.0, "memory_limit": 1_073_741_824,
            "storage_limit": 2_147_483_648_u64
        },
        "windows": {},
        "lcow": { "cpu_limit": 1.0, "cpu_request": 0.5, "memory_limit": 536_870_912 },
        "nspawn": { "cpu_request": 256.0, "pid_limit": 16_384 },
    }
}

fn odd() -> (&'static str, &'static str, Value) {
    let [odd] = corpus! {
        "parts-that-nobody-reads": {
            "cpu_limit": 0.25, "memory_limit": 1_048_576, "pid_limit": 5
        },
    };
    odd
}

fn assert_stated(name: &str, text: &str, expected: &Value) {
    let spec: Spec = oci_config::from_slice(text.as_bytes()).unwrap();
    assert_eq!(spec.invalid, [], "{name}");
    for on_invalid in [OnInvalid::Reject, OnInvalid::Warn] {
        let found = extract_container(&spec, on_invalid).unwrap();
        assert_eq!(found.info, info(expected.clone()), "{name}");
        assert_eq!(found.warnings, [], "{name}");
    }
    oci_config::from_slice::<Details>(text.as_bytes()).unwrap();
}

#[test]
fn specs_of_every_tool_state_their_resources() {
    for (name, text, expected) in specs().into_iter().chain([odd()]) {
        assert_stated(name, text, &expected);
    }
}

#[test]
fn the_details_of_specs_of_every_tool_can_be_read() {
    for (name, text, _) in specs() {
        let details: Details = oci_config::from_slice(text.as_bytes()).unwrap();
        let mut invalid = Vec::new();
        details.hostname.take("hostname", "a text", &mut invalid);
        details.mounts.take("mounts", "mounts", &mut invalid);
        let process = details.process.take("process", "an object", &mut invalid);
        let process = process.unwrap();
        let user = process.user.take("user", "an object", &mut invalid);
        let user = user.unwrap();
        user.uid.take("uid", "a number", &mut invalid).unwrap();
        user.additional_gids.take("gids", "numbers", &mut invalid);
        process.env.take("env", "texts", &mut invalid);
        process.cwd.take("cwd", "a text", &mut invalid).unwrap();
        assert_eq!(invalid, [], "{name}");
    }
}

#[test]
fn configurations_of_cri_state_their_resources() {
    let pods = corpus! {
        "kubelet-pod": {
            "cpu_limit": 1.75, "cpu_request": 0.75, "memory_limit": 1_199_570_944,
            "network_bandwidth": 10_000_000
        },
        "crictl-pod": {},
    };
    for (name, text, expected) in pods {
        let json: Value = serde_json::from_str(text).unwrap();
        let of_config = Sandbox {
            config: Some(pod_config(&json["linux"], &json["annotations"])),
            ..Sandbox::default()
        };
        assert_eq!(of_config.info(), info(expected.clone()), "{name}");
        // containerd's record has the same configuration.
        let record = json!({"Version": "v1", "Metadata": {"Config": json}});
        let of_record = Sandbox {
            record: Some(record.to_string().into_bytes()),
            ..Sandbox::default()
        };
        let own = of_record.info();
        assert_eq!(own, info(expected), "{name}, record");
    }
    let containers = corpus! {
        "kubelet-container": {
            "cpu_limit": 0.5, "cpu_request": 0.25, "memory_limit": 134_217_728,
            "memory_request": 67_108_864, "pid_limit": 1024
        },
        "crictl-container": {},
    };
    for (name, text, expected) in containers {
        let json: Value = serde_json::from_str(text).unwrap();
        let config = ContainerConfig {
            annotations: json
                .get("annotations")
                .cloned()
                .map(map)
                .unwrap_or_default(),
            linux: Some(LinuxContainerConfig {
                resources: json["linux"].get("resources").map(cri),
                security_context: None,
            }),
            ..ContainerConfig::default()
        };
        let found = ResourceInfo::from_container_config(&config, OnInvalid::Reject).unwrap();
        assert_eq!(found.info, info(expected), "{name}");
    }
}

/// Paths of the fields that decide something; an object is decoded on the way to one.
const USED: [&str; 15] = [
    "/annotations",
    "/process",
    "/process/args",
    "/linux",
    "/linux/resources",
    "/linux/resources/cpu",
    "/linux/resources/cpu/shares",
    "/linux/resources/cpu/quota",
    "/linux/resources/cpu/period",
    "/linux/resources/memory",
    "/linux/resources/memory/limit",
    "/linux/resources/memory/reservation",
    "/linux/resources/pids",
    "/linux/resources/pids/limit",
    "/linux/resources/unified",
];

/// Returns the paths of all members of objects in a value.
fn members(at: &str, value: &Value, found: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        members(&path, member, found);
        found.push(path);
    }
}

/// Generates JSON texts, with numbers and nesting that no type holds.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("1e999".to_owned()),
        Just("-123456789012345678901234567890.5".to_owned()),
        any::<String>().prop_map(|text| json!(text).to_string()),
        Just(r#""\ud800""#.to_owned()),
        Just(format!("{}{}", "[".repeat(300), "]".repeat(300))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|l| format!("[{}]", l.join(","))),
            prop::collection::vec(("[a-z]{0,6}", inner), 0..4).prop_map(|members| {
                let members = members.iter().enumerate();
                let members = members.map(|(n, (name, value))| format!("\"{name}{n}\":{value}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

/// Returns whether a JSON text has a number beyond the range of a float or half of a surrogate
/// pair: it has no value where a section is read.
fn has_no_value(json: &str) -> bool {
    json.contains("1e999") || json.contains(r"\ud800")
}

proptest! {
    #[test]
    fn any_value_in_an_unused_field_changes_nothing(
        spec in prop::sample::select(specs().to_vec()),
        place: prop::sample::Index,
        new_name in "[A-Z][a-zA-Z]{0,8}",
        value in any_json(),
        adds: bool,
    ) {
        const MARK: &str = "a mark that no fixture has";
        let (name, text, expected) = spec;
        let mut json: Value = serde_json::from_str(text).unwrap();
        let mut paths = Vec::new();
        members("", &json, &mut paths);
        let path = if adds {
            // A new member of an object whose members are not all read.
            let objects = ["", "/process", "/linux", "/linux/resources", "/linux/resources/cpu"];
            let parent = objects[place.index(objects.len())];
            prop_assume!(json.pointer(parent).is_some_and(Value::is_object));
            json.pointer_mut(parent).unwrap()[&new_name] = json!(MARK);
            format!("{parent}/{new_name}")
        } else {
            let is_used = |path: &String| USED.contains(&path.as_str());
            // Of the maps that are read, the tests of `rows` and `invalid` cover the members.
            paths.retain(|path| {
                let in_map = path.starts_with("/annotations/resources.")
                    || path.starts_with("/linux/resources/unified/");
                !is_used(path) && !in_map
            });
            let path = paths[place.index(paths.len())].clone();
            *json.pointer_mut(&path).unwrap() = json!(MARK);
            path
        };
        let text = json.to_string().replacen(&format!("\"{MARK}\""), &value, 1);
        let spec: Spec = match oci_config::from_slice(text.as_bytes()) {
            Ok(spec) => spec,
            Err(e) => return Err(TestCaseError::fail(format!("{name}, {path}: {e}"))),
        };
        prop_assert_eq!(&spec.invalid, &[], "{}, {}", name, path);
        let found = extract_container(&spec, OnInvalid::Reject).unwrap();
        prop_assert_eq!(found.info, info(expected), "{}, {}", name, path);
        let details = oci_config::from_slice::<Details>(text.as_bytes());
        prop_assert!(details.is_ok() || has_no_value(&value), "{}", path);
    }

    #[test]
    fn any_value_in_a_used_field_is_read_or_reported(
        path in prop::sample::select(USED.to_vec()),
        value in any_json(),
    ) {
        const MARK: &str = "a mark that no fixture has";
        let mut json = json!({
            "annotations": {}, "process": {"args": []},
            "linux": {"resources": {"cpu": {}, "memory": {}, "pids": {}, "unified": {}}}
        });
        let (parent, name) = path.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[name] = json!(MARK);
        let text = json.to_string().replacen(&format!("\"{MARK}\""), &value, 1);
        let is_readable = oci_config::from_slice::<Spec>(text.as_bytes());
        prop_assert!(is_readable.is_ok() || has_no_value(&value), "{}", text);
        if let Ok(spec) = is_readable {
            prop_assert!(extract_container(&spec, OnInvalid::Warn).is_ok());
        }
    }
}
