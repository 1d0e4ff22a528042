//! Nodes.

use kube_resources::Quantity;

use crate::api::NodeObject;
use crate::check::is_countable;
use crate::tree::Tree;
use crate::{Amounts, InventoryBuilder, Node, ReadError, ResourceName, Source, amounts};

use super::common::Reader;

/// Number of pods that a kubelet takes unless it is told another (`MaxPods` in
/// `pkg/kubelet/apis/config/v1beta1/defaults.go`).
const DEFAULT_PODS: i64 = 110;

/// Adds a node.
pub(super) fn add(
    builder: &mut InventoryBuilder,
    source: Source,
    tree: &Tree,
) -> Result<(), ReadError> {
    if !builder.takes_nodes() {
        return Ok(());
    }
    let reader = Reader::new(tree, &source);
    let NodeObject {
        metadata,
        spec,
        status,
    } = reader.decode()?;
    reader.check_name(&metadata.name)?;
    for (place, taint) in spec.taints.iter().enumerate() {
        if !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&taint.effect.as_str()) {
            let message = format!(
                "effect {:?} of taint {place} is none of NoSchedule, PreferNoSchedule, NoExecute",
                taint.effect
            );
            return Err(reader.wrong(&["spec", "taints"], message));
        }
    }
    for (list, quantities) in [
        ("capacity", &status.capacity),
        ("allocatable", &status.allocatable),
    ] {
        let beyond = |(name, quantity): &(&String, &Quantity)| !is_countable(name, **quantity);
        if let Some((name, quantity)) = quantities.iter().find(beyond) {
            let message = format!("{quantity} is above 9223372036854775 cores");
            return Err(reader.wrong(&["status", list, name], message));
        }
    }
    let capacity = amounts(&status.capacity);
    let allocatable = amounts(&status.allocatable);
    let (capacity, allocatable) = resources(builder, &metadata.name, capacity, allocatable);
    let mut labels = metadata.labels;
    // A kubelet sets this label on its node.
    labels
        .entry("kubernetes.io/hostname".to_owned())
        .or_insert_with(|| metadata.name.clone());
    let node = Node {
        name: builder.text(&metadata.name),
        labels: labels.into(),
        taints: spec.taints.into(),
        unschedulable: spec.unschedulable,
        allocatable: allocatable.into(),
        capacity: capacity.into(),
        provider_id: (!spec.provider_id.is_empty()).then(|| builder.text(&spec.provider_id)),
        source,
    };
    builder.add_node(node)
}

/// Fills in what a node does not state, as an assumption.
fn resources(
    builder: &mut InventoryBuilder,
    name: &str,
    mut capacity: Amounts,
    mut allocatable: Amounts,
) -> (Amounts, Amounts) {
    if allocatable.is_empty() && capacity.is_empty() {
        builder.assume(format!(
            "node {name} states no resources, so it takes no pods"
        ));
        return (capacity, allocatable);
    }
    if allocatable.is_empty() {
        builder.assume("a node without status.allocatable gives pods its whole capacity");
        allocatable = capacity.clone();
    }
    if allocatable.get(ResourceName::PODS).is_none() {
        builder.assume(format!(
            "a node that states no number of pods takes {DEFAULT_PODS}, as a kubelet does"
        ));
        allocatable.set(ResourceName::PODS, DEFAULT_PODS);
    }
    if capacity.is_empty() {
        capacity = allocatable.clone();
    }
    (capacity, allocatable)
}
