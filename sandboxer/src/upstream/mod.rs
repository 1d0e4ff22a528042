//! The containerd whose sandboxer this is: what it is told, and what it is asked.
//!
//! Nothing here is on a request's path: what cannot be said now is dropped or said
//! later, and containerd may be away.

mod abandoned;
mod event;
mod publisher;

use std::path::Path;

use containerd_client::tonic::Request;
use containerd_client::tonic::transport::{Channel, Endpoint};
use containerd_sandbox::{Error, GRPC_NAMESPACE, Key, Result};

pub(crate) use abandoned::Abandoned;
pub(crate) use event::{Event, of_change, of_end};
pub(crate) use publisher::Publisher;

/// A connection to containerd's socket that is made when it is first used, and
/// again whenever it is lost.
///
/// # Errors
/// `InvalidArgument` for a path that no connection can be made to.
fn connection(address: &Path) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("unix://{}", address.display()))
        .map_err(|e| Error::invalid_argument(format!("{}: {e}", address.display())))?;
    Ok(endpoint.connect_lazy())
}

/// A request in the namespace of `key`.
fn request<T>(key: &Key, message: T) -> Result<Request<T>> {
    let mut request = Request::new(message);
    let namespace = key
        .namespace()
        .parse()
        .map_err(|e| Error::internal(format!("namespace of {key}: {e}")))?;
    request.metadata_mut().insert(GRPC_NAMESPACE, namespace);
    Ok(request)
}
