//! Nodes.

use inventory::{Inventory, ResourceName};

use super::{amount, object, others};
use crate::ExportError;
use crate::results::Results;
use crate::sheet::Sheet;
use crate::table::{Kind, Table, column};
use crate::value::Value;

/// One row for each node.
pub(super) const TABLE: Table = Table {
    name: "nodes",
    columns: &[
        column("node", Kind::Text),
        column("provider_id", Kind::Text),
        column("unschedulable", Kind::Flag),
        column("pods_allocatable", Kind::Summed),
        column("cpu_allocatable_millicores", Kind::Summed),
        column("cpu_capacity_millicores", Kind::Summed),
        column("memory_allocatable_bytes", Kind::Summed),
        column("memory_capacity_bytes", Kind::Summed),
        column("ephemeral_storage_allocatable_bytes", Kind::Summed),
        column("other_allocatable", Kind::Text),
        column("labels", Kind::Text),
    ],
    by_day: false,
};

pub(super) fn write(
    inventory: &Inventory,
    _: &Results,
    sheet: &mut Sheet<'_, '_>,
) -> Result<(), ExportError> {
    for node in &inventory.nodes {
        let (labels, others) = (object(&node.labels), others(&node.allocatable));
        let (allocatable, capacity) = (&node.allocatable, &node.capacity);
        let row = [
            Value::Text(&node.name),
            Value::text(node.provider_id.as_deref()),
            Value::flag(node.unschedulable),
            amount(allocatable, ResourceName::PODS),
            amount(allocatable, ResourceName::CPU),
            amount(capacity, ResourceName::CPU),
            amount(allocatable, ResourceName::MEMORY),
            amount(capacity, ResourceName::MEMORY),
            amount(allocatable, ResourceName::EPHEMERAL_STORAGE),
            Value::text(others.as_deref()),
            Value::Text(&labels),
        ];
        sheet.add(&row)?;
    }
    Ok(())
}
