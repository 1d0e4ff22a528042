//! Placements of pods, from results of `slotplan schedule`.

use inventory::Inventory;

use crate::ExportError;
use crate::results::Results;
use crate::sheet::Sheet;
use crate::table::{Kind, Table, column};
use crate::value::Value;

/// One row for each pod that waited in each result, and for each that was removed and is on no
/// node.
pub(super) const TABLE: Table = Table {
    name: "placements",
    columns: &[
        column("result", Kind::Text),
        column("namespace", Kind::Text),
        column("pod", Kind::Text),
        column("node", Kind::Text),
        column("reason", Kind::Text),
        column("message", Kind::Text),
    ],
    by_day: false,
};

pub(super) fn write(
    _: &Inventory,
    results: &Results,
    sheet: &mut Sheet<'_, '_>,
) -> Result<(), ExportError> {
    for (result, schedule) in results.schedules() {
        for placement in &schedule.placements {
            let row = [
                Value::Text(result),
                Value::Text(&placement.namespace),
                Value::Text(&placement.pod),
                Value::text(placement.node.as_deref()),
                Value::text(placement.reason.as_deref()),
                Value::text(placement.message.as_deref()),
            ];
            sheet.add(&row)?;
        }
    }
    Ok(())
}
