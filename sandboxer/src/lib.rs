//! The ResourceSlot sandboxer: a containerd sandboxer that allocates nothing and tracks the
//! resources that every pod and container asks for.
//!
//! A request takes one way. An API decodes it: containerd's APIs in the crate
//! `containerd_sandbox`, CRI in [`cri`]. [`live`] moves a slot through the state machines
//! of the crate [`slot`]. The change is appended to the journal of the crate [`journal`],
//! and the reply goes out. `resource_info.json` files (the crate [`views`]) and listings
//! ([`inspect`]) are derived from that state.
//!
//! The crate [`pod_resources`] extracts the requested resources, `simulate` determines the
//! behaviour of processes that do not exist, [`streaming`] serves the URLs of exec, attach
//! and port-forward, [`probes`] answers on the ports of pods, `upstream` sends events to containerd, [`metrics`] serves
//! Prometheus, `wait` waits for simulated times, [`spans`] exports spans to OpenTelemetry, and [`units`] parses numbers that users write.

pub mod clock;
pub mod cri;
pub mod inspect;
pub mod live;
pub mod metrics;
pub mod probes;
mod refuse;
mod simulate;
pub mod spans;
pub mod streaming;
mod undo;
pub mod units;
mod upstream;
mod wait;
