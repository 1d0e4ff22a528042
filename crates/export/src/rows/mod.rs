//! The tables, each with the rows of an inventory or of results.

mod changes;
mod containers;
mod costs;
mod nodes;
mod placements;
mod pods;
mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::api::Labels;
use inventory::{Amounts, Inventory, Pod, ResourceName};

use crate::ExportError;
use crate::results::Results;
use crate::sheet::Sheet;
use crate::table::Table;
use crate::value::Value;

/// Writes the rows of a table.
type Write = fn(&Inventory, &Results, &mut Sheet<'_, '_>) -> Result<(), ExportError>;

/// Table with the function that writes its rows.
pub(crate) struct TableRows {
    pub(crate) table: &'static Table,
    pub(crate) write: Write,
}

/// All tables, in the order of writing.
pub(crate) const ALL: [TableRows; 7] = [
    TableRows {
        table: &pods::TABLE,
        write: pods::write,
    },
    TableRows {
        table: &containers::TABLE,
        write: containers::write,
    },
    TableRows {
        table: &changes::TABLE,
        write: changes::write,
    },
    TableRows {
        table: &usage::TABLE,
        write: usage::write,
    },
    TableRows {
        table: &nodes::TABLE,
        write: nodes::write,
    },
    TableRows {
        table: &placements::TABLE,
        write: placements::write,
    },
    TableRows {
        table: &costs::TABLE,
        write: costs::write,
    },
];

/// All tables.
pub const TABLES: [&Table; 7] = [
    &pods::TABLE,
    &containers::TABLE,
    &changes::TABLE,
    &usage::TABLE,
    &nodes::TABLE,
    &placements::TABLE,
    &costs::TABLE,
];

/// Resources with a column of their own.
const COMMON: [&str; 4] = [
    ResourceName::CPU,
    ResourceName::MEMORY,
    ResourceName::EPHEMERAL_STORAGE,
    ResourceName::PODS,
];

/// Returns the amount of a resource, or nothing.
fn amount(amounts: &Amounts, name: &str) -> Value<'static> {
    Value::integer(amounts.get(name))
}

/// Returns an object with the amounts of all resources without a column of their own; `None` if
/// there are none.
fn others(amounts: &Amounts) -> Option<String> {
    let others: BTreeMap<_, _> = amounts
        .iter()
        .filter(|(name, _)| !COMMON.contains(name))
        .collect();
    (!others.is_empty()).then(|| serde_json::json!(others).to_string())
}

/// Returns an object with labels.
fn object(labels: &Labels) -> String {
    serde_json::json!(labels).to_string()
}

/// Returns the kind and name of the workload of a pod.
fn owner(pod: &Pod) -> (Value<'_>, Value<'_>) {
    let owner = pod.owner.as_ref();
    (
        Value::text(owner.map(|owner| &*owner.kind)),
        Value::text(owner.map(|owner| &*owner.name)),
    )
}

/// Value that is computed from a shared object, kept until the next pod has another object.
struct Kept<K, V>(Option<(Arc<K>, V)>);

impl<K, V> Kept<K, V> {
    fn new() -> Self {
        Self(None)
    }

    /// Returns the value of an object.
    fn get(&mut self, key: &Arc<K>, compute: impl FnOnce(&K) -> V) -> &V {
        let kept = match self.0.take() {
            Some((other, value)) if Arc::ptr_eq(&other, key) => (other, value),
            _ => (Arc::clone(key), compute(key)),
        };
        &self.0.insert(kept).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_list_of_tables_is_that_of_the_rows() {
        assert_eq!(ALL.map(|rows| rows.table), TABLES);
    }
}
