//! Formats text in columns.
//!
//! Twenty lines are enough for the tables: widths by character, numbers to the right, no
//! border, no wrapping, nothing after the last cell. `comfy-table` and `tabled` draw
//! borders and wrap at the width of a terminal unless each table disables that, and the
//! tables are also files that are compared byte by byte. Most of the code of the tables
//! produces their content.

use std::fmt::{self, Write};

/// Writes rows, with the first column to the left and the others to the right.
///
/// # Errors
/// Errors of the writer.
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
