//! Nodes.

use crate::api::NodeObject;
use crate::tree::{Tree, decode};
use crate::{InventoryBuilder, Node, ReadError, Source, amounts};

/// Adds a node.
pub(super) fn add(
    builder: &mut InventoryBuilder,
    source: Source,
    tree: &Tree,
) -> Result<(), ReadError> {
    if !builder.takes_nodes() {
        return Ok(());
    }
    let object: NodeObject =
        decode(tree).map_err(|error| ReadError::decode(&source.file, error))?;
    let NodeObject {
        metadata,
        spec,
        status,
    } = object;
    if metadata.name.is_empty() {
        return Err(ReadError::wrong(source, "metadata.name", "missing"));
    }
    let capacity = amounts(&status.capacity);
    let allocatable = if status.allocatable.is_empty() {
        if !status.capacity.is_empty() {
            builder.assume("a node without status.allocatable gives pods its whole capacity");
        }
        capacity.clone()
    } else {
        amounts(&status.allocatable)
    };
    let capacity = if capacity.is_empty() {
        allocatable.clone()
    } else {
        capacity
    };
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
