//! The pod that an API server shows to expressions: with defaults, and without what only a pod that
//! runs has.

use cel::Value;
use inventory::Template;
use inventory::api::{Container, PodSpec, Quantities, ResourceRequirements};
use serde_json::{Map, Value as Json, json};

use crate::typed::typed;

/// Annotation in which LimitRange notes the defaults that it sets.
const LIMIT_RANGER: &str = "kubernetes.io/limit-ranger";

/// Returns the pod of a template, with the resources of its spec and the API server's defaults
/// (`pkg/apis/core/v1/defaults.go` and the admission plug-ins that are on by default). The token
/// volume of the service account is left out: its name is random.
pub(crate) fn object(template: &Template, annotation: Option<&str>) -> Value {
    let mut pod = match &template.raw {
        Some(raw) => Json::clone(raw),
        None => json!({"metadata": {}, "spec": written(&template.spec)}),
    };
    if !pod.is_object() {
        pod = json!({});
    }
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["status"] = json!({"phase": "Pending", "qosClass": template.effective.qos.name()});
    if !pod["metadata"].is_object() {
        pod["metadata"] = json!({});
    }
    pod["metadata"]["labels"] = json!(template.labels);
    for field in ["ownerReferences", "managedFields", "generateName", "uid"] {
        remove(&mut pod["metadata"], field);
    }
    if let Some(annotation) = annotation {
        if !pod["metadata"]["annotations"].is_object() {
            pod["metadata"]["annotations"] = json!({});
        }
        pod["metadata"]["annotations"][LIMIT_RANGER] = json!(annotation);
    }
    if !pod["spec"].is_object() {
        pod["spec"] = json!({});
    }
    set_defaults(&mut pod["spec"], &template.spec);
    typed("Pod", &pod)
}

/// Returns the pod of a template under a name.
pub(crate) fn named(object: &Value, name: &str, namespace: &str, uid: Option<&str>) -> Value {
    let Value::Map(pod) = object else {
        return object.clone();
    };
    let mut pod = cel::Map::clone(pod);
    let mut metadata = match pod.field("metadata") {
        Some(Value::Map(metadata)) => cel::Map::clone(metadata),
        _ => cel::Map::default(),
    };
    let mut set = |field: &str, text: &str| {
        metadata.insert(Value::string(field), Value::string(text));
    };
    set("name", name);
    set("namespace", namespace);
    if let Some(uid) = uid {
        set("uid", uid);
    }
    pod.insert(Value::string("metadata"), Value::Map(metadata.into()));
    Value::Map(pod.into())
}

fn remove(object: &mut Json, field: &str) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove(field);
    }
}

/// Sets a field that is not there, or empty.
fn default(object: &mut Json, field: &str, value: impl FnOnce() -> Json) {
    let is_missing = match object.get(field) {
        None | Some(Json::Null) => true,
        Some(Json::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    if is_missing && let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value());
    }
}

fn set_defaults(json: &mut Json, spec: &PodSpec) {
    for (field, value) in [
        ("dnsPolicy", json!("ClusterFirst")),
        ("restartPolicy", json!("Always")),
        ("securityContext", json!({})),
        ("terminationGracePeriodSeconds", json!(30)),
        ("schedulerName", json!("default-scheduler")),
        ("enableServiceLinks", json!(true)),
        ("serviceAccountName", json!("default")),
        ("preemptionPolicy", json!("PreemptLowerPriority")),
        ("priority", json!(spec.priority.unwrap_or(0))),
    ] {
        default(json, field, || value);
    }
    let account = json["serviceAccountName"].clone();
    default(json, "serviceAccount", || account);
    remove(json, "nodeName");
    if let Some(pod) = &spec.resources {
        json["resources"] = resources(pod);
    }
    if !spec.overhead.is_empty() {
        json["overhead"] = quantities(&spec.overhead);
    }
    set_tolerations(json);
    for (field, containers) in [
        ("containers", &spec.containers),
        ("initContainers", &spec.init_containers),
    ] {
        let all = json.get_mut(field).and_then(Json::as_array_mut);
        for (json, container) in all.into_iter().flatten().zip(containers) {
            json["resources"] = resources(&container.resources);
            set_container_defaults(json, spec.host_network);
        }
    }
    for volume in json["volumes"].as_array_mut().into_iter().flatten() {
        for source in ["secret", "configMap", "downwardAPI", "projected"] {
            if let Some(source) = volume.get_mut(source).filter(|source| source.is_object()) {
                default(source, "defaultMode", || json!(0o644));
            }
        }
    }
}

/// Adds the tolerations for nodes that fail (plug-in `DefaultTolerationSeconds`).
fn set_tolerations(json: &mut Json) {
    if !json["tolerations"].is_array() {
        json["tolerations"] = json!([]);
    }
    let Some(all) = json["tolerations"].as_array_mut() else {
        return;
    };
    for key in [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ] {
        let tolerates = |toleration: &Json| {
            let text = |field: &str| toleration[field].as_str().unwrap_or("");
            matches!(text("key"), "") && text("operator") == "Exists" || text("key") == key
        };
        let effects = |toleration: &Json| {
            matches!(toleration["effect"].as_str(), None | Some("" | "NoExecute"))
        };
        if !all.iter().any(|one| tolerates(one) && effects(one)) {
            all.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300
            }));
        }
    }
}

fn set_container_defaults(json: &mut Json, host_network: bool) {
    let image = json["image"].as_str().unwrap_or("").to_owned();
    default(json, "terminationMessagePath", || {
        json!("/dev/termination-log")
    });
    default(json, "terminationMessagePolicy", || json!("File"));
    default(json, "imagePullPolicy", || json!(pull_policy(&image)));
    for port in json["ports"].as_array_mut().into_iter().flatten() {
        default(port, "protocol", || json!("TCP"));
        if host_network {
            let number = port["containerPort"].clone();
            default(port, "hostPort", || number);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = json.get_mut(probe).filter(|probe| probe.is_object()) {
            for (field, value) in [
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ] {
                default(probe, field, || json!(value));
            }
            if let Some(get) = probe.get_mut("httpGet").filter(|get| get.is_object()) {
                default(get, "path", || json!("/"));
                default(get, "scheme", || json!("HTTP"));
            }
        }
    }
}

/// Returns the pull policy of an image (`SetDefaults_Container`).
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or(image);
    let is_latest =
        !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    if is_latest { "Always" } else { "IfNotPresent" }
}

fn quantities(amounts: &Quantities) -> Json {
    let texts = amounts
        .iter()
        .map(|(name, amount)| (name.clone(), json!(amount.to_string())));
    Json::Object(texts.collect())
}

fn resources(of: &ResourceRequirements) -> Json {
    let mut json = Map::new();
    for (field, amounts) in [("requests", &of.requests), ("limits", &of.limits)] {
        if !amounts.is_empty() {
            json.insert(field.to_owned(), quantities(amounts));
        }
    }
    Json::Object(json)
}

/// Writes the fields of a spec that was not read from an object of the API.
fn written(spec: &PodSpec) -> Json {
    let container = |container: &Container| {
        let ports = container.ports.iter().map(|port| {
            json!({
                "containerPort": port.container_port,
                "hostPort": port.host_port,
                "hostIP": port.host_ip,
                "protocol": port.protocol
            })
        });
        json!({
            "name": container.name,
            "image": container.image,
            "ports": ports.collect::<Json>(),
            "restartPolicy": container.restart_policy
        })
    };
    let containers = |all: &[Container]| all.iter().map(container).collect::<Json>();
    json!({
        "containers": containers(&spec.containers),
        "initContainers": containers(&spec.init_containers),
        "priorityClassName": spec.priority_class_name,
        "priority": spec.priority,
        "preemptionPolicy": spec.preemption_policy,
        "nodeSelector": spec.node_selector,
        "hostNetwork": spec.host_network,
        "schedulerName": spec.scheduler_name,
        "runtimeClassName": spec.runtime_class_name,
        "restartPolicy": spec.restart_policy,
        "activeDeadlineSeconds": spec.active_deadline_seconds
    })
}
