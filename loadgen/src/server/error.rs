//! Reasons for which there is no server to load.

use std::path::PathBuf;

use super::child::ChildError;

/// No server that can be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A program of the run's own could not be started.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// No answer comes from the given endpoint.
    #[error("no {server} answers at {}", socket.display())]
    Endpoint {
        /// Kind of server that was to answer.
        server: &'static str,
        /// The socket.
        socket: PathBuf,
        /// Error of the last attempt.
        #[source]
        source: containerd_sandbox::Error,
    },
    /// The image of the containers cannot be had.
    #[error("provide the image {image}")]
    Image {
        /// Name of the image.
        image: String,
        /// Error of the runtime.
        #[source]
        source: containerd_sandbox::Error,
    },
}
