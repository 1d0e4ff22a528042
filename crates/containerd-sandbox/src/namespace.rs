//! The containerd namespace of a call, in gRPC and in ttrpc metadata.

use tonic::metadata::MetadataMap;
use ttrpc::asynchronous::TtrpcContext;

use crate::error::{Error, Result};
use crate::id::DEFAULT_NAMESPACE;

/// Key of the namespace in gRPC metadata (containerd `pkg/namespaces/grpc.go`).
pub const GRPC_NAMESPACE: &str = "containerd-namespace";
/// Key of the namespace in ttrpc metadata (containerd `pkg/namespaces/ttrpc.go`).
pub const TTRPC_NAMESPACE: &str = "containerd-namespace-ttrpc";

/// Returns the namespace of a gRPC call; [`DEFAULT_NAMESPACE`] if it names none.
///
/// # Errors
/// `InvalidArgument` if the value is not ASCII.
pub(crate) fn of_grpc(metadata: &MetadataMap) -> Result<&str> {
    match metadata.get(GRPC_NAMESPACE) {
        None => Ok(DEFAULT_NAMESPACE),
        Some(value) => value
            .to_str()
            .map_err(|_| Error::invalid_argument(format!("{GRPC_NAMESPACE} {value:?}: not ASCII"))),
    }
}

/// Returns the namespace of a ttrpc call; [`DEFAULT_NAMESPACE`] if it names none.
pub(crate) fn of_ttrpc(context: &TtrpcContext) -> &str {
    context
        .metadata
        .get(TTRPC_NAMESPACE)
        .and_then(|values| values.first())
        .map_or(DEFAULT_NAMESPACE, String::as_str)
}
