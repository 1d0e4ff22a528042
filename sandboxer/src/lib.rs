//! The ResourceSlot sandboxer: a containerd sandboxer that allocates nothing and
//! tracks what every pod and container asks for.
//!
//! [`door`] holds the doors that are ours alone. Data flows one way: a door decodes a request; [`live`] moves a slot through
//! the state machine of [`slot`]; the change is appended to the journal of
//! [`store`]; the reply goes out. `resource_info.json` files and listings are
//! views of that state. [`resource`] extracts what is asked for, `simulate`
//! says how processes that do not exist behave, `upstream` tells containerd, [`metrics`] tells Prometheus.

pub mod cri;
pub mod inspect;
pub mod live;
pub mod metrics;
mod refuse;
mod simulate;
pub mod streaming;
mod upstream;
