//! Reasons for which there is no server to load.

use std::path::PathBuf;

use super::child::ChildError;

/// Reason for which there is no server to load.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A program for the run could not be started.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// No server replies at the given endpoint.
    #[error("no {server} answers at {}", socket.display())]
    Endpoint {
        /// Kind of the expected server.
        server: &'static str,
        /// Path of the socket.
        socket: PathBuf,
        /// Error of the last attempt.
        #[source]
        source: containerd_sandbox::Error,
    },
    /// The image of the containers is not available.
    #[error("provide the image {image}")]
    Image {
        /// Name of the image.
        image: String,
        /// Error of the runtime.
        #[source]
        source: containerd_sandbox::Error,
    },
}
