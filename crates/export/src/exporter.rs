//! All tables of an inventory and of results.

use inventory::Inventory;

use crate::place::{Cluster, Opener};
use crate::results::Results;
use crate::rows;
use crate::sheet::{Sheet, TableSummary};
use crate::{ExportError, Format};

/// Writer of all tables.
pub struct Exporter<'a> {
    /// Cluster to which the rows belong.
    pub cluster: &'a Cluster,
    /// Formats, each in files of its own.
    pub formats: &'a [Format],
    /// Opens the files.
    pub open: &'a mut Opener<'a>,
}

impl Exporter<'_> {
    /// Writes every table and returns what each holds. A table without rows is a file without
    /// rows, so that queries find its columns.
    ///
    /// # Errors
    /// A file that cannot be written, or usage that is not in the order of time.
    pub fn write(
        &mut self,
        inventory: &Inventory,
        results: &Results,
    ) -> Result<Vec<TableSummary>, ExportError> {
        let mut summaries = Vec::new();
        for rows in rows::ALL {
            let mut sheet = Sheet::new(rows.table, self.cluster, self.formats, self.open);
            (rows.write)(inventory, results, &mut sheet)?;
            summaries.push(sheet.close()?);
        }
        Ok(summaries)
    }
}
