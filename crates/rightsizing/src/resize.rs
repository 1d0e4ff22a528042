//! New requests as a document that other commands read, and on an inventory.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::api::Quantities;
use inventory::{Inventory, ResourceName, Template};
use kube_resources::Quantity;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sizing::{Amount, Sizing};
use crate::workload::WorkloadId;

/// Kind and version of the document.
pub const SCHEMA: &str = "slotplan/resize/1";

/// New requests and limits of workloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Kind and version of the document: [`SCHEMA`].
    pub schema: String,
    /// Strategy that made the requests.
    pub strategy: String,
    /// Workloads, each once.
    pub workloads: Vec<WorkloadResize>,
}

/// New requests and limits of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadResize {
    /// Namespace.
    pub namespace: String,
    /// Kind, such as `Deployment`; `Pod` for a pod without an owner.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Containers, each once.
    pub containers: Vec<ContainerResize>,
}

/// New requests and limits of one container. A resource that is absent stays as it is, one that
/// is `null` is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerResize {
    /// Name.
    pub name: String,
    /// Requests.
    #[serde(default)]
    pub requests: Changes,
    /// Limits.
    #[serde(default)]
    pub limits: Changes,
}

/// New quantities by the name of the resource, as text such as `126m`.
pub type Changes = BTreeMap<String, Option<String>>;

/// Error of a document with new requests.
#[derive(Debug, thiserror::Error)]
pub enum ResizeError {
    /// Not such a document.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A document of another kind or version.
    #[error("schema {0} is not {SCHEMA}")]
    Schema(String),
    /// A quantity that is none.
    #[error("{workload}, container {container}, {field}: {text} is no quantity")]
    Quantity {
        /// Namespace, kind and name.
        workload: String,
        /// Name of the container.
        container: String,
        /// Name of the field, such as `requests.cpu`.
        field: String,
        /// Text.
        text: String,
    },
    /// One workload or container twice.
    #[error("{0} is there twice")]
    Twice(String),
}

impl ContainerResize {
    /// Returns the difference between requests and limits of a container; `None` if there is none.
    pub fn between(name: &str, today: &Sizing, new: &Sizing) -> Option<Self> {
        let both = [
            (ResourceName::CPU, today.cpu, new.cpu),
            (ResourceName::MEMORY, today.memory, new.memory),
        ];
        let changes = |of: fn(&Amount) -> Option<i64>| -> Changes {
            let changed = both.iter().filter(|(_, today, new)| of(today) != of(new));
            changed
                .map(|(name, _, new)| ((*name).to_owned(), of(new).map(|new| text(name, new))))
                .collect()
        };
        let (requests, limits) = (
            changes(|amount| amount.request),
            changes(|amount| amount.limit),
        );
        (!requests.is_empty() || !limits.is_empty()).then(|| Self {
            name: name.to_owned(),
            requests,
            limits,
        })
    }
}

/// Writes an amount as the API does: `126m`, `380258472`.
fn text(resource: &str, amount: i64) -> String {
    let amount = u64::try_from(amount).unwrap_or(0);
    match resource {
        ResourceName::CPU => format!("{amount}m"),
        _ => amount.to_string(),
    }
}

impl Resize {
    /// Reads a document.
    ///
    /// # Errors
    /// A text that is no such document, names something twice, or has a wrong quantity.
    pub fn parse(text: &str) -> Result<Self, ResizeError> {
        let resize: Self = serde_json::from_str(text)?;
        if resize.schema != SCHEMA {
            return Err(ResizeError::Schema(resize.schema));
        }
        resize.quantities()?;
        Ok(resize)
    }

    /// Replaces the requests and limits of all pods of these workloads; returns the workloads and
    /// containers without a pod.
    ///
    /// # Errors
    /// A quantity that is none, or a workload or container that is there twice.
    pub fn apply(&self, inventory: &mut Inventory) -> Result<Vec<String>, ResizeError> {
        let mut changes = self.quantities()?;
        let mut done: BTreeMap<(usize, WorkloadId), Arc<Template>> = BTreeMap::new();
        for pod in &mut inventory.pods {
            let id = WorkloadId::of(pod);
            let Some(containers) = changes.get_mut(&id.to_string()) else {
                continue;
            };
            // Pods of one workload share a template, and go on to.
            let key = (Arc::as_ptr(&pod.template).addr(), id);
            let template = done
                .entry(key)
                .or_insert_with(|| Arc::new(resized(&pod.template, containers)));
            pod.template = Arc::clone(template);
        }
        let unused = changes.iter().flat_map(|(workload, containers)| {
            let unused = containers.iter().filter(|(_, (is_used, _))| !is_used);
            unused.map(move |(container, _)| format!("{workload}, container {container}"))
        });
        Ok(unused.collect())
    }

    /// Returns the parsed changes by workload and container, with whether a pod has used each.
    fn quantities(&self) -> Result<ByContainer, ResizeError> {
        let mut all = ByContainer::new();
        for workload in &self.workloads {
            let id = format!("{}/{}/{}", workload.namespace, workload.kind, workload.name);
            let mut containers = BTreeMap::new();
            for container in &workload.containers {
                let part = |kind, changes| Part::parse(changes, &id, &container.name, kind);
                let both = Both {
                    requests: part("requests", &container.requests)?,
                    limits: part("limits", &container.limits)?,
                };
                let before = containers.insert(container.name.clone(), (false, both));
                if before.is_some() {
                    let twice = format!("{id}, container {}", container.name);
                    return Err(ResizeError::Twice(twice));
                }
            }
            if all.insert(id.clone(), containers).is_some() {
                return Err(ResizeError::Twice(id));
            }
        }
        Ok(all)
    }
}

type Containers = BTreeMap<String, (bool, Both)>;
type ByContainer = BTreeMap<String, Containers>;

/// Returns a template with changes to its containers, which are marked as used.
fn resized(template: &Template, changes: &mut Containers) -> Template {
    let mut spec = template.spec.clone();
    for container in &mut spec.containers {
        if let Some((is_used, changes)) = changes.get_mut(&container.name) {
            *is_used = true;
            changes.requests.apply(&mut container.resources.requests);
            changes.limits.apply(&mut container.resources.limits);
        }
    }
    let resized = Template::new(template.labels.clone(), spec);
    let Some(raw) = &template.raw else {
        return resized;
    };
    let mut raw = Value::clone(raw);
    let written = raw.pointer_mut("/spec/containers");
    for container in written.and_then(Value::as_array_mut).into_iter().flatten() {
        let name = container.get("name").and_then(Value::as_str);
        if let Some((_, changes)) = name.and_then(|name| changes.get(name)) {
            changes.requests.write(container, "requests");
            changes.limits.write(container, "limits");
        }
    }
    resized.with_raw(Arc::new(raw))
}

struct Both {
    requests: Part,
    limits: Part,
}

/// Changes by the name of the resource: the quantity and its text.
struct Part(Vec<(String, Option<(Quantity, String)>)>);

impl Part {
    fn parse(
        changes: &Changes,
        workload: &str,
        container: &str,
        kind: &str,
    ) -> Result<Self, ResizeError> {
        let parse = |(name, text): (&String, &Option<String>)| {
            let quantity = match text {
                None => None,
                Some(text) => {
                    let quantity = text.parse().map_err(|_| ResizeError::Quantity {
                        workload: workload.to_owned(),
                        container: container.to_owned(),
                        field: format!("{kind}.{name}"),
                        text: text.clone(),
                    })?;
                    Some((quantity, text.clone()))
                }
            };
            Ok((name.clone(), quantity))
        };
        changes
            .iter()
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn apply(&self, quantities: &mut Quantities) {
        for (name, quantity) in &self.0 {
            match quantity {
                Some((quantity, _)) => quantities.insert(name.clone(), *quantity),
                None => quantities.remove(name),
            };
        }
    }

    /// Writes the changes into a container of an object of the API.
    fn write(&self, container: &mut Value, kind: &str) {
        if self.0.is_empty() {
            return;
        }
        let mut part = container;
        for name in ["resources", kind] {
            let Some(fields) = part.as_object_mut() else {
                return;
            };
            let next = fields.entry(name).or_insert_with(|| json!({}));
            if next.is_null() {
                *next = json!({});
            }
            part = next;
        }
        let Some(fields) = part.as_object_mut() else {
            return;
        };
        for (name, quantity) in &self.0 {
            match quantity {
                Some((_, text)) => fields.insert(name.clone(), json!(text)),
                None => fields.remove(name),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use inventory::api::PodSpec;
    use inventory::{Pod, Source};

    use super::*;

    fn document(workloads: &str) -> String {
        format!(r#"{{"schema": "{SCHEMA}", "strategy": "vpa", "workloads": [{workloads}]}}"#)
    }

    const WEB: &str = r#"{"namespace": "shop", "kind": "Pod", "name": "web", "containers": [
        {"name": "app", "requests": {"cpu": "126m"}, "limits": {"cpu": null, "memory": "1Gi"}},
        {"name": "gone", "requests": {"cpu": "1"}}]}"#;

    #[test]
    fn the_spec_and_the_object_as_written_change_alike() {
        let raw = json!({"spec": {"containers": [
            {"name": "app", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}},
            {"name": "other", "resources": null},
        ]}});
        let spec: PodSpec = serde_json::from_value(json!({"containers": [
            {"name": "app", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}},
            {"name": "other"},
        ]}))
        .unwrap();
        let template = Template::new(BTreeMap::new(), spec).with_raw(Arc::new(raw));
        let mut inventory = Inventory::default();
        inventory.pods.push(Pod {
            namespace: "shop".into(),
            name: "web".into(),
            uid: None,
            template: Arc::new(template),
            owner: None,
            node: None,
            arrival: None,
            departure: None,
            source: Source {
                file: "web.yaml".into(),
                line: 1,
            },
        });
        let resize = Resize::parse(&document(WEB)).unwrap();
        let unused = resize.apply(&mut inventory).unwrap();
        assert_eq!(unused, ["shop/Pod/web, container gone"]);
        let template = &inventory.pods[0].template;
        let effective = &template.effective;
        assert_eq!(effective.requests.cpu(), 126);
        assert_eq!(
            effective.limits.iter().collect::<Vec<_>>(),
            [("memory", 1 << 30)]
        );
        assert_eq!(
            template.raw.as_deref().unwrap().pointer("/spec/containers"),
            Some(&json!([
                {"name": "app", "resources": {
                    "requests": {"cpu": "126m"}, "limits": {"memory": "1Gi"},
                }},
                {"name": "other", "resources": null},
            ]))
        );
    }

    #[test]
    fn a_wrong_document_is_refused() {
        for (text, message) in [
            ("{", "EOF while parsing an object at line 1 column 1"),
            (
                r#"{"schema": "x", "strategy": "", "workloads": []}"#,
                "schema x is not slotplan/resize/1",
            ),
            (
                &*document(&format!("{WEB}, {WEB}")),
                "shop/Pod/web is there twice",
            ),
            (
                &document(&WEB.replace("126m", "-1")),
                "shop/Pod/web, container app, requests.cpu: -1 is no quantity",
            ),
            (
                &document(&WEB.replace("gone", "app")),
                "shop/Pod/web, container app is there twice",
            ),
        ] {
            assert_eq!(Resize::parse(text).unwrap_err().to_string(), message);
        }
        let unknown = document(&WEB.replace("requests", "request"));
        let error = Resize::parse(&unknown).unwrap_err().to_string();
        assert!(error.starts_with("unknown field `request`"), "{error}");
    }
}
