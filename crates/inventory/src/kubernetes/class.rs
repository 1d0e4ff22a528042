//! Priority classes, runtime classes and autoscalers.

use serde::Deserialize;

use crate::api::{Labels, ObjectMeta, Quantities, Toleration};
use crate::pending::{Autoscaler, PriorityClass, RuntimeClass};
use crate::{InventoryBuilder, ReadError, Source};

use super::common::{Reader, namespace};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PriorityClassObject {
    metadata: ObjectMeta,
    value: i32,
    global_default: bool,
    preemption_policy: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RuntimeClassObject {
    metadata: ObjectMeta,
    overhead: Overhead,
    scheduling: Scheduling,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Overhead {
    pod_fixed: Quantities,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Scheduling {
    node_selector: Labels,
    tolerations: Vec<Toleration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AutoscalerObject {
    metadata: ObjectMeta,
    spec: AutoscalerSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AutoscalerSpec {
    scale_target_ref: Target,
    min_replicas: Option<u32>,
    max_replicas: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    kind: String,
    name: String,
}

/// Adds a priority class.
pub(super) fn add_priority(
    builder: &mut InventoryBuilder,
    source: &Source,
    reader: Reader<'_>,
) -> Result<(), ReadError> {
    let class: PriorityClassObject = reader.decode()?;
    let name = class.metadata.name;
    if let Some(first) = builder.pending.priority_classes.get(&name) {
        return Err(twice("PriorityClass", &name, source, &first.source));
    }
    let class = PriorityClass {
        value: class.value,
        global_default: class.global_default,
        preemption_policy: class.preemption_policy,
        source: source.clone(),
    };
    builder.pending.priority_classes.insert(name, class);
    Ok(())
}

/// Adds a runtime class.
pub(super) fn add_runtime(
    builder: &mut InventoryBuilder,
    source: &Source,
    reader: Reader<'_>,
) -> Result<(), ReadError> {
    let class: RuntimeClassObject = reader.decode()?;
    let name = class.metadata.name;
    if let Some(first) = builder.pending.runtime_classes.get(&name) {
        return Err(twice("RuntimeClass", &name, source, &first.source));
    }
    let class = RuntimeClass {
        overhead: class.overhead.pod_fixed,
        node_selector: class.scheduling.node_selector,
        tolerations: class.scheduling.tolerations,
        source: source.clone(),
    };
    builder.pending.runtime_classes.insert(name, class);
    Ok(())
}

/// Adds an autoscaler.
pub(super) fn add_autoscaler(
    builder: &mut InventoryBuilder,
    reader: Reader<'_>,
) -> Result<(), ReadError> {
    let scaler: AutoscalerObject = reader.decode()?;
    let least = scaler.spec.min_replicas.unwrap_or(1);
    if scaler.spec.max_replicas < least.max(1) {
        let message = format!("{} is below minReplicas, {least}", scaler.spec.max_replicas);
        return Err(reader.wrong(&["spec", "maxReplicas"], message));
    }
    builder.pending.autoscalers.push(Autoscaler {
        namespace: namespace(&scaler.metadata).to_owned(),
        name: scaler.metadata.name,
        target_kind: scaler.spec.scale_target_ref.kind,
        target_name: scaler.spec.scale_target_ref.name,
        least,
        most: scaler.spec.max_replicas,
    });
    Ok(())
}

fn twice(kind: &str, name: &str, place: &Source, first: &Source) -> ReadError {
    ReadError::Twice {
        object: format!("{kind} {name}"),
        place: place.clone(),
        first: first.clone(),
    }
}
