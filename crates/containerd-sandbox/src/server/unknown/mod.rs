//! Names the unknown services and methods of requests in the errors, as gRPC and ttrpc for Go do.
//!
//! The code is `Unimplemented`. The gRPC library would send no message, and the ttrpc library
//! would answer `InvalidArgument` for an unknown service.

mod grpc;
mod ttrpc;

pub use grpc::KnownMethods;
pub(super) use grpc::unknown_service;
pub(super) use ttrpc::NamingServices;
