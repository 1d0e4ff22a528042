//! Reasons for which tables cannot be written.

use std::io;

use parquet::errors::ParquetError;

/// Failure to write a table.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file cannot be written.
    #[error("write {path}")]
    Io {
        /// Path of the file below the directory of the export.
        path: String,
        /// The failure.
        #[source]
        error: io::Error,
    },
    /// A file cannot be encoded.
    #[error("write {path}")]
    Parquet {
        /// Path of the file below the directory of the export.
        path: String,
        /// The failure.
        #[source]
        error: ParquetError,
    },
    /// Samples of a container are not in the order of their times.
    #[error("usage of container {container} of pod {namespace}/{pod} is not in the order of time")]
    Unordered {
        /// Namespace of the pod.
        namespace: String,
        /// Name of the pod.
        pod: String,
        /// Name of the container.
        container: String,
    },
}
