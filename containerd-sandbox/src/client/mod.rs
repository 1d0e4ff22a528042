//! Typed clients for every door.

mod controller;
mod cri;
mod ttrpc;

use std::path::Path;

use tonic::transport::{Channel, Endpoint};

pub use controller::Controller;
pub use cri::Cri;
pub use ttrpc::Ttrpc;

use crate::error::{Code, Error, Result};

/// Opens a gRPC connection to a Unix socket.
///
/// # Errors
/// `Unavailable`, naming the socket.
pub async fn channel(socket: &Path) -> Result<Channel> {
    let failed = |e: tonic::transport::Error| {
        Error::unavailable(format!("connect {}: {e}", socket.display()))
    };
    Endpoint::from_shared(format!("unix://{}", socket.display()))
        .map_err(failed)?
        .connect()
        .await
        .map_err(failed)
}

/// The error of a gRPC call. tonic says of a reply that did not come in time that
/// the call was cancelled, and of a lost connection mostly that the error is unknown;
/// but what a server replied has no source.
fn failed(status: tonic::Status) -> Error {
    let mut cause = std::error::Error::source(&status);
    let mut is_lost = status.code() == tonic::Code::Unknown && cause.is_some();
    let mut reason = status.message().to_owned();
    while let Some(error) = cause {
        if error.is::<tonic::TimeoutExpired>() {
            return Error::new(Code::DeadlineExceeded, "no reply in time");
        }
        is_lost |= error.is::<std::io::Error>();
        reason = error.to_string();
        cause = error.source();
    }
    if is_lost {
        return Error::unavailable(reason);
    }
    status.into()
}
