//! Pods.

use inventory::{Inventory, ResourceName};

use super::{Kept, amount, object, others, owner};
use crate::ExportError;
use crate::results::Results;
use crate::sheet::Sheet;
use crate::table::{Kind, Table, column};
use crate::value::Value;

/// One row for each pod, by the day of its arrival.
pub(super) const TABLE: Table = Table {
    name: "pods",
    columns: &[
        column("namespace", Kind::Text),
        column("pod", Kind::Text),
        column("uid", Kind::Text),
        column("owner_kind", Kind::Text),
        column("owner", Kind::Text),
        column("node", Kind::Text),
        column("qos", Kind::Text),
        column("priority", Kind::Integer),
        column("arrival", Kind::Time),
        column("departure", Kind::Time),
        column("cpu_request_millicores", Kind::Summed),
        column("cpu_limit_millicores", Kind::Summed),
        column("memory_request_bytes", Kind::Summed),
        column("memory_limit_bytes", Kind::Summed),
        column("ephemeral_storage_request_bytes", Kind::Summed),
        column("other_requests", Kind::Text),
        column("labels", Kind::Text),
        column("file", Kind::Text),
        column("line", Kind::Integer),
    ],
    by_day: true,
};

pub(super) fn write(
    inventory: &Inventory,
    _: &Results,
    sheet: &mut Sheet<'_, '_>,
) -> Result<(), ExportError> {
    let mut texts = Kept::new();
    for pod in &inventory.pods {
        let effective = &pod.template.effective;
        let (labels, other_requests) = texts.get(&pod.template, |template| {
            (
                object(&template.labels),
                others(&template.effective.requests),
            )
        });
        let (owner_kind, owner) = owner(pod);
        let (requests, limits) = (&effective.requests, &effective.limits);
        let line = i64::try_from(pod.source.line).ok().filter(|line| *line > 0);
        let row = [
            Value::Text(&pod.namespace),
            Value::Text(&pod.name),
            Value::text(pod.uid.as_deref()),
            owner_kind,
            owner,
            Value::text(pod.node.as_deref()),
            Value::Text(effective.qos.name()),
            Value::Integer(effective.priority.into()),
            Value::time(pod.arrival),
            Value::time(pod.departure),
            amount(requests, ResourceName::CPU),
            amount(limits, ResourceName::CPU),
            amount(requests, ResourceName::MEMORY),
            amount(limits, ResourceName::MEMORY),
            amount(requests, ResourceName::EPHEMERAL_STORAGE),
            Value::text(other_requests.as_deref()),
            Value::Text(labels),
            Value::Text(&pod.source.file),
            Value::integer(line),
        ];
        sheet.add_at(pod.arrival, &row)?;
    }
    Ok(())
}
