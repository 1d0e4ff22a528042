//! Typed clients of the sandbox API and of CRI.
//!
//! [`Controller`] speaks gRPC to a sandboxer, as containerd does; [`Ttrpc`] speaks to the sandbox
//! and task services, as to a shim; [`Cri`] speaks to the runtime and image services, as the
//! kubelet does.

mod controller;
mod cri;
mod ttrpc;
pub mod wire;

use std::io;
use std::path::Path;

use tonic::transport::{Channel, Endpoint};

pub use controller::Controller;
pub use cri::Cri;
pub use ttrpc::Ttrpc;

use crate::address::SocketPath;
use crate::error::{Code, Error, Result};
use wire::{Connector, Wire};

/// Opens a gRPC connection to a Unix socket.
///
/// # Errors
/// `Unavailable`, with the path of the socket; `InvalidArgument` if no socket can have this path.
pub async fn channel(socket: &Path) -> Result<Channel> {
    channel_over(socket, None).await
}

/// Opens a gRPC connection to a Unix socket, with the times of its calls on the wire.
async fn timed_channel(socket: &Path, wire: &Wire) -> Result<Channel> {
    channel_over(socket, Some(wire)).await
}

async fn channel_over(socket: &Path, wire: Option<&Wire>) -> Result<Channel> {
    let failed = |e: tonic::transport::Error| unconnected(socket, &e);
    checked(socket)?;
    let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display())).map_err(failed)?;
    let opened = match wire {
        None => endpoint.connect().await,
        Some(wire) => {
            let connector = Connector::new(socket.to_owned(), wire.clone());
            endpoint.connect_with_connector(connector).await
        }
    };
    opened.map_err(failed)
}

/// Refuses a path that no socket can have: the libraries of the protocols would name neither the
/// path nor the limit.
fn checked(socket: &Path) -> Result<()> {
    match SocketPath::new(socket) {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::invalid_argument(e.to_string())),
    }
}

/// Converts the failure of a connection, with the reason in words: tonic's own message says nothing
/// of its source.
fn unconnected(socket: &Path, failure: &(dyn std::error::Error + 'static)) -> Error {
    let mut cause = failure;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    let reason = match kind {
        Some(io::ErrorKind::NotFound) => "there is no such socket".to_owned(),
        Some(io::ErrorKind::PermissionDenied) => "permission denied".to_owned(),
        Some(io::ErrorKind::ConnectionRefused) => "nobody listens on it".to_owned(),
        _ => cause.to_string(),
    };
    Error::unavailable(format!("connect {}: {reason}", socket.display()))
}

/// Converts the status of a failed gRPC call. tonic reports `Cancelled` for a timeout and for a
/// request that was not sent because the connection was closed, and mostly `Unknown` for a
/// connection that was lost later; the source of the status tells these cases from a reply of
/// the server, which has no source.
fn failed(status: tonic::Status) -> Error {
    let mut cause = std::error::Error::source(&status);
    let mut is_lost = status.code() == tonic::Code::Unknown && cause.is_some();
    let mut reason = status.message().to_owned();
    while let Some(error) = cause {
        if error.is::<tonic::TimeoutExpired>() {
            return Error::new(Code::DeadlineExceeded, "no reply in time");
        }
        is_lost |= error.is::<std::io::Error>();
        is_lost |= error.downcast_ref().is_some_and(hyper::Error::is_canceled);
        reason = error.to_string();
        cause = error.source();
    }
    if is_lost {
        return Error::unavailable(reason);
    }
    status.into()
}

#[cfg(test)]
mod tests {
    use hyper::client::conn::http1;
    use hyper_util::rt::TokioIo;

    use super::*;

    #[tokio::test]
    async fn a_connection_that_fails_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let (missing, abandoned) = (dir.path().join("missing"), dir.path().join("abandoned"));
        drop(std::os::unix::net::UnixListener::bind(&abandoned).unwrap());
        for (socket, reason) in [
            (&missing, "there is no such socket"),
            (&abandoned, "nobody listens on it"),
        ] {
            let expected = format!("connect {}: {reason}", socket.display());
            let over_grpc = channel(socket).await.unwrap_err();
            let over_ttrpc = Ttrpc::connect(socket, "k8s.io").await.err().unwrap();
            for error in [over_grpc, over_ttrpc] {
                assert_eq!(error.code(), Code::Unavailable);
                assert!(error.to_string().ends_with(&expected), "{error}");
            }
        }
    }

    #[tokio::test]
    async fn a_path_that_no_socket_can_have_is_named_with_the_limit() {
        let socket = Path::new("/tmp").join("s".repeat(200));
        let over_grpc = channel(&socket).await.unwrap_err();
        let over_ttrpc = Ttrpc::connect(&socket, "k8s.io").await.err();
        for error in [over_grpc, over_ttrpc.expect("it is refused")] {
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.to_string().contains("205 bytes"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_request_without_a_connection_fails_as_unavailable_and_not_as_cancelled() {
        let (io, _peer) = tokio::io::duplex(64);
        let (mut requests, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
        drop(connection);
        let request = hyper::Request::new(String::new());
        let error = requests.send_request(request).await.unwrap_err();

        let status = tonic::Status::from_error(error.into());
        assert_eq!(status.code(), tonic::Code::Cancelled);
        assert_eq!(failed(status).code(), Code::Unavailable);

        let replied = tonic::Status::cancelled("by the server");
        assert_eq!(failed(replied).code(), Code::Cancelled);
    }
}
