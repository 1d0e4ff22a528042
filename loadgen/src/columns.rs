//! Text in columns.

use std::fmt::{self, Write};

/// Writes rows, the first column to the left, the others to the right.
///
/// # Errors
/// Whatever the writer says.
pub fn write<const N: usize>(out: &mut impl Write, rows: &[[String; N]]) -> fmt::Result {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    for row in rows {
        for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
            if place == 0 {
                write!(out, "{cell:<width$}")?;
            } else {
                write!(out, "  {cell:>width$}")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}
