//! Slots: the state machines and what they carry.

mod change;
mod cri;
mod encoded;
mod machine;
mod state;
#[cfg(test)]
mod tests;

pub use change::{Change, Life, NewContainer, NewProcess, NewSandbox, Pod, ProcessId, Stdio};
pub use cri::{CriContainer, CriPod};
pub use encoded::Encoded;
pub use machine::{Next, ProcessEvent, ProcessState, SandboxEvent, SandboxState};
pub use state::{Container, Ended, Exit, KILLED, Process, Refusal, Slot};
