//! Columns of tables.

/// Kind of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text in UTF-8.
    Text,
    /// Whole number of 64 bits.
    Integer,
    /// Whole number of 64 bits whose sum is told.
    Summed,
    /// Truth.
    Flag,
    /// Time in nanoseconds since 1970-01-01T00:00:00Z.
    Time,
}

/// Column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name.
    pub name: &'static str,
    /// Kind of the values.
    pub kind: Kind,
}

/// Table.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Name, which is that of its directory.
    pub name: &'static str,
    /// Columns.
    pub columns: &'static [Column],
    /// Whether the files are divided by the day of the rows.
    pub by_day: bool,
}

/// Returns a column.
pub(crate) const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}
