//! Workloads.

use std::sync::Arc;

use serde::Deserialize;

use crate::api::{ObjectMeta, PodSpec};
use crate::check::Fields;
use crate::pending::{Count, Workload};
use crate::tree::Tree;
use crate::{InventoryBuilder, ReadError, Source};

use super::common::{Reader, controller, namespace, raw};
use super::version::Kind;

/// Pod template (`PodTemplateSpec`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Template {
    metadata: ObjectMeta,
    spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WorkloadObject {
    metadata: ObjectMeta,
    spec: WorkloadSpec,
    status: Status,
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
    ordinals: Ordinals,
    template: Template,
}

/// Numbers of the pods of a StatefulSet (`StatefulSetOrdinals`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ordinals {
    start: u32,
}

/// State of a Job (`JobStatus`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
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
    template: Template,
}

/// Keys that lead to the pod template.
const TEMPLATE: &[&str] = &["spec", "template"];
const JOB_TEMPLATE: &[&str] = &["spec", "jobTemplate", "spec", "template"];

/// What the kinds have in common.
struct Read {
    metadata: ObjectMeta,
    template: Template,
    keys: &'static [&'static str],
    count: Count,
    first_ordinal: u32,
}

/// Adds a workload.
pub(super) fn add(
    builder: &mut InventoryBuilder,
    kind: Kind,
    source: &Source,
    tree: &Tree,
) -> Result<(), ReadError> {
    let workload = workload(builder, kind, source, tree)?;
    builder.pending.workloads.push(workload);
    Ok(())
}

/// Reads a workload.
pub(super) fn workload(
    builder: &mut InventoryBuilder,
    kind: Kind,
    source: &Source,
    tree: &Tree,
) -> Result<Workload, ReadError> {
    let reader = Reader::new(tree, source);
    let read = read(kind, reader)?;
    let of_cluster = !read.metadata.uid.is_empty();
    let fields = match kind {
        Kind::Job => &Fields::JOB,
        Kind::CronJob => &Fields::CRON_JOB,
        Kind::PodTemplate => &Fields::POD_TEMPLATE,
        _ => &Fields::WORKLOAD,
    };
    reader.check_fields(builder, fields, kind.name(), of_cluster)?;
    reader.check_name(&read.metadata.name)?;
    reader.check_pod_spec(
        builder,
        &[read.keys, &["spec"]].concat(),
        &read.template.spec,
    )?;
    let template = read.keys.iter().try_fold(tree, |tree, key| tree.get(key));
    let keeps_raw = builder.keeps_raw();
    Ok(Workload {
        kind: kind.name(),
        namespace: namespace(&read.metadata).to_owned(),
        of_cluster,
        controller: controller(&read.metadata).cloned(),
        name: read.metadata.name,
        labels: read.template.metadata.labels,
        spec: read.template.spec,
        raw: template
            .filter(|_| keeps_raw)
            .map(|tree| Arc::new(raw(tree))),
        count: read.count,
        first_ordinal: read.first_ordinal,
        source: source.clone(),
    })
}

fn read(kind: Kind, reader: Reader<'_>) -> Result<Read, ReadError> {
    let (metadata, template, keys, count, first_ordinal) = match kind {
        Kind::CronJob => {
            let object: CronJobObject = reader.decode()?;
            let CronJobSpec {
                suspend,
                job_template,
            } = object.spec;
            let job = job_template.spec;
            let keys = &["spec", "jobTemplate", "spec"];
            let mut count = at_once(reader, keys, &job)?;
            if suspend {
                count = 0;
            }
            (
                object.metadata,
                job.template,
                JOB_TEMPLATE,
                Count::Fixed(count),
                0,
            )
        }
        Kind::PodTemplate => {
            let object: PodTemplateObject = reader.decode()?;
            let keys: &[&str] = &["template"];
            (object.metadata, object.template, keys, Count::Fixed(1), 0)
        }
        _ => {
            let object: WorkloadObject = reader.decode()?;
            let spec = object.spec;
            let count = match kind {
                Kind::Job if is_finished(&object.status) => Count::Fixed(0),
                Kind::Job => Count::Fixed(at_once(reader, &["spec"], &spec)?),
                Kind::DaemonSet => Count::PerNode,
                _ => {
                    let keys = ["spec", "replicas"];
                    Count::Replicas(number(reader, &keys, spec.replicas.unwrap_or(1))?)
                }
            };
            let first = spec.ordinals.start;
            (object.metadata, spec.template, TEMPLATE, count, first)
        }
    };
    Ok(Read {
        metadata,
        template,
        keys,
        count,
        first_ordinal,
    })
}

/// Returns how many pods of a Job run at once (`manageJob` in `pkg/controller/job`).
fn at_once(reader: Reader<'_>, keys: &[&str], job: &WorkloadSpec) -> Result<u32, ReadError> {
    let keys = |key| [keys, &[key]].concat();
    let parallelism = number(reader, &keys("parallelism"), job.parallelism.unwrap_or(1))?;
    let most = match job.completions {
        Some(completions) => number(reader, &keys("completions"), completions)?,
        None => u32::MAX,
    };
    Ok(if job.suspend {
        0
    } else {
        parallelism.min(most)
    })
}

fn number(reader: Reader<'_>, keys: &[&str], number: i32) -> Result<u32, ReadError> {
    u32::try_from(number).map_err(|_| reader.wrong(keys, format!("{number} is below zero")))
}

/// Returns whether a Job has ended (`IsJobFinished` in `pkg/controller/job/util`).
fn is_finished(status: &Status) -> bool {
    status.conditions.iter().any(|condition| {
        matches!(condition.r#type.as_str(), "Complete" | "Failed") && condition.status == "True"
    })
}
