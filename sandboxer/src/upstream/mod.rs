//! The containerd whose sandboxer this is: events for it, and look-ups in its store.
//!
//! Nothing here delays a request: an event that cannot be sent is dropped, a look-up is
//! tried later, and containerd may be away.

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

/// Returns a connection to containerd's socket that is made at its first use, and again
/// whenever it is lost.
///
/// # Errors
/// `InvalidArgument` for a path that cannot be connected to.
fn connection(address: &Path) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("unix://{}", address.display()))
        .map_err(|e| Error::invalid_argument(format!("{}: {e}", address.display())))?;
    Ok(endpoint.connect_lazy())
}

/// Builds a request in the namespace of `key`.
fn request<T>(key: &Key, message: T) -> Result<Request<T>> {
    let mut request = Request::new(message);
    let namespace = key
        .namespace()
        .parse()
        .map_err(|e| Error::internal(format!("namespace of {key}: {e}")))?;
    request.metadata_mut().insert(GRPC_NAMESPACE, namespace);
    Ok(request)
}
