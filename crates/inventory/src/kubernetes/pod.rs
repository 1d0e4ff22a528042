//! Pods.

use std::sync::Arc;

use serde::Deserialize;

use crate::api::{ObjectMeta, PodSpec};
use crate::check::Fields;
use crate::pending::{Count, Workload};
use crate::tree::Tree;
use crate::{InventoryBuilder, Pod, ReadError, Source, Timestamp};

use super::common::{Reader, controller, namespace, raw};

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
    finished_at: Option<Timestamp>,
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
    let reader = Reader::new(tree, &source);
    let pod: PodObject = reader.decode()?;
    let of_cluster = !pod.metadata.uid.is_empty();
    reader.check_fields(builder, &Fields::POD, "Pod", of_cluster)?;
    reader.check_pod_spec(builder, &["spec"], &pod.spec)?;
    let name = match (&pod.metadata.name, &pod.metadata.generate_name) {
        (name, _) if !name.is_empty() => name.clone(),
        (_, prefix) if !prefix.is_empty() => format!("{prefix}{:05}", builder.inventory.pods.len()),
        _ => return Err(reader.wrong(&["metadata", "name"], "missing")),
    };
    reader.check_name(&name)?;
    let arrival = pod.metadata.creation_timestamp;
    let departure = match departure(&pod) {
        Departure::Never => None,
        Departure::At(end) => Some(end.max(arrival.unwrap_or(end))),
        Departure::Unknown => {
            let Some(arrival) = arrival else {
                builder.assume("a pod that ended, and whose times are unknown, is left out");
                return Ok(());
            };
            builder.assume("a pod that ended at an unknown time ended when it was created");
            Some(arrival)
        }
    };
    builder.pending.has_pods_of_cluster |= of_cluster;
    let raw = builder.keeps_raw().then(|| Arc::new(raw(tree)));
    let owner = controller(&pod.metadata).map(|owner| builder.owner(&owner.kind, &owner.name));
    let node = pod.spec.node_name.as_str();
    let pod = Pod {
        namespace: builder.text(namespace(&pod.metadata)),
        name: name.as_str().into(),
        uid: of_cluster.then(|| pod.metadata.uid.as_str().into()),
        node: (!node.is_empty()).then(|| builder.text(node)),
        template: builder.template_with_raw(pod.metadata.labels, pod.spec, raw),
        owner,
        arrival,
        departure,
        source,
    };
    builder.add_pod(pod);
    Ok(())
}

/// Reads a pod as a workload that makes this one pod.
pub(super) fn workload(
    builder: &mut InventoryBuilder,
    source: &Source,
    tree: &Tree,
) -> Result<Workload, ReadError> {
    let reader = Reader::new(tree, source);
    let pod: PodObject = reader.decode()?;
    reader.check_pod_spec(builder, &["spec"], &pod.spec)?;
    reader.check_name(&pod.metadata.name)?;
    Ok(Workload {
        kind: "Pod",
        namespace: namespace(&pod.metadata).to_owned(),
        of_cluster: false,
        controller: controller(&pod.metadata).cloned(),
        name: pod.metadata.name,
        labels: pod.metadata.labels,
        spec: pod.spec,
        raw: builder.keeps_raw().then(|| Arc::new(raw(tree))),
        count: Count::Fixed(1),
        first_ordinal: 0,
        source: source.clone(),
    })
}

/// End of a pod.
enum Departure {
    Never,
    At(Timestamp),
    Unknown,
}

/// Returns the end of a pod: the last end of its containers if its phase is a final one, or the
/// time at which a deletion lets it go.
fn departure(pod: &PodObject) -> Departure {
    if matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
        let init = pod.status.init_container_statuses.iter();
        let ends = init
            .chain(&pod.status.container_statuses)
            .filter_map(|status| status.state.terminated.as_ref()?.finished_at);
        return ends.max().map_or(Departure::Unknown, Departure::At);
    }
    pod.metadata
        .deletion_timestamp
        .map_or(Departure::Never, Departure::At)
}
