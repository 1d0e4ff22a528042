//! The containerd sandbox API in Rust: what a sandboxer implements, the servers
//! that put it on one Unix socket, and the clients to call it.
//!
//! A sandboxer implements [`Sandboxer`], [`Sandbox`] and [`Container`];
//! [`server::serve`] then answers, on one socket,
//!
//! * gRPC `containerd.services.sandbox.v1.Controller`, which containerd calls
//!   for a proxy plugin of type `sandbox`;
//! * ttrpc `containerd.runtime.sandbox.v1.Sandbox`, which it calls on shims;
//! * ttrpc `containerd.task.v3.Task` (and v2), for the containers;
//! * whatever gRPC services the caller adds.
//!
//! [`client`] has typed clients for all three. Every error is one [`Error`],
//! with one table to the codes of both wires.

mod any;
mod api;
mod bundle;
pub mod client;
mod error;
mod exit;
mod id;
mod namespace;
pub mod server;

pub use any::Any;
pub use api::{
    Container, ContainerOptions, Deleted, ExecOptions, ProcessState, ProcessStatus, Sandbox,
    SandboxOptions, SandboxRecord, SandboxStatus, SandboxUpdate, Sandboxer, Stdio,
};
pub use bundle::{Linux, MAX_CONFIG_BYTES, Process, SANDBOX_ID_ANNOTATION, Spec};
pub use error::{CODES, Code, Error, Result};
pub use exit::{Exit, ExitSignal};
pub use id::{DEFAULT_NAMESPACE, Key, MAX_ID_LEN, check_id, quoted};
pub use namespace::{GRPC_NAMESPACE, TTRPC_NAMESPACE};
