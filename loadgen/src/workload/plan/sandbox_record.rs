//! Sandbox record of a pod, as containerd stores it and sends it with Create.

use std::collections::HashMap;

use containerd_client::types::{Sandbox, sandbox::Runtime};
use prost_types::{Any, Timestamp};
use serde_json::{Value, json};

use super::Pod;
use crate::workload::runtime::{HANDLER, RUNTIME_TYPE};

/// Extension with the metadata of the CRI plugin, and its type.
const EXTENSION: &str = "metadata";
const EXTENSION_TYPE: &str = "github.com/containerd/cri/pkg/store/sandbox/Metadata";

/// Go's zero time: the timestamps in the record of a host-network pod.
const YEAR_ONE: Timestamp = Timestamp {
    seconds: -62_135_596_800,
    nanos: 0,
};

/// Builds the record of a pod in the network of the host.
pub(super) fn record(pod: &Pod) -> Sandbox {
    let name = format!("{}_{}_{}_0", pod.name, pod.namespace, pod.uid);
    let metadata = json!({
        "Version": "v1",
        "Metadata": {
            "ID": pod.sandbox_id,
            "Name": name,
            "Config": stated(json!(pod.cri_sandbox_config())),
            "NetNSPath": "",
            "IP": "",
            "AdditionalIPs": null,
            "RuntimeHandler": HANDLER,
            "CNIResult": null,
            "ProcessLabel": "",
        },
    });
    let extension = Any {
        type_url: EXTENSION_TYPE.to_owned(),
        value: metadata.to_string().into_bytes(),
    };
    Sandbox {
        sandbox_id: pod.sandbox_id.clone(),
        runtime: Some(Runtime {
            name: RUNTIME_TYPE.to_owned(),
            options: None,
        }),
        spec: None,
        labels: HashMap::from([("name".to_owned(), name)]),
        created_at: Some(YEAR_ONE),
        updated_at: Some(YEAR_ONE),
        extensions: HashMap::from([(EXTENSION.to_owned(), extension)]),
        sandboxer: HANDLER.to_owned(),
    }
}

/// Removes unset fields, like Go's `omitempty`.
fn stated(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, stated(value)))
            .filter(|(_, value)| !is_unset(value))
            .collect(),
        other => other,
    }
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::plan::Plan;
    use crate::workload::scenario::PodShape;

    #[test]
    fn unset_fields_are_left_out() {
        let value = json!({ "a": { "b": null, "c": 0 }, "d": "x", "e": [], "f": 2 });
        assert_eq!(stated(value), json!({ "d": "x", "f": 2 }));
    }

    #[test]
    fn a_record_carries_the_pods_configuration_as_json() {
        let pod = Plan::new(1, PodShape::with_containers(1, 1)).pod(0);
        let record = record(&pod);
        let metadata: Value = serde_json::from_slice(&record.extensions["metadata"].value).unwrap();
        let config = &metadata["Metadata"]["Config"];
        assert_eq!(config["metadata"]["uid"], pod.uid);
        assert_eq!(config["labels"]["app"], *pod.app);
        let options = &config["linux"]["security_context"]["namespace_options"];
        assert_eq!(options["network"], 2);
        assert_eq!(metadata["Metadata"]["ID"], pod.sandbox_id);
    }
}
