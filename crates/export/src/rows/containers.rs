//! Containers of pods.

use inventory::api::{Container, Quantities};
use inventory::{Amounts, Inventory, ResourceName, Template, amounts};

use super::{Kept, amount, others};
use crate::ExportError;
use crate::results::Results;
use crate::sheet::Sheet;
use crate::table::{Kind, Table, column};
use crate::value::Value;

/// One row for each container, by the day of the arrival of its pod.
pub(super) const TABLE: Table = Table {
    name: "containers",
    columns: &[
        column("namespace", Kind::Text),
        column("pod", Kind::Text),
        column("uid", Kind::Text),
        column("arrival", Kind::Time),
        column("container", Kind::Text),
        column("kind", Kind::Text),
        column("image", Kind::Text),
        column("cpu_request_millicores", Kind::Summed),
        column("cpu_limit_millicores", Kind::Summed),
        column("memory_request_bytes", Kind::Summed),
        column("memory_limit_bytes", Kind::Summed),
        column("ephemeral_storage_request_bytes", Kind::Summed),
        column("other_requests", Kind::Text),
    ],
    by_day: true,
};

/// Container with its resources in the units of the tables.
struct Row {
    name: String,
    kind: &'static str,
    image: String,
    requests: Amounts,
    limits: Amounts,
    other_requests: Option<String>,
}

impl Row {
    /// Computes the row of a container; a limit is the request where no request is stated, as the
    /// API server sets it.
    fn new(kind: &'static str, container: &Container) -> Self {
        let mut requests: Quantities = container.resources.requests.clone();
        for (name, limit) in &container.resources.limits {
            requests.entry(name.clone()).or_insert(*limit);
        }
        let requests = amounts(&requests);
        Self {
            name: container.name.clone(),
            kind,
            image: container.image.clone(),
            limits: amounts(&container.resources.limits),
            other_requests: others(&requests),
            requests,
        }
    }

    fn all(template: &Template) -> Vec<Self> {
        let init = template.spec.init_containers.iter().map(|container| {
            let kind = if container.is_sidecar() {
                "sidecar"
            } else {
                "init"
            };
            Self::new(kind, container)
        });
        let regular = template.spec.containers.iter();
        init.chain(regular.map(|container| Self::new("regular", container)))
            .collect()
    }
}

pub(super) fn write(
    inventory: &Inventory,
    _: &Results,
    sheet: &mut Sheet<'_, '_>,
) -> Result<(), ExportError> {
    let mut rows = Kept::new();
    for pod in &inventory.pods {
        for container in rows.get(&pod.template, Row::all) {
            let (requests, limits) = (&container.requests, &container.limits);
            let image = (!container.image.is_empty()).then_some(&*container.image);
            let row = [
                Value::Text(&pod.namespace),
                Value::Text(&pod.name),
                Value::text(pod.uid.as_deref()),
                Value::time(pod.arrival),
                Value::Text(&container.name),
                Value::Text(container.kind),
                Value::text(image),
                amount(requests, ResourceName::CPU),
                amount(limits, ResourceName::CPU),
                amount(requests, ResourceName::MEMORY),
                amount(limits, ResourceName::MEMORY),
                amount(requests, ResourceName::EPHEMERAL_STORAGE),
                Value::text(container.other_requests.as_deref()),
            ];
            sheet.add_at(pod.arrival, &row)?;
        }
    }
    Ok(())
}
