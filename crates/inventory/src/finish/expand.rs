//! Workloads to pods.

use std::sync::Arc;

use crate::effective::round_up;
use crate::pending::{Autoscaler, Count, Workload};
use crate::{InventoryBuilder, Owner, Pod, ReadError, Scale, Template};

use super::daemons;
use super::owners::Owners;

/// Adds the pods of every workload that has none in the input.
///
/// # Errors
/// More pods than the builder allows.
pub(super) fn expand(builder: &mut InventoryBuilder, owners: &Owners) -> Result<(), ReadError> {
    let autoscalers = std::mem::take(&mut builder.pending.autoscalers);
    let mut covered = 0_u64;
    for mut workload in std::mem::take(&mut builder.pending.workloads) {
        // The API server rounds the amounts of the workload, then those of its pods.
        round_up(&mut workload.spec);
        let makes = Makes::of(builder, owners, &workload);
        if workload.count == Count::PerNode {
            add_per_node(builder, &workload);
        }
        match makes {
            Makes::Pods => add(builder, &autoscalers, workload)?,
            Makes::OfCluster => covered += 1,
            Makes::NoPods => {}
        }
    }
    if covered > 0 {
        builder.assume(format!(
            "{covered} workloads of a cluster make no pods beside those that the input has of it"
        ));
    }
    Ok(())
}

/// What a workload adds.
enum Makes {
    Pods,
    /// Nothing: the input has the pods of its cluster.
    OfCluster,
    /// Nothing: the workload above it makes the pods.
    NoPods,
}

impl Makes {
    fn of(builder: &mut InventoryBuilder, owners: &Owners, workload: &Workload) -> Self {
        if let Some(parent) = &workload.controller
            && owners.has(&workload.namespace, &parent.kind, &parent.name)
        {
            return Self::NoPods;
        }
        if workload.of_cluster && builder.pending.has_pods_of_cluster {
            return Self::OfCluster;
        }
        let owner = owner(builder, workload);
        let namespace = builder.text(&workload.namespace);
        let pods = owners.pods_of(&namespace, &owner);
        if pods > 0 {
            builder.assume(format!(
                "{} {namespace}/{} has {pods} pods in the input, so its manifest adds none",
                workload.kind, workload.name
            ));
            return Self::NoPods;
        }
        Self::Pods
    }
}

fn owner(builder: &mut InventoryBuilder, workload: &Workload) -> Arc<Owner> {
    match &workload.controller {
        Some(parent) => builder.owner(&parent.kind, &parent.name),
        None => builder.owner(workload.kind, &workload.name),
    }
}

fn add(
    builder: &mut InventoryBuilder,
    autoscalers: &[Autoscaler],
    workload: Workload,
) -> Result<(), ReadError> {
    let count = match workload.count {
        Count::Fixed(count) => count,
        Count::Replicas(count) => scaled(builder, autoscalers, &workload, count),
        Count::PerNode => return add_daemons(builder, &workload),
    };
    builder.check_number(&workload, count as usize)?;
    if count > 0 {
        builder.assume_of_kind(workload.kind);
    }
    let names = workload.names(&mut builder.pending.taken);
    let maker = Maker::new(builder, &workload);
    let template = builder.template_with_raw(workload.labels, workload.spec, workload.raw);
    for index in 0..count {
        let pod = maker.pod(&names.pod(index), &template);
        builder.inventory.pods.push(pod);
    }
    Ok(())
}

/// Adds a pod for each node on which a DaemonSet runs, bound to it by an affinity, as its
/// controller does.
fn add_daemons(builder: &mut InventoryBuilder, workload: &Workload) -> Result<(), ReadError> {
    let mut spec = workload.spec.clone();
    daemons::tolerate(&mut spec);
    if builder.inventory.nodes.is_empty() {
        builder.assume(format!(
            "DaemonSet {}/{} has no pods, because the input has no nodes",
            workload.namespace, workload.name
        ));
    }
    let nodes = builder.inventory.nodes.iter();
    let names: Vec<_> = nodes
        .filter(|node| daemons::runs_on(&spec, node))
        .map(|node| Arc::clone(&node.name))
        .collect();
    builder.check_number(workload, names.len())?;
    let maker = Maker::new(builder, workload);
    let pods = workload.names(&mut builder.pending.taken);
    for (index, node) in (0..).zip(&names) {
        let mut bound = spec.clone();
        daemons::bind(&mut bound, node);
        let raw = workload.raw.clone();
        let template = builder.template_with_raw(workload.labels.clone(), bound, raw);
        let pod = maker.pod(&pods.pod(index), &template);
        builder.inventory.pods.push(pod);
    }
    Ok(())
}

fn add_per_node(builder: &mut InventoryBuilder, workload: &Workload) {
    let mut spec = workload.spec.clone();
    daemons::tolerate(&mut spec);
    let maker = Maker::new(builder, workload);
    let raw = workload.raw.clone();
    let template = builder.template_with_raw(workload.labels.clone(), spec, raw);
    let pod = maker.pod(&workload.name, &template);
    builder.inventory.per_node.push(pod);
}

/// Returns the number of pods of a workload that an autoscaler may scale. Without pods, a workload
/// is not scaled (`reconcileAutoscaler` in `pkg/controller/podautoscaler/horizontal.go`).
fn scaled(
    builder: &mut InventoryBuilder,
    autoscalers: &[Autoscaler],
    workload: &Workload,
    written: u32,
) -> u32 {
    let scaler = autoscalers.iter().find(|scaler| {
        scaler.namespace == workload.namespace
            && scaler.target_kind == workload.kind
            && scaler.target_name == workload.name
    });
    let Some(scaler) = scaler.filter(|_| written > 0) else {
        return written;
    };
    let count = match builder.scale {
        Scale::Written => written.max(scaler.least).min(scaler.most),
        Scale::Least => scaler.least,
        Scale::Most => scaler.most,
    };
    builder.assume(format!(
        "{} {}/{} has {count} pods: HorizontalPodAutoscaler {} allows {} to {}",
        workload.kind, workload.namespace, workload.name, scaler.name, scaler.least, scaler.most
    ));
    count
}

/// What the pods of a workload have in common.
struct Maker {
    namespace: Arc<str>,
    owner: Arc<Owner>,
    node: Option<Arc<str>>,
    source: crate::Source,
}

impl Maker {
    fn new(builder: &mut InventoryBuilder, workload: &Workload) -> Self {
        let node = workload.spec.node_name.as_str();
        Self {
            namespace: builder.text(&workload.namespace),
            owner: owner(builder, workload),
            node: (!node.is_empty()).then(|| builder.text(node)),
            source: workload.source.clone(),
        }
    }

    fn pod(&self, name: &str, template: &Arc<Template>) -> Pod {
        Pod {
            namespace: Arc::clone(&self.namespace),
            name: name.into(),
            uid: None,
            template: Arc::clone(template),
            owner: Some(Arc::clone(&self.owner)),
            node: self.node.clone(),
            arrival: None,
            departure: None,
            source: self.source.clone(),
        }
    }
}
