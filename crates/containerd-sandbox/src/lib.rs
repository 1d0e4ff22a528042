//! The containerd sandbox API in Rust: the traits of a sandboxer, a server for them on one Unix
//! socket, and clients.
//!
//! A sandboxer implements [`Sandboxer`], [`Sandbox`] and [`Container`]. [`server::Server`] then
//! answers on one socket:
//!
//! * gRPC `containerd.services.sandbox.v1.Controller`, which containerd calls for a proxy plugin
//!   of type `sandbox`;
//! * ttrpc `containerd.runtime.sandbox.v1.Sandbox`, which containerd calls on shims;
//! * ttrpc `containerd.task.v3.Task` (and v2), for the containers;
//! * further gRPC services of the caller.
//!
//! [`client`] has typed clients of these services and of CRI. All errors are one type, [`Error`],
//! with one table of the gRPC and ttrpc codes.
//!
//! The crate knows the protocols and their vocabulary. It knows nothing of the sandboxes behind
//! the traits, and reads no file except the `config.json` of an OCI bundle.
//!
//! `examples/minimal.rs` is the smallest sandboxer, and `examples/pod.rs` a client.

mod address;
mod any;
mod api;
mod bundle;
pub mod client;
mod error;
mod exit;
mod id;
mod namespace;
mod scan;
pub mod server;
mod trace_context;

pub use address::{MAX_SOCKET_PATH, SocketPath, SocketPathError};
pub use any::Any;
pub use api::{
    Container, ContainerOptions, Deleted, ExecOptions, ProcessState, ProcessStatus, Sandbox,
    SandboxOptions, SandboxRecord, SandboxStatus, SandboxUpdate, Sandboxer, Stdio,
};
pub use bundle::{MAX_CONFIG_BYTES, SANDBOX_ID_ANNOTATION};
pub use error::{CODES, Code, Error, Result};
pub use exit::{Exit, ExitSignal};
pub use id::{DEFAULT_NAMESPACE, Key, MAX_ID_LEN, check_id, quoted};
pub use namespace::{GRPC_NAMESPACE, TTRPC_NAMESPACE};
pub use oci_config::{InvalidField, LinuxResources, Process, Spec};
pub use scan::check_json;
pub use trace_context::{InvalidTraceContext, TRACEPARENT, TraceContext};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
