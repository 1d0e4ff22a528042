//! Formats of files, and the reader of each.

use std::io::BufRead;

use crate::kubernetes::{read_json, read_yaml};
use crate::openb::{NODE_HEADER, POD_HEADER, read_openb_nodes, read_openb_pods};
use crate::simkube::read_simkube;
use crate::trace::{self, read_trace};
use crate::usage;
use crate::{InventoryBuilder, ReadError};

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Objects of the Kubernetes API in YAML.
    Yaml,
    /// Objects of the Kubernetes API in JSON.
    Json,
    /// Trace of SimKube.
    SimKube,
    /// Nodes of Alibaba's trace of a cluster with GPUs, in CSV.
    OpenbNodes,
    /// Pods of Alibaba's trace of a cluster with GPUs, in CSV.
    OpenbPods,
    /// Trace of loadgen.
    Trace,
    /// Usage of containers.
    Usage,
}

impl FileFormat {
    /// Returns the format of a file by the beginning of its contents.
    pub fn of(beginning: &[u8]) -> Self {
        let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
        if text.starts_with(NODE_HEADER) {
            return Self::OpenbNodes;
        }
        if text.starts_with(POD_HEADER) {
            return Self::OpenbPods;
        }
        let head = text.trim_ascii_start();
        if head.starts_with(b"{\"schema\":\"") && head[11..].starts_with(trace::SCHEMA.as_bytes()) {
            return Self::Trace;
        }
        if usage::is_usage(head) {
            return Self::Usage;
        }
        match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Self::Json,
            // A map of MessagePack with at most 15 keys, which begins no text in UTF-8.
            Some(0x80..=0x8f) => Self::SimKube,
            _ => Self::Yaml,
        }
    }
}

/// Reads a file of any known format and adds what it holds. `file` is its name, for messages.
///
/// # Errors
/// A file that cannot be read or is wrong.
pub fn read(
    builder: &mut InventoryBuilder,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    let beginning = reader
        .fill_buf()
        .map_err(|error| ReadError::io(file, error))?;
    match FileFormat::of(beginning) {
        FileFormat::Yaml => read_yaml(builder, file, reader),
        FileFormat::Json => read_json(builder, file, reader),
        FileFormat::SimKube => read_simkube(builder, file, reader),
        FileFormat::OpenbNodes => read_openb_nodes(builder, file, reader),
        FileFormat::OpenbPods => read_openb_pods(builder, file, reader),
        FileFormat::Trace => read_trace(builder, file, reader),
        FileFormat::Usage => builder.read_usage(file, reader, None),
    }
}
