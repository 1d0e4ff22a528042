//! Apache Parquet.

use std::io::Write;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::Rows;
use crate::ExportError;
use crate::table::{Column, Kind, Table};
use crate::value::Value;

/// Rows of a group, which bound the memory of a file under way.
const GROUP_ROWS: usize = 1 << 16;

/// Bytes of texts of a group, which bound the memory of rows with long texts.
const GROUP_TEXT: usize = 32 << 20;

/// File under way.
pub(super) struct File {
    path: String,
    writer: SerializedFileWriter<Box<dyn Write + Send>>,
    cells: Vec<Cells>,
    rows: usize,
    text: usize,
}

impl File {
    pub(super) fn new(
        table: &'static Table,
        path: String,
        out: Box<dyn Write + Send>,
    ) -> std::result::Result<Self, ExportError> {
        let properties = WriterProperties::builder()
            .set_created_by(concat!("slotplan ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .build();
        let writer = schema(table)
            .and_then(|schema| SerializedFileWriter::new(out, schema, Arc::new(properties)));
        match writer {
            Ok(writer) => Ok(Self {
                path,
                writer,
                cells: table
                    .columns
                    .iter()
                    .map(|column| Cells::new(column.kind))
                    .collect(),
                rows: 0,
                text: 0,
            }),
            Err(error) => Err(ExportError::Parquet { path, error }),
        }
    }

    fn write_group(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for cells in &mut self.cells {
            let Some(mut column) = group.next_column()? else {
                break;
            };
            cells.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        (self.rows, self.text) = (0, 0);
        Ok(())
    }

    fn failed(&self, error: ParquetError) -> ExportError {
        ExportError::Parquet {
            path: self.path.clone(),
            error,
        }
    }
}

impl Rows for File {
    fn add(&mut self, row: &[Value<'_>]) -> std::result::Result<(), ExportError> {
        for (cells, value) in self.cells.iter_mut().zip(row) {
            self.text += cells.add(*value);
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS || self.text >= GROUP_TEXT {
            let written = self.write_group();
            written.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn close(mut self: Box<Self>) -> std::result::Result<u64, ExportError> {
        let written = self.write_group().and_then(|()| self.writer.finish());
        written.map_err(|error| self.failed(error))?;
        Ok(self.writer.bytes_written() as u64)
    }
}

fn schema(table: &Table) -> Result<TypePtr> {
    let fields = table
        .columns
        .iter()
        .map(|column| field(column).map(Arc::new));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    let schema = Type::group_type_builder(table.name)
        .with_fields(fields)
        .build()?;
    Ok(Arc::new(schema))
}

fn field(column: &Column) -> Result<Type> {
    let (physical, logical) = match column.kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Integer | Kind::Summed => (Physical::INT64, None),
        Kind::Flag => (Physical::BOOLEAN, None),
        Kind::Time => (
            Physical::INT64,
            Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
        ),
    };
    Type::primitive_type_builder(column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

/// Cells of one column of a group: the values that are there, and 1 or 0 for each row with or
/// without one.
struct Cells {
    present: Vec<i16>,
    values: Values,
}

enum Values {
    /// Texts one behind the other, and the end of each.
    Text(Vec<u8>, Vec<usize>),
    Integer(Vec<i64>),
    Flag(Vec<bool>),
}

impl Cells {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Values::Text(Vec::new(), Vec::new()),
            Kind::Integer | Kind::Summed | Kind::Time => Values::Integer(Vec::new()),
            Kind::Flag => Values::Flag(Vec::new()),
        };
        Self {
            present: Vec::new(),
            values,
        }
    }

    /// Adds a value and returns its length if it is a text. A value of another kind than that of
    /// the column is left out.
    fn add(&mut self, value: Value<'_>) -> usize {
        let (mut is_present, mut length) = (true, 0);
        match (&mut self.values, value) {
            (Values::Text(texts, ends), Value::Text(text)) => {
                texts.extend_from_slice(text.as_bytes());
                ends.push(texts.len());
                length = text.len();
            }
            (Values::Integer(values), Value::Integer(number)) => values.push(number),
            (Values::Flag(values), Value::Integer(number)) => values.push(number != 0),
            (_, value) => {
                debug_assert_eq!(value, Value::Null);
                is_present = false;
            }
        }
        self.present.push(i16::from(is_present));
        length
    }

    /// Writes the cells to the column of a group and forgets them.
    fn write(&mut self, column: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let present = Some(&self.present[..]);
        match &mut self.values {
            Values::Text(texts, ends) => {
                let texts = Bytes::from(mem::take(texts));
                let mut start = 0;
                let text = |end| {
                    let text = texts.slice(start..end);
                    start = end;
                    ByteArray::from(text)
                };
                let values: Vec<_> = ends.drain(..).map(text).collect();
                column
                    .typed::<ByteArrayType>()
                    .write_batch(&values, present, None)?;
            }
            Values::Integer(values) => {
                column
                    .typed::<Int64Type>()
                    .write_batch(values, present, None)?;
                values.clear();
            }
            Values::Flag(values) => {
                column
                    .typed::<BoolType>()
                    .write_batch(values, present, None)?;
                values.clear();
            }
        }
        self.present.clear();
        Ok(())
    }
}
