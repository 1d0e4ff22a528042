//! Window of time of `cost` and `diff` by the options for the input.

use cost::{Period, Window, extent};
use inventory::Inventory;

use crate::history::HistoryArgs;

/// Returns the window from `--from` to `--to`, of which one that is not given is the first or last
/// time of the inventory; without both, the one that fits.
///
/// # Errors
/// An empty window, or one with an open end and no times in the inventory.
pub fn period(history: &HistoryArgs, inventory: &Inventory) -> anyhow::Result<Period> {
    if history.from.is_none() && history.to.is_none() {
        return Ok(Period::Fitting);
    }
    let extent = extent(inventory);
    let start = history.from.or(extent.map(|(start, _)| start));
    let end = history.to.or(extent.map(|(_, end)| end));
    match (start, end) {
        (Some(start), Some(end)) => Ok(Period::Window(Window::new(start, end)?)),
        _ => anyhow::bail!("the input has no times: give both --from and --to"),
    }
}
