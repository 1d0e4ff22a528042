//! Costs, from results of `slotplan cost`.

use inventory::Inventory;

use crate::ExportError;
use crate::results::Results;
use crate::sheet::Sheet;
use crate::table::{Kind, Table, column};
use crate::value::Value;

/// One row for each group of each result.
pub(super) const TABLE: Table = Table {
    name: "costs",
    columns: &[
        column("result", Kind::Text),
        column("grouped_by", Kind::Text),
        column("key", Kind::Text),
        column("kind", Kind::Text),
        column("currency", Kind::Text),
        column("window_start", Kind::Time),
        column("window_end", Kind::Time),
        column("cpu_nano", Kind::Integer),
        column("memory_nano", Kind::Integer),
        column("gpu_nano", Kind::Integer),
        column("shared_nano", Kind::Integer),
        column("total_nano", Kind::Summed),
    ],
    by_day: false,
};

pub(super) fn write(
    _: &Inventory,
    results: &Results,
    sheet: &mut Sheet<'_, '_>,
) -> Result<(), ExportError> {
    for (result, line) in results.costs() {
        let row = [
            Value::Text(result),
            Value::Text(&line.by),
            Value::Text(&line.key),
            Value::Text(&line.kind),
            Value::Text(&line.currency),
            Value::Integer(line.start.0),
            Value::Integer(line.end.0),
            Value::Integer(line.cpu_nano),
            Value::Integer(line.memory_nano),
            Value::Integer(line.gpu_nano),
            Value::Integer(line.shared_nano),
            Value::Integer(line.total_nano),
        ];
        sheet.add(&row)?;
    }
    Ok(())
}
