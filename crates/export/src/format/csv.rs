//! Comma-separated values.

use std::fmt::Write as _;
use std::io::{self, Write};

use inventory::Timestamp;

use super::Rows;
use crate::ExportError;
use crate::table::{Column, Kind, Table};
use crate::value::Value;

/// Bytes that are collected before they are written.
const BLOCK: usize = 1 << 16;

/// File under way.
pub(super) struct File {
    columns: &'static [Column],
    path: String,
    out: Box<dyn Write + Send>,
    block: String,
    bytes: u64,
}

impl File {
    pub(super) fn new(
        table: &'static Table,
        path: String,
        out: Box<dyn Write + Send>,
    ) -> Result<Self, ExportError> {
        let mut file = Self {
            columns: table.columns,
            path,
            out,
            block: String::new(),
            bytes: 0,
        };
        for (place, column) in table.columns.iter().enumerate() {
            file.separate(place);
            file.block.push_str(column.name);
        }
        file.end_line()?;
        Ok(file)
    }

    fn separate(&mut self, place: usize) {
        if place > 0 {
            self.block.push(',');
        }
    }

    fn end_line(&mut self) -> Result<(), ExportError> {
        self.block.push_str("\r\n");
        if self.block.len() >= BLOCK {
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), ExportError> {
        let written = self.out.write_all(self.block.as_bytes());
        written.map_err(|error| self.failed(error))?;
        self.bytes += self.block.len() as u64;
        self.block.clear();
        Ok(())
    }

    fn failed(&self, error: io::Error) -> ExportError {
        ExportError::Io {
            path: self.path.clone(),
            error,
        }
    }
}

impl Rows for File {
    fn add(&mut self, row: &[Value<'_>]) -> Result<(), ExportError> {
        for (place, (value, column)) in row.iter().zip(self.columns).enumerate() {
            self.separate(place);
            write(&mut self.block, column.kind, *value);
        }
        self.end_line()
    }

    fn close(mut self: Box<Self>) -> Result<u64, ExportError> {
        self.write()?;
        let flushed = self.out.flush();
        flushed.map_err(|error| self.failed(error))?;
        Ok(self.bytes)
    }
}

/// Writes a cell; nothing for an unknown value, and quotes for an empty text. Writing to a string
/// cannot fail.
fn write(out: &mut String, kind: Kind, value: Value<'_>) {
    match (value, kind) {
        (Value::Null, _) => {}
        (Value::Text(text), _) => {
            let is_plain = !text.is_empty() && !text.contains([',', '"', '\r', '\n']);
            if is_plain {
                out.push_str(text);
            } else {
                out.push('"');
                out.push_str(&text.replace('"', "\"\""));
                out.push('"');
            }
        }
        (Value::Integer(number), Kind::Flag) => {
            out.push_str(if number == 0 { "false" } else { "true" });
        }
        (Value::Integer(number), Kind::Time) if number >= 0 => {
            let _ = write!(out, "{}", Timestamp(number));
        }
        (Value::Integer(number), _) => {
            let _ = write!(out, "{number}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        for (kind, value, cell) in [
            (Kind::Text, Value::Null, ""),
            (Kind::Text, Value::Text(""), "\"\""),
            (Kind::Text, Value::Text("a-b"), "a-b"),
            (Kind::Text, Value::Text("{\"a\":1}"), "\"{\"\"a\"\":1}\""),
            (Kind::Text, Value::Text("a\nb"), "\"a\nb\""),
            (Kind::Flag, Value::flag(true), "true"),
            (
                Kind::Time,
                Value::Integer(1_000_000_000),
                "1970-01-01T00:00:01Z",
            ),
            (
                Kind::Integer,
                Value::Integer(i64::MIN),
                "-9223372036854775808",
            ),
        ] {
            let mut out = String::new();
            write(&mut out, kind, value);
            assert_eq!(out, cell);
        }
    }
}
