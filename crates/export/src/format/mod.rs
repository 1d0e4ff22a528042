//! Formats of files.

mod csv;
mod parquet;

use std::io::Write;

use crate::ExportError;
use crate::table::Table;
use crate::value::Value;

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Apache Parquet: typed columns, compressed by Snappy.
    Parquet,
    /// Comma-separated values (RFC 4180), in UTF-8, with a line of names.
    Csv,
}

impl Format {
    /// Returns how the names of files end.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }

    /// Begins a file of a table.
    pub(crate) fn begin(
        self,
        table: &'static Table,
        path: String,
        out: Box<dyn Write + Send>,
    ) -> Result<Box<dyn Rows>, ExportError> {
        Ok(match self {
            Self::Parquet => Box::new(parquet::File::new(table, path, out)?),
            Self::Csv => Box::new(csv::File::new(table, path, out)?),
        })
    }
}

/// File of a table that takes rows.
pub(crate) trait Rows {
    /// Adds a row, with one value for each column.
    fn add(&mut self, row: &[Value<'_>]) -> Result<(), ExportError>;

    /// Completes the file and returns its length in bytes.
    fn close(self: Box<Self>) -> Result<u64, ExportError>;
}
