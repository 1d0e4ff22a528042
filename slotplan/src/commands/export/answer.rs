//! The answer: tables and traces that were written.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use display::{columns, human};
use export::TableSummary;
use export::replay::TraceSummary;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::answer::Header;

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/export/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document>(SCHEMA)
}

/// Document of the answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document {
    #[serde(flatten)]
    pub(super) header: Header,
    /// Name of the cluster, a column of every table.
    pub(super) cluster: String,
    /// Tables, in the order of writing.
    pub(super) tables: Vec<Table>,
    /// Traces, in the order of the names of nodes.
    pub(super) traces: Vec<Trace>,
    /// Pods without a node, which are in no trace; absent without traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pods_without_node: Option<u64>,
}

/// Table that was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Table {
    /// Name of the table.
    pub(super) name: &'static str,
    /// Number of rows.
    pub(super) rows: u64,
    /// Number of files.
    pub(super) files: u64,
    /// Length of the files in bytes.
    pub(super) bytes: u64,
    /// Sum of each column with amounts; null beyond 64 bits.
    sums: BTreeMap<&'static str, Option<i64>>,
}

impl From<TableSummary> for Table {
    fn from(summary: TableSummary) -> Self {
        let sums = summary.sums.into_iter();
        Self {
            name: summary.table,
            rows: summary.rows,
            files: summary.files,
            bytes: summary.bytes,
            sums: sums.map(|sum| (sum.column, sum.sum)).collect(),
        }
    }
}

/// Trace that was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Trace {
    /// Name of the node.
    node: String,
    /// Name of the file in the directory of `--emit-trace`.
    pub(super) file: String,
    /// Number of pods.
    pub(super) pods: u64,
    /// Sum of the CPU requests in millicores.
    pub(super) cpu_millicores: i64,
    /// Sum of the memory requests in bytes.
    pub(super) memory_bytes: i64,
    /// Pods whose CPU request no runtime can be told exactly.
    inexact: u64,
}

impl Trace {
    pub(super) fn new(node: &str, file: String, summary: TraceSummary) -> Self {
        Self {
            node: node.to_owned(),
            file,
            pods: summary.pods,
            cpu_millicores: summary.cpu_millicores,
            memory_bytes: summary.memory_bytes,
            inexact: summary.inexact,
        }
    }
}

impl Document {
    /// Returns tables for a terminal.
    pub(super) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        if !self.tables.is_empty() {
            let mut rows = vec![["table", "rows", "files", "size"].map(str::to_owned)];
            rows.extend(self.tables.iter().map(|table| {
                [
                    table.name.to_owned(),
                    human::count(table.rows),
                    human::count(table.files),
                    human::bytes(table.bytes),
                ]
            }));
            columns::write(&mut text, &rows)?;
        }
        if let Some(without) = self.pods_without_node {
            if !text.is_empty() {
                text.push('\n');
            }
            let mut rows = vec![["trace", "pods", "CPU", "memory"].map(str::to_owned)];
            rows.extend(self.traces.iter().map(|trace| {
                [
                    trace.file.clone(),
                    human::count(trace.pods),
                    format!("{}m", trace.cpu_millicores),
                    human::bytes(u64::try_from(trace.memory_bytes).unwrap_or(0)),
                ]
            }));
            columns::write(&mut text, &rows)?;
            if without > 0 {
                let count = human::count(without);
                writeln!(text, "{count} pods have no node and are in no trace")?;
            }
        }
        Ok(text)
    }
}
