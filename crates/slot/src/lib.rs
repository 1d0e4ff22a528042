//! State of a simulated sandbox and its containers, and the changes between states.
//!
//! A [`Slot`] holds everything that is tracked for one sandbox. A [`Change`] is one event of
//! one sandbox; the journal stores changes. [`Slot::apply`] is the only code that changes a
//! slot: the running daemon and the replay of the journal both call it, so a restart arrives
//! at the state that was acknowledged.
//!
//! The crate is pure except for [`Table`], which holds locks: no clock is read, apart from
//! [`Timestamp::now`], no file is opened, and no signal is sent.
//!
//! - `machine`: the state machines of a sandbox and of a process, as tables.
//! - `change`: the changes and the values that they carry.
//! - `state`: the slot, its containers and processes.
//! - `resources`: the resources of a whole sandbox.
//! - `transition`: decides whether a change is legal, and makes it.
//! - `behaviour`: the simulated behaviour of a container, drawn once at its creation.
//! - `cri`: the values that the CRI API must return later.
//! - `encoded`: a protobuf message as a field of a JSON record.
//! - `meta`: labels and annotations of pods and containers.
//! - `table`: live objects by key, with keys that can be reserved.
//! - `time`: points in time as the journal and the wire carry them.

mod behaviour;
mod change;
mod cri;
mod encoded;
mod image;
mod machine;
mod meta;
mod origin;
mod resources;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod transition;
mod user;

pub use behaviour::{Behaviour, Curve, ProbeBehaviour, Reaction};
pub use change::{
    Change, NewContainer, NewProcess, NewSandbox, PlannedExit, Pod, PodHints, ProcessId,
    SignalHandling, Stdio,
};
pub use cri::{CriContainer, CriPod, HostPort, updated_pod};
pub use encoded::Encoded;
pub use image::{ImageConfig, MountedImage, UserIds, user_id};
pub use machine::{Next, ProcessEvent, ProcessState, SandboxEvent, SandboxState};
pub use meta::{PodMeta, Texts};
pub use origin::Origin;
pub use state::{Container, Ended, Exit, KILLED, Process, Refusal, Slot};
pub use table::Table;
pub use time::{Moment, Timestamp};
pub use transition::Transition;

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
