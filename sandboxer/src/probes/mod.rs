//! Answers on the ports of pods, for the probes of a kubelet and for every other client.
//!
//! No process listens in a container, so the sandboxer answers in its place: HTTP/1 and HTTP/2, the
//! health of gRPC (`grpc.health.v1.Health`), and TCP. Whether a port is open, and the answer on it,
//! follow from the state of its container and from the container's annotations.
//!
//! - `options` is what a user chooses, and `open_ports` finds the ports of a pod that are open and
//!   the container behind each; it is pure.
//! - `answers` makes the answer to one probe. `connection` serves one byte stream to a port,
//!   whether it comes from a listener or from port-forward; `http` and `health` answer its
//!   requests, and `tls` takes encryption off.
//! - `listeners` listens on the ports that are open, on a thread of its own, at the `addresses` of
//!   each pod; `accept` takes the
//!   connections of one listener, `local` says whether the addresses
//!   of pods lead here, and `route` makes them do so.

mod accept;
mod addresses;
mod answers;
mod connection;
mod health;
mod http;
mod listeners;
mod local;
mod open_ports;
mod options;
mod route;
#[cfg(test)]
mod tests;
mod tls;

pub use answers::Answers;
pub use connection::Refused;
pub use listeners::{Listeners, StartError};
pub use local::is_local;
pub use options::{AnswerProbes, AnswerProbesError};
pub use route::{RouteError, add_local};
