//! Usage of containers.

use std::collections::BTreeSet;

use inventory::Inventory;

use crate::ExportError;
use crate::day::Day;
use crate::results::Results;
use crate::sheet::Sheet;
use crate::table::{Kind, Table, column};
use crate::value::Value;

/// One row for each sample, by day, then by container, then by time.
pub(super) const TABLE: Table = Table {
    name: "usage",
    columns: &[
        column("time", Kind::Time),
        column("namespace", Kind::Text),
        column("pod", Kind::Text),
        column("container", Kind::Text),
        column("cpu_nanocores", Kind::Summed),
        column("memory_bytes", Kind::Summed),
        column("oom_killed", Kind::Flag),
    ],
    by_day: true,
};

pub(super) fn write(
    inventory: &Inventory,
    _: &Results,
    sheet: &mut Sheet<'_, '_>,
) -> Result<(), ExportError> {
    let series = || inventory.usage.iter();
    let days: BTreeSet<_> = series()
        .flat_map(|series| &series.samples)
        .map(|sample| Day::of(sample.time))
        .collect();
    // Place of the first sample of each series that is not written.
    let mut next = vec![0; inventory.usage.len()];
    for day in days {
        for (series, next) in series().zip(&mut next) {
            let rest = series.samples.get(*next..).unwrap_or_default();
            for sample in rest.iter().take_while(|sample| Day::of(sample.time) == day) {
                let row = [
                    Value::Integer(sample.time.0),
                    Value::Text(&series.namespace),
                    Value::Text(&series.pod),
                    Value::Text(&series.container),
                    Value::integer(sample.cpu_nanocores),
                    Value::integer(sample.memory_bytes),
                    Value::flag(sample.oom_killed),
                ];
                sheet.add_at(Some(sample.time), &row)?;
                *next += 1;
            }
        }
    }
    for (series, next) in series().zip(next) {
        if next < series.samples.len() {
            return Err(ExportError::Unordered {
                namespace: series.namespace.to_string(),
                pod: series.pod.to_string(),
                container: series.container.to_string(),
            });
        }
    }
    Ok(())
}
