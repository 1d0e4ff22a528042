//! Tables and texts for a pull request, in the Markdown of GitHub.

use std::fmt::Write;

/// Number of rows of a table; a comment with more is hard to read.
const MOST: usize = 20;

/// Adds a table unless it has no rows. The columns after the first are numbers. Writing to a
/// string cannot fail.
pub(crate) fn table<const COLUMNS: usize>(
    out: &mut String,
    head: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) {
    let mut rows = rows.into_iter();
    let shown: Vec<_> = rows.by_ref().take(MOST).collect();
    if shown.is_empty() {
        return;
    }
    let numbers = " ---: |".repeat(COLUMNS.saturating_sub(1));
    let _ = write!(out, "\n| {} |\n| --- |{numbers}\n", head.join(" | "));
    for row in shown {
        let cells = row.map(|cell| escaped(&cell));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    let left = rows.count();
    if left > 0 {
        let _ = write!(out, "\nand {left} more\n");
    }
}

/// Adds the assumptions, folded.
pub(crate) fn assumed(out: &mut String, assumptions: &[String]) {
    if assumptions.is_empty() {
        return;
    }
    let _ = write!(out, "\n<details><summary>Assumed</summary>\n\n");
    for assumption in assumptions {
        let _ = writeln!(out, "- {}", escaped(assumption));
    }
    let _ = write!(out, "\n</details>\n");
}

/// Writes a text so that it stays in its cell and is no markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '\\' | '<' | '*' | '_' | '[' => {
                out.push('\\');
                out.push(c);
            }
            '\n' | '\r' => out.push(' '),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_cut_and_its_cells_are_no_markup() {
        let mut out = String::new();
        let rows = (0..22).map(|row| [format!("a|b_{row}"), row.to_string()]);
        table(&mut out, ["name", "pods"], rows);
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(
            lines[1..4],
            ["| name | pods |", "| --- | ---: |", r"| a\|b\_0 | 0 |"]
        );
        assert_eq!(lines[lines.len() - 1], "and 2 more");
        let mut none = String::new();
        table(&mut none, ["name"], []);
        assert_eq!(none, "");
    }
}
