//! Tables and lines in one of two forms, so that a result is described once.

use std::fmt::{self, Write};

use crate::columns;

/// Form of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text in columns, for a terminal.
    Text,
    /// Markdown, for a pull request.
    Markdown,
}

/// Output that is written table by table and line by line. Text that is written otherwise stands
/// as it is.
#[derive(Debug, Clone)]
pub struct Output {
    form: Form,
    text: String,
}

impl Output {
    /// Returns an empty output.
    pub fn new(form: Form) -> Self {
        Self {
            form,
            text: String::new(),
        }
    }

    /// Writes a table. The first row is its head, and the first column names the rows.
    ///
    /// # Errors
    /// None: the text is in memory.
    pub fn table(&mut self, rows: &[impl AsRef<[String]>]) -> fmt::Result {
        match self.form {
            Form::Text => columns::write(&mut self.text, rows),
            Form::Markdown => columns::markdown(&mut self.text, rows),
        }
    }

    /// Writes a line, which stays a line of its own in Markdown.
    ///
    /// # Errors
    /// None: the text is in memory.
    pub fn line(&mut self, line: impl fmt::Display) -> fmt::Result {
        match self.form {
            Form::Text => writeln!(self.text, "{line}"),
            Form::Markdown => writeln!(self.text, "{line}  "),
        }
    }

    /// Writes an empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Returns what was written.
    pub fn finish(self) -> String {
        self.text
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form) -> String {
        let mut out = Output::new(form);
        out.table(&[["pods", "time"], ["1", "2 ms"]].map(|row| row.map(str::to_owned)))
            .unwrap();
        out.gap();
        out.line("the end").unwrap();
        out.finish()
    }

    #[test]
    fn both_forms_have_the_same_contents() {
        assert_eq!(written(Form::Text), "pods  time\n1     2 ms\n\nthe end\n");
        assert_eq!(
            written(Form::Markdown),
            "| pods | time |\n| --- | ---: |\n| 1 | 2 ms |\n\nthe end  \n"
        );
    }
}
