//! Pods.

use serde::Deserialize;

use crate::api::{ObjectMeta, PodSpec};
use crate::tree::{Tree, decode};
use crate::{InventoryBuilder, Pod, ReadError, Source, Timestamp};

/// Pod (`Pod`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodObject {
    metadata: ObjectMeta,
    spec: PodSpec,
    status: PodStatus,
}

/// Statements of a kubelet about a pod (`PodStatus`).
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    phase: String,
    init_container_statuses: Vec<ContainerStatus>,
    container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerStatus {
    state: ContainerState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    terminated: Option<Terminated>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    finished_at: Option<String>,
}

/// Adds a pod.
pub(super) fn add(
    builder: &mut InventoryBuilder,
    source: Source,
    tree: &Tree,
) -> Result<(), ReadError> {
    if !builder.takes_load() {
        return Ok(());
    }
    let object: PodObject = decode(tree).map_err(|error| ReadError::decode(&source.file, error))?;
    let PodObject {
        metadata,
        spec,
        status,
    } = object;
    let wrong = |field: &str, message: &str| ReadError::wrong(source.clone(), field, message);
    if spec.containers.is_empty() {
        return Err(wrong("spec.containers", "a pod has at least one container"));
    }
    let name = match (&metadata.name, &metadata.generate_name) {
        (name, _) if !name.is_empty() => name.clone(),
        (_, prefix) if !prefix.is_empty() => format!("{prefix}{:05}", builder.inventory.pods.len()),
        _ => return Err(wrong("metadata.name", "missing")),
    };
    let time = |text: &Option<String>, field: &str| -> Result<Option<Timestamp>, ReadError> {
        let parse = |text: &String| {
            text.parse()
                .map_err(|error| wrong(field, &format!("{text:?}: {error}")))
        };
        text.as_ref().map(parse).transpose()
    };
    let arrival = time(&metadata.creation_timestamp, "metadata.creationTimestamp")?;
    let mut departure = None;
    if matches!(status.phase.as_str(), "Succeeded" | "Failed") {
        let statuses = status
            .init_container_statuses
            .iter()
            .chain(&status.container_statuses);
        for status in statuses {
            if let Some(terminated) = &status.state.terminated {
                let field = "status.containerStatuses.state.terminated.finishedAt";
                departure = departure.max(time(&terminated.finished_at, field)?);
            }
        }
        let departure_known = departure.is_some();
        departure = departure.or(arrival);
        if !departure_known {
            builder.assume("a pod that ended at an unknown time ended when it was created");
        }
    }
    let owner = metadata
        .owner_references
        .iter()
        .find(|owner| owner.controller)
        .map(|owner| builder.owner(&owner.kind, &owner.name));
    let namespace = match metadata.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    };
    let pod = Pod {
        namespace: builder.text(namespace),
        name: name.as_str().into(),
        uid: (!metadata.uid.is_empty()).then(|| metadata.uid.as_str().into()),
        node: (!spec.node_name.is_empty()).then(|| builder.text(&spec.node_name)),
        template: builder.template(metadata.labels, spec),
        owner,
        arrival,
        departure,
        source,
    };
    builder.add_pod(pod);
    Ok(())
}
