//! Formats text in columns.
//!
//! Twenty lines are enough for the tables: widths by character, numbers to the right, no
//! border, no wrapping, nothing after the last cell. `comfy-table` and `tabled` draw
//! borders and wrap at the width of a terminal unless each table disables that, and the
//! tables are also files that are compared byte by byte. Most of the code of the tables
//! produces their content.

use std::fmt::{self, Write};

/// Writes rows as a table in Markdown, with the first row as its head, the first column to the left
/// and the others to the right.
///
/// # Errors
/// Errors of the writer.
pub fn markdown(out: &mut impl Write, rows: &[impl AsRef<[String]>]) -> fmt::Result {
    for (number, row) in rows.iter().enumerate() {
        let cells = row.as_ref().iter().map(|cell| cell.replace('|', "\\|"));
        writeln!(out, "| {} |", cells.collect::<Vec<_>>().join(" | "))?;
        if number == 0 {
            let others = row.as_ref().len().saturating_sub(1);
            writeln!(out, "| --- |{}", " ---: |".repeat(others))?;
        }
    }
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> [[String; 2]; 2] {
        [["call", "time"], ["a|b", "1 ms"]].map(|row| row.map(str::to_owned))
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut text = String::new();
        write(&mut text, &rows()).unwrap();
        assert_eq!(text, "call  time\na|b   1 ms\n");
    }

    #[test]
    fn markdown_has_a_head_and_no_cell_ends_early() {
        let mut text = String::new();
        markdown(&mut text, &rows()).unwrap();
        assert_eq!(text, "| call | time |\n| --- | ---: |\n| a\\|b | 1 ms |\n");
    }
}
