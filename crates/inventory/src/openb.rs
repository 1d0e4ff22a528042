//! CSV files of Alibaba's trace of a cluster with GPUs (`cluster-trace-gpu-v2023` of
//! github.com/alibaba/clusterdata).
//!
//! - Nodes: `sn,cpu_milli,memory_mib,gpu,model`.
//! - Pods: `name,cpu_milli,memory_mib,num_gpu,gpu_milli`, and in most files `gpu_spec,qos,pod_phase,
//!   creation_time,deletion_time,scheduled_time` with times in seconds from the start of the trace.
//!
//! The names of resources and labels are those of the trace's own manifests (`node_yaml`,
//! `pod_csv_to_yaml.py`).

use std::io::BufRead;
use std::sync::Arc;

use kube_resources::{Format, Quantity};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::api::{
    Affinity, Container, Labels, NodeAffinity, NodeSelector, NodeSelectorRequirement,
    NodeSelectorTerm, PodSpec, Quantities,
};
use crate::{Amounts, InventoryBuilder, Node, Pod, ReadError, ResourceName, Source, Timestamp};

/// Thousandths of GPUs.
const GPU: &str = "alibabacloud.com/gpu-milli";
/// Label of nodes with the model of their GPUs.
const MODEL: &str = "alibabacloud.com/gpu-card-model";
/// Label of pods with the class that the trace gives them: `LS`, `Burstable`, `Guaranteed` or `BE`.
const QOS: &str = "alibabacloud.com/qos";
/// Number of pods that a node of the trace takes.
const PODS: i64 = 1001;
/// Largest number in a column: no sum of products overflows.
const MOST: i64 = 1 << 40;

/// Beginning of a file of nodes.
pub(crate) const NODE_HEADER: &[u8] = b"sn,cpu_milli,memory_mib,";
/// Beginning of a file of pods.
pub(crate) const POD_HEADER: &[u8] = b"name,cpu_milli,memory_mib,";

#[derive(Deserialize)]
struct NodeRow {
    sn: String,
    cpu_milli: i64,
    memory_mib: i64,
    gpu: i64,
    #[serde(default)]
    model: String,
}

#[derive(Deserialize)]
struct PodRow {
    name: String,
    cpu_milli: i64,
    memory_mib: i64,
    num_gpu: i64,
    gpu_milli: i64,
    #[serde(default)]
    gpu_spec: String,
    #[serde(default)]
    qos: String,
    creation_time: Option<i64>,
    deletion_time: Option<i64>,
}

/// Reads a file of nodes and adds them.
///
/// # Errors
/// A file that is not such a CSV, or a number below zero or absurd.
pub fn read_openb_nodes(
    builder: &mut InventoryBuilder,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    if !builder.takes_nodes() {
        return Ok(());
    }
    builder.assume(format!(
        "a node of an openb list takes {PODS} pods, as in its node_yaml"
    ));
    rows(file, reader, |source, row: NodeRow| {
        check(
            &source,
            [
                ("cpu_milli", row.cpu_milli),
                ("memory_mib", row.memory_mib),
                ("gpu", row.gpu),
            ],
        )?;
        let mut amounts: Amounts = [
            (ResourceName::CPU, row.cpu_milli),
            (ResourceName::MEMORY, row.memory_mib << 20),
            (ResourceName::PODS, PODS),
        ]
        .into_iter()
        .collect();
        let hostname = ("kubernetes.io/hostname".to_owned(), row.sn.clone());
        let mut labels = Labels::from([hostname]);
        if row.gpu > 0 {
            amounts.set(GPU, row.gpu * 1000);
            labels.insert(MODEL.to_owned(), row.model);
        }
        let amounts = Arc::new(amounts);
        let name = builder.text(&row.sn);
        builder.add_node(Node {
            name,
            labels: labels.into(),
            taints: Arc::from([]),
            unschedulable: false,
            allocatable: Arc::clone(&amounts),
            capacity: amounts,
            provider_id: None,
            source,
        })
    })
}

/// Reads a file of pods and adds them.
///
/// # Errors
/// A file that is not such a CSV, a number below zero or absurd, or a pod that is deleted before it
/// is created.
pub fn read_openb_pods(
    builder: &mut InventoryBuilder,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    if !builder.takes_load() {
        return Ok(());
    }
    builder.assume(
        "GPUs of openb lists are thousandths of a node's GPUs together: a share may span devices",
    );
    builder.assume("times of openb lists count from 1970-01-01T00:00:00Z");
    let namespace = builder.text("default");
    rows(file, reader, |source, row: PodRow| {
        let figures = [
            ("cpu_milli", row.cpu_milli),
            ("memory_mib", row.memory_mib),
            ("num_gpu", row.num_gpu),
            ("gpu_milli", row.gpu_milli),
            ("creation_time", row.creation_time.unwrap_or(0)),
            ("deletion_time", row.deletion_time.unwrap_or(0)),
        ];
        check(&source, figures)?;
        if let (Some(start), Some(end)) = (row.creation_time, row.deletion_time)
            && end < start
        {
            let message = format!("{end} is before creation_time, {start}");
            return Err(ReadError::wrong(source, "deletion_time", message));
        }
        let labels = match row.qos.as_str() {
            "" => Labels::new(),
            qos => Labels::from([(QOS.to_owned(), qos.to_owned())]),
        };
        let name = row.name.as_str().into();
        let arrival = row.creation_time.map(Timestamp::from_seconds);
        let departure = row.deletion_time.map(Timestamp::from_seconds);
        let template = builder.template(labels, spec(&row));
        builder.add_pod(Pod {
            namespace: Arc::clone(&namespace),
            name,
            uid: None,
            template,
            owner: None,
            node: None,
            arrival,
            departure,
            source,
        });
        Ok(())
    })
}

fn spec(row: &PodRow) -> PodSpec {
    let whole = |amount: i64| {
        let nanos = u128::from(amount.unsigned_abs()) * 1_000_000_000;
        Quantity::from_nanos(nanos, Format::DecimalSi)
    };
    let mut container = Container {
        name: "main".to_owned(),
        ..Container::default()
    };
    let resources = &mut container.resources;
    resources.requests = Quantities::from([
        (
            ResourceName::CPU.to_owned(),
            Quantity::from_milli(row.cpu_milli.unsigned_abs()),
        ),
        (
            ResourceName::MEMORY.to_owned(),
            Quantity::from_bytes(row.memory_mib.unsigned_abs() << 20),
        ),
    ]);
    if row.num_gpu > 0 {
        // A pod with several GPUs has each as a whole, whatever its gpu_milli.
        let share = if row.num_gpu == 1 {
            row.gpu_milli.min(1000)
        } else {
            1000
        };
        let gpus = whole(row.num_gpu * share);
        resources.requests.insert(GPU.to_owned(), gpus);
        resources.limits.insert(GPU.to_owned(), gpus);
    }
    let models: Vec<_> = row
        .gpu_spec
        .split('|')
        .filter(|model| !model.is_empty())
        .map(str::to_owned)
        .collect();
    PodSpec {
        containers: vec![container],
        affinity: (!models.is_empty()).then(|| of_models(models)),
        ..PodSpec::default()
    }
}

fn of_models(models: Vec<String>) -> Affinity {
    let term = NodeSelectorTerm {
        match_expressions: vec![NodeSelectorRequirement {
            key: MODEL.to_owned(),
            operator: "In".to_owned(),
            values: models,
        }],
        match_fields: Vec::new(),
    };
    Affinity {
        node_affinity: Some(NodeAffinity {
            required: Some(NodeSelector {
                node_selector_terms: vec![term],
            }),
            preferred: Vec::new(),
        }),
        ..Affinity::default()
    }
}

/// Reads the rows of a file one by one.
fn rows<T: DeserializeOwned>(
    file: &str,
    reader: &mut dyn BufRead,
    mut add: impl FnMut(Source, T) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let file: Arc<str> = file.into();
    let mut reader = csv::Reader::from_reader(reader);
    let place = Source {
        file: Arc::clone(&file),
        line: 1,
    };
    let headers = match reader.headers() {
        Ok(headers) => headers.clone(),
        Err(error) => return Err(csv_error(place, &csv::StringRecord::new(), error)),
    };
    let mut rows = reader.into_deserialize::<T>();
    loop {
        let line = rows.reader().position().line();
        let source = Source {
            file: Arc::clone(&file),
            line,
        };
        match rows.next() {
            None => return Ok(()),
            Some(Ok(row)) => add(source, row)?,
            Some(Err(error)) => return Err(csv_error(source, &headers, error)),
        }
    }
}

fn csv_error(place: Source, headers: &csv::StringRecord, error: csv::Error) -> ReadError {
    let mut column = "";
    let message = match error.into_kind() {
        csv::ErrorKind::Io(error) => return ReadError::io(&place.file, error),
        csv::ErrorKind::Deserialize { err, .. } => {
            let place = err.field().and_then(|field| usize::try_from(field).ok());
            column = place.and_then(|place| headers.get(place)).unwrap_or("");
            err.kind().to_string()
        }
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} values in a file of {expected_len} columns"),
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => "not CSV".to_owned(),
    };
    ReadError::wrong(place, column, message)
}

/// Checks the numbers of a row.
fn check<const N: usize>(place: &Source, figures: [(&str, i64); N]) -> Result<(), ReadError> {
    for (column, number) in figures {
        if !(0..=MOST).contains(&number) {
            let message = format!("{number} is not a number from 0 to {MOST}");
            return Err(ReadError::wrong(place.clone(), column, message));
        }
    }
    Ok(())
}
