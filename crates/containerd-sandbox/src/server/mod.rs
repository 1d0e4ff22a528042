//! Servers of the sandbox API over one Unix socket, generic over a
//! [`Sandboxer`](crate::Sandboxer).
//!
//! [`bind`] opens the socket and [`Server`] answers on it:
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use containerd_sandbox::Sandboxer;
//! use containerd_sandbox::server::{self, Limit, Limits, Server};
//!
//! async fn run(sandboxer: impl Sandboxer) -> std::io::Result<()> {
//!     let listener = server::bind(Path::new("/run/example.sock")).await?;
//!     let limits = Limits {
//!         connections: Limit::new(100, "connections"),
//!         ..Limits::default()
//!     };
//!     Server::new(Arc::new(sandboxer))
//!         .limits(limits)
//!         .serve(listener, std::future::pending())
//!         .await
//! }
//! ```
//!
//! The path of a request, file by file:
//!
//! * `socket.rs` binds the socket file, and removes it.
//! * `accept.rs` accepts connections, applies the limits, and tells gRPC from ttrpc by the
//!   first byte.
//! * `connection.rs` is the byte stream of one connection. It asks the kernel for fewer
//!   wake-ups than tokio's own stream, and stops to read from a peer that takes no replies.
//! * `authority/` serves gRPC clients that name the socket's path as `:authority`.
//! * `grpc_layer.rs` is the layer in front of the gRPC services, and `ttrpc_server.rs` the ttrpc
//!   server with the frames of `frame.rs`. Both count calls and bytes by `bounds.rs`, and refuse a
//!   request whose decoded form would be too large.
//! * `controller.rs`, `sandbox.rs` and `task.rs` are the three services. Each RPC is one inner
//!   function that takes the namespace and the message, so that it can be tested without a
//!   socket; `rpcs.rs` generates the RPC methods from a table of the inner functions.
//! * `deadline.rs` ends gRPC calls at their deadlines.
//! * `unknown.rs` names unknown gRPC services and methods in the errors, and `health.rs` is the
//!   service that tells whether the server is ready.
//! * `limits.rs` and `users.rs` hold the limits, and `bounds.rs` the part of them that one
//!   connection or user may take. `calls.rs` counts RPCs, with the histogram of `latency.rs`;
//!   `outcomes.rs` logs failures, and `warnings.rs` a few of the warnings that a peer provokes.
// The inner functions of all RPCs have one signature, with or without an await in them.
#![allow(clippy::unused_async)]

mod accept;
mod authority;
mod bounds;
mod builder;
mod calls;
mod connection;
mod controller;
mod deadline;
mod frame;
#[doc(hidden)]
pub mod fuzzed;
mod grpc_layer;
mod health;
mod latency;
mod limits;
mod outcomes;
mod rpcs;
mod sandbox;
mod service;
mod socket;
mod task;
mod ttrpc_server;
mod unknown;
mod users;
mod warnings;

pub use builder::{ApiCalls, Server};
pub use calls::{Call, Calls, EndedCall, MethodCalls, Observer};
pub use health::Health;
pub use latency::{BOUNDS_NS, BUCKETS, Latencies, Latency};
pub use limits::{Limit, Limits, MAX_GRPC_MESSAGE, Permit};
pub use outcomes::Outcomes;
pub use rpcs::Admission;

pub use socket::{SocketFile, bind, check_free};
pub use unknown::KnownMethods;
pub use users::AllowedUsers;
