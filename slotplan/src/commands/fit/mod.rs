//! `slotplan fit`: how many more pods of one kind fit.

pub(super) mod document;
mod markdown;
mod nodes;
mod page;
mod text;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use inventory::api::{Labels, PodSpec};
use inventory::{Inventory, Pod, Template};
use kube_resources::Quantity;
use scheduler::PodId;

use crate::answer::{Answer, Header, OutputArgs};
use crate::commands::scheduler_options::SchedulerArgs;
use crate::exit::Verdict;
use crate::input::InputArgs;
use crate::placement::Placement;

use document::{Document, OnNode};
use nodes::Nodes;

/// Options of `slotplan fit`.
#[derive(Debug, Args)]
pub struct FitArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Manifest of the pod, or of a workload whose pods are meant
    #[arg(long, value_name = "FILE", required_unless_present = "pod_shape")]
    pod: Option<PathBuf>,
    /// Requests of the pod instead of a manifest: CPU and memory, such as 500m,1Gi
    #[arg(long, value_name = "CPU,MEMORY", conflicts_with = "pod")]
    pod_shape: Option<String>,
    /// Stop after NUMBER pods
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    limit: u64,
    #[command(flatten)]
    scheduler: SchedulerArgs,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl FitArgs {
    /// Computes the answer.
    ///
    /// # Errors
    /// An input that cannot be read or is wrong, or a manifest that describes no pod.
    pub fn run(&self) -> anyhow::Result<Answer> {
        let mut input = self.input.read()?;
        let pod = match (&self.pod, &self.pod_shape) {
            (Some(path), _) => {
                let manifest = InputArgs {
                    inputs: vec![path.clone()],
                    ..InputArgs::default()
                };
                let read = manifest.read()?;
                let pod = the_pod(&read.inventory, path)?;
                input.files.extend(read.files);
                pod
            }
            (None, Some(shape)) => of_shape(shape)?,
            (None, None) => anyhow::bail!("--pod or --pod-shape is missing"),
        };
        // Pods that wait already go first, as they would in the cluster.
        let mut placement = Placement::new(&input.inventory)?;
        let waiting = placement.waiting.len();
        let profile = self.scheduler.profile();
        let class = placement
            .cluster
            .class(&pod.namespace, &pod.template, None)
            .with_context(|| format!("pod {}/{}", pod.namespace, pod.name))?;
        let first = PodId(u32::try_from(input.inventory.pods.len()).unwrap_or(u32::MAX));
        let ties = self.scheduler.ties.0;
        let before = Nodes::new(&placement.cluster, class, &profile);
        let room = placement
            .cluster
            .fill(class, &profile, ties, self.limit, first);
        let mut assumptions = input.inventory.assumptions.clone();
        assumptions.extend(placement.assumptions);
        if waiting > 0 {
            assumptions.push(inventory::Assumption(format!(
                "pods without a node take no room: {waiting}"
            )));
        }
        let mut header = Header::new(document::SCHEMA, &input.files, &assumptions);
        header.seed = self.scheduler.seed();
        let nodes = placement.cluster.nodes().iter().zip(&room.on_nodes);
        let document = Document {
            header,
            scheduler: self.scheduler.shown(),
            pod: format!("{}/{}", pod.namespace, pod.name),
            replicas: room.pods(),
            nodes: nodes
                .map(|(node, count)| OnNode {
                    node: node.node().name.to_string(),
                    replicas: *count,
                })
                .collect(),
            stop: room.stop.clone(),
        };
        Ok(Answer {
            verdict: if document.replicas > 0 {
                Verdict::Good
            } else {
                Verdict::DoesNotHold
            },
            text: text::write(&document, self.limit)?,
            markdown: Some(markdown::write(&document, &before)),
            page: Some(page::write(&document, &before, &placement.cluster)),
            document: serde_json::to_value(document)?,
        })
    }
}

/// Returns the only kind of pod of a manifest.
fn the_pod(inventory: &Inventory, path: &std::path::Path) -> anyhow::Result<Pod> {
    let mut pods = inventory.pods.iter();
    let first = pods
        .next()
        .with_context(|| format!("{}: there is no pod (--pod)", path.display()))?;
    if let Some(other) = pods.find(|pod| pod.template != first.template) {
        anyhow::bail!(
            "{}: the pods {} and {} differ; one kind is meant (--pod)",
            path.display(),
            first.name,
            other.name
        );
    }
    Ok(first.clone())
}

/// Returns a pod with these requests.
fn of_shape(shape: &str) -> anyhow::Result<Pod> {
    let (cpu, memory) = shape
        .split_once(',')
        .with_context(|| format!("--pod-shape {shape}: not CPU,MEMORY, such as 500m,1Gi"))?;
    let quantity = |text: &str| -> anyhow::Result<Quantity> {
        text.trim()
            .parse()
            .with_context(|| format!("--pod-shape {shape}: {text:?}"))
    };
    let mut spec = PodSpec::default();
    let mut container = inventory::api::Container::default();
    let requests = &mut container.resources.requests;
    requests.insert("cpu".to_owned(), quantity(cpu)?);
    requests.insert("memory".to_owned(), quantity(memory)?);
    spec.containers.push(container);
    Ok(Pod {
        namespace: "default".into(),
        name: shape.into(),
        uid: None,
        template: Arc::new(Template::new(Labels::new(), spec)),
        owner: None,
        node: None,
        arrival: None,
        departure: None,
        source: inventory::Source {
            file: "--pod-shape".into(),
            line: 0,
        },
    })
}
