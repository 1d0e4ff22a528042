//! Text in columns.
//!
//! Twenty lines do what the tables need: widths by character, numbers to the right, no
//! border, no wrapping, nothing after the last cell. `comfy-table` and `tabled` draw
//! borders and wrap at the width of a terminal unless that is turned off for each table,
//! and the tables are also files that are compared byte for byte. What is long about the
//! tables is their content.

use std::fmt::{self, Write};

/// Writes rows, the first column to the left, the others to the right.
///
/// # Errors
/// Whatever the writer says.
pub fn write(out: &mut impl Write, rows: &[impl AsRef<[String]>]) -> fmt::Result {
    let mut widths = Vec::new();
    for row in rows {
        for (place, cell) in row.as_ref().iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(place) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    for row in rows {
        let mut line = String::new();
        for (place, (cell, &width)) in row.as_ref().iter().zip(&widths).enumerate() {
            if place == 0 {
                write!(line, "{cell:<width$}")?;
            } else {
                write!(line, "  {cell:>width$}")?;
            }
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
