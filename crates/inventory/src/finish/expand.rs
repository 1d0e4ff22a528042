//! Workloads to pods.

use std::sync::Arc;

use crate::effective::round_up;
use crate::pending::{Count, Workload};
use crate::{InventoryBuilder, Pod};

/// Adds the pods of every workload.
pub(super) fn expand(builder: &mut InventoryBuilder) {
    for workload in std::mem::take(&mut builder.pending.workloads) {
        add(builder, workload);
    }
}

fn add(builder: &mut InventoryBuilder, mut workload: Workload) {
    // The API server rounds the amounts of the workload, then those of its pods.
    round_up(&mut workload.spec);
    let count = match workload.count {
        Count::Of(count) => count,
        Count::PerNode => u32::try_from(builder.inventory.nodes.len()).unwrap_or(u32::MAX),
    };
    let namespace = match workload.meta.namespace.as_str() {
        "" => "default",
        namespace => namespace,
    };
    let namespace = builder.text(namespace);
    let owner = builder.owner(workload.kind, &workload.meta.name);
    let template = builder.template(workload.template_labels, workload.spec);
    for index in 0..count {
        let name = match workload.kind {
            "StatefulSet" => format!("{}-{index}", workload.meta.name),
            _ => format!("{}-{index:05}", workload.meta.name),
        };
        builder.inventory.pods.push(Pod {
            namespace: Arc::clone(&namespace),
            name: name.into(),
            uid: None,
            template: Arc::clone(&template),
            owner: Some(Arc::clone(&owner)),
            node: None,
            arrival: None,
            departure: None,
            source: workload.source.clone(),
        });
    }
}
