//! The files of one table.

use inventory::Timestamp;

use crate::ExportError;
use crate::day::Day;
use crate::format::{Format, Rows};
use crate::place::{Cluster, Opener};
use crate::table::{Kind, Table};
use crate::value::Value;

/// Name of the partition of rows without a day, as in Hive.
const WITHOUT_DAY: &str = "__HIVE_DEFAULT_PARTITION__";

/// Sum of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Name of the column.
    pub column: &'static str,
    /// Sum of the values that are there; `None` beyond 64 bits.
    pub sum: Option<i64>,
}

/// Contents of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// Name of the table.
    pub table: &'static str,
    /// Number of rows.
    pub rows: u64,
    /// Number of files of all formats.
    pub files: u64,
    /// Length of the files in bytes.
    pub bytes: u64,
    /// Sums of the columns that are summed.
    pub sums: Vec<Sum>,
}

/// Writer of the rows of one table. Only the files of one day are open at a time.
pub(crate) struct Sheet<'a, 'o> {
    table: &'static Table,
    cluster: &'a Cluster,
    formats: &'a [Format],
    open: &'a mut Opener<'o>,
    day: Option<Day>,
    files: Vec<Box<dyn Rows>>,
    summary: TableSummary,
}

impl<'a, 'o> Sheet<'a, 'o> {
    pub(crate) fn new(
        table: &'static Table,
        cluster: &'a Cluster,
        formats: &'a [Format],
        open: &'a mut Opener<'o>,
    ) -> Self {
        let sum = |column: &crate::Column| {
            (column.kind == Kind::Summed).then_some(Sum {
                column: column.name,
                sum: Some(0),
            })
        };
        Self {
            table,
            cluster,
            formats,
            open,
            day: None,
            files: Vec::new(),
            summary: TableSummary {
                table: table.name,
                rows: 0,
                files: 0,
                bytes: 0,
                sums: table.columns.iter().filter_map(sum).collect(),
            },
        }
    }

    /// Adds a row of a time, with one value for each column. Rows come in the order of their days,
    /// those without a time first.
    pub(crate) fn add_at(
        &mut self,
        time: Option<Timestamp>,
        row: &[Value<'_>],
    ) -> Result<(), ExportError> {
        let day = time.map(Day::of);
        if day != self.day {
            self.close_files()?;
            self.day = day;
        }
        self.add(row)
    }

    /// Adds a row to the day of the row before.
    pub(crate) fn add(&mut self, row: &[Value<'_>]) -> Result<(), ExportError> {
        debug_assert_eq!(row.len(), self.table.columns.len());
        if self.files.is_empty() {
            self.open_files()?;
        }
        for file in &mut self.files {
            file.add(row)?;
        }
        self.summary.rows += 1;
        let mut sums = self.summary.sums.iter_mut();
        for (value, column) in row.iter().zip(self.table.columns) {
            if column.kind == Kind::Summed
                && let Some(sum) = sums.next()
                && let Value::Integer(number) = value
            {
                sum.sum = sum.sum.and_then(|sum| sum.checked_add(*number));
            }
        }
        Ok(())
    }

    /// Completes the files and returns what they hold.
    pub(crate) fn close(mut self) -> Result<TableSummary, ExportError> {
        if self.summary.rows == 0 {
            self.open_files()?;
        }
        self.close_files()?;
        Ok(self.summary)
    }

    fn open_files(&mut self) -> Result<(), ExportError> {
        let directory = format!("{}/cluster={}", self.table.name, self.cluster);
        let directory = match self.day {
            _ if !self.table.by_day => directory,
            Some(day) => format!("{directory}/day={day}"),
            None => format!("{directory}/day={WITHOUT_DAY}"),
        };
        for &format in self.formats {
            let path = format!("{directory}/part-0.{}", format.extension());
            let out = (self.open)(format, &path);
            let out = out.map_err(|error| ExportError::Io {
                path: path.clone(),
                error,
            })?;
            self.files.push(format.begin(self.table, path, out)?);
            self.summary.files += 1;
        }
        Ok(())
    }

    fn close_files(&mut self) -> Result<(), ExportError> {
        for file in self.files.drain(..) {
            self.summary.bytes += file.close()?;
        }
        Ok(())
    }
}
