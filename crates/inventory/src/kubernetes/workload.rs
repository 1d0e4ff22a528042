//! Workloads and classes.

use serde::Deserialize;

use crate::api::{Labels, ObjectMeta, PodSpec, Quantities, Toleration};
use crate::pending::{Count, PriorityClass, RuntimeClass, Workload};
use crate::tree::{Tree, decode};
use crate::{InventoryBuilder, ReadError, Source};

use super::version::Use;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodTemplateSpec {
    metadata: ObjectMeta,
    spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WorkloadObject {
    metadata: ObjectMeta,
    spec: WorkloadSpec,
}

/// Fields of the specs of Deployment, ReplicaSet, ReplicationController, StatefulSet, DaemonSet
/// and Job.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WorkloadSpec {
    replicas: Option<i32>,
    parallelism: Option<i32>,
    completions: Option<i32>,
    suspend: bool,
    template: PodTemplateSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CronJobObject {
    metadata: ObjectMeta,
    spec: CronJobSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CronJobSpec {
    suspend: bool,
    job_template: JobTemplate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobTemplate {
    spec: WorkloadSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PodTemplateObject {
    metadata: ObjectMeta,
    template: PodTemplateSpec,
}

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

/// Adds a workload or a class.
pub(super) fn add(
    builder: &mut InventoryBuilder,
    way: Use,
    source: Source,
    tree: &Tree,
) -> Result<(), ReadError> {
    if !builder.takes_load() {
        return Ok(());
    }
    let file = source.file.clone();
    let wrong = |error| ReadError::decode(&file, error);
    let (kind, metadata, template, count, path) = match way {
        Use::PriorityClass => {
            let class: PriorityClassObject = decode(tree).map_err(wrong)?;
            return add_priority_class(builder, class, source);
        }
        Use::RuntimeClass => {
            let class: RuntimeClassObject = decode(tree).map_err(wrong)?;
            return add_runtime_class(builder, class, source);
        }
        Use::CronJob => {
            let object: CronJobObject = decode(tree).map_err(wrong)?;
            let job = object.spec.job_template.spec;
            let suspended = object.spec.suspend || job.suspend;
            let count = if suspended { 0 } else { at_once(&job) };
            builder.assume("a CronJob has one run, whose pods are there from the start");
            let path = "spec.jobTemplate.spec.template";
            ("CronJob", object.metadata, job.template, count, path)
        }
        Use::PodTemplate => {
            let object: PodTemplateObject = decode(tree).map_err(wrong)?;
            builder.assume("a PodTemplate stands for one pod");
            (
                "PodTemplate",
                object.metadata,
                object.template,
                1,
                "template",
            )
        }
        _ => {
            let object: WorkloadObject = decode(tree).map_err(wrong)?;
            let spec = object.spec;
            let (kind, count) = match way {
                Use::Replicas(kind) => (kind, spec.replicas.unwrap_or(1)),
                Use::Job if spec.suspend => ("Job", 0),
                Use::Job => ("Job", at_once(&spec)),
                _ => ("DaemonSet", 0),
            };
            (kind, object.metadata, spec.template, count, "spec.template")
        }
    };
    let wrong = |field: &str, message: &str| ReadError::wrong(source.clone(), field, message);
    if metadata.name.is_empty() {
        return Err(wrong("metadata.name", "missing"));
    }
    if template.spec.containers.is_empty() {
        let field = format!("{path}.spec.containers");
        return Err(wrong(&field, "a pod has at least one container"));
    }
    let count = match way {
        Use::DaemonSet => Count::PerNode,
        _ => Count::Of(
            u32::try_from(count)
                .map_err(|_| wrong("spec.replicas", &format!("{count}: below zero")))?,
        ),
    };
    builder.pending.workloads.push(Workload {
        kind,
        meta: metadata,
        template_labels: template.metadata.labels,
        spec: template.spec,
        count,
        source,
    });
    Ok(())
}

/// Returns how many pods of a Job run at once (`manageJob` in `pkg/controller/job`).
fn at_once(job: &WorkloadSpec) -> i32 {
    let parallelism = job.parallelism.unwrap_or(1);
    job.completions
        .map_or(parallelism, |completions| parallelism.min(completions))
}

fn add_priority_class(
    builder: &mut InventoryBuilder,
    class: PriorityClassObject,
    source: Source,
) -> Result<(), ReadError> {
    let name = class.metadata.name;
    let class = PriorityClass {
        value: class.value,
        global_default: class.global_default,
        preemption_policy: class.preemption_policy,
        source,
    };
    match builder.pending.priority_classes.get(&name) {
        Some(first) => Err(ReadError::Twice {
            object: format!("PriorityClass {name}"),
            place: class.source,
            first: first.source.clone(),
        }),
        None => {
            builder.pending.priority_classes.insert(name, class);
            Ok(())
        }
    }
}

fn add_runtime_class(
    builder: &mut InventoryBuilder,
    class: RuntimeClassObject,
    source: Source,
) -> Result<(), ReadError> {
    let name = class.metadata.name;
    let class = RuntimeClass {
        overhead: class.overhead.pod_fixed,
        node_selector: class.scheduling.node_selector,
        tolerations: class.scheduling.tolerations,
        source,
    };
    match builder.pending.runtime_classes.get(&name) {
        Some(first) => Err(ReadError::Twice {
            object: format!("RuntimeClass {name}"),
            place: class.source,
            first: first.source.clone(),
        }),
        None => {
            builder.pending.runtime_classes.insert(name, class);
            Ok(())
        }
    }
}
