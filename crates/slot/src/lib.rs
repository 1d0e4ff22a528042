//! Slots: the state machines and what they carry.

mod change;
mod conduct;
mod cri;
mod encoded;
mod machine;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod time;
mod transition;

pub use change::{
    Change, Life, NewContainer, NewProcess, NewSandbox, Pod, PodHints, ProcessId, Stdio,
};
pub use conduct::{Conduct, Curve};
pub use cri::{CriContainer, CriPod, user_id};
pub use encoded::Encoded;
pub use machine::{Next, ProcessEvent, ProcessState, SandboxEvent, SandboxState};
pub use state::{Container, Ended, Exit, KILLED, Process, Refusal, Slot};
pub use table::Table;
pub use time::Timestamp;
pub use transition::Transition;
