//! Arrivals and departures of pods over time.

use inventory::{Inventory, Pod, Timestamp};

use super::owner;
use crate::ExportError;
use crate::results::Results;
use crate::sheet::Sheet;
use crate::table::{Kind, Table, column};
use crate::value::Value;

/// One row for each arrival and each departure, in the order of time, by day. The sum of a column
/// up to a time is the amount at that time.
pub(super) const TABLE: Table = Table {
    name: "changes",
    columns: &[
        column("time", Kind::Time),
        column("change", Kind::Text),
        column("namespace", Kind::Text),
        column("pod", Kind::Text),
        column("uid", Kind::Text),
        column("owner_kind", Kind::Text),
        column("owner", Kind::Text),
        column("node", Kind::Text),
        column("pods", Kind::Summed),
        column("cpu_millicores", Kind::Summed),
        column("memory_bytes", Kind::Summed),
    ],
    by_day: true,
};

/// Change of a pod. Of changes at one time, departures come first, because they make room, and the
/// departure of a pod that arrives at that time comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Departure,
    Arrival,
    DepartureAtOnce,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Arrival => "arrival",
            Self::Departure | Self::DepartureAtOnce => "departure",
        }
    }

    fn sign(self) -> i64 {
        match self {
            Self::Arrival => 1,
            Self::Departure | Self::DepartureAtOnce => -1,
        }
    }
}

pub(super) fn write(
    inventory: &Inventory,
    _: &Results,
    sheet: &mut Sheet<'_, '_>,
) -> Result<(), ExportError> {
    for (time, change, place) in ordered(&inventory.pods) {
        let Some(pod) = inventory.pods.get(place) else {
            continue;
        };
        let requests = &pod.template.effective.requests;
        let (owner_kind, owner) = owner(pod);
        let row = [
            Value::time(time),
            Value::Text(change.name()),
            Value::Text(&pod.namespace),
            Value::Text(&pod.name),
            Value::text(pod.uid.as_deref()),
            owner_kind,
            owner,
            Value::text(pod.node.as_deref()),
            Value::Integer(change.sign()),
            Value::Integer(requests.cpu().saturating_mul(change.sign())),
            Value::Integer(requests.memory().saturating_mul(change.sign())),
        ];
        sheet.add_at(time, &row)?;
    }
    Ok(())
}

/// Returns the changes in the order of time, with the place of their pod in the list.
fn ordered(pods: &[Pod]) -> Vec<(Option<Timestamp>, Change, usize)> {
    let mut changes = Vec::with_capacity(pods.len());
    for (place, pod) in pods.iter().enumerate() {
        changes.push((pod.arrival, Change::Arrival, place));
        if pod.departure.is_some() {
            let change = if pod.arrival == pod.departure {
                Change::DepartureAtOnce
            } else {
                Change::Departure
            };
            changes.push((pod.departure, change, place));
        }
    }
    changes.sort_unstable();
    changes
}
