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

/// Breaks lines that are longer than `width` characters at spaces, and indents the rest of such a
/// line. A word that is longer stands as it is.
pub fn wrapped(text: &str, width: usize) -> String {
    const INDENT: &str = "    ";
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut rest = line;
        let mut indent = "";
        while rest.chars().count() + indent.len() > width {
            let room = width.saturating_sub(indent.len()) + 1;
            let end = rest
                .char_indices()
                .nth(room)
                .map_or(rest.len(), |(at, _)| at);
            // Spaces at the beginning are no place for a break.
            let begin = rest.len() - rest.trim_start().len();
            let Some(at) = rest[begin..end].rfind(' ').map(|at| begin + at) else {
                break;
            };
            out.extend([indent, rest[..at].trim_end(), "\n"]);
            (rest, indent) = (rest[at..].trim_start(), INDENT);
        }
        out.extend([indent, rest, "\n"]);
    }
    out
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
    fn long_lines_are_broken_at_spaces() {
        for (text, expected) in [
            ("short\n", "short\n"),
            ("one two three\n", "one two\n    three\n"),
            ("averylongword\n", "averylongword\n"),
            ("a averylongword b\n", "a\n    averylongword b\n"),
            ("  indented words\n", "  indented\n    words\n"),
            ("äöü äöü äöü\n", "äöü äöü\n    äöü\n"),
            ("", ""),
        ] {
            assert_eq!(wrapped(text, 10), expected, "{text}");
        }
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
