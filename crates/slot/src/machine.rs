//! State machines of a sandbox and of a process, as tables.
//!
//! ```text
//! sandbox   Created ─start─► Ready ─stop─► NotReady
//!                 └────────stop──────────►
//!           any ─delete─► gone
//! process   Created ─start─► Running ◄─pause/resume─► Paused
//!                 └─exit──►  Stopped ◄─exit (from Running or Paused)
//!           Created, Stopped ─delete─► gone
//! ```
//!
//! An event that is not in its table is refused and changes nothing. Two events are legal
//! because containerd relies on them: the deletion of a sandbox that is ready ends all
//! processes in it, and the deletion of a process that never started ends that process, so
//! that a caller of Wait gets an answer.

use serde::{Deserialize, Serialize};

/// State of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxState {
    /// Created and not started.
    Created,
    /// Started: containers can be added.
    Ready,
    /// Stopped; a stopped sandbox never starts again.
    NotReady,
}

/// Event of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxEvent {
    /// The sandbox starts.
    Start,
    /// The sandbox and all processes in it end.
    Stop,
    /// The sandbox is removed; if it has not ended, it ends first.
    Delete,
}

/// State of a process: a container's first process or one added by exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// Created and not started.
    Created,
    /// Running.
    Running,
    /// Stopped by the freezer.
    Paused,
    /// Ended, with an exit code that can be collected.
    Stopped,
}

/// Event of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEvent {
    /// The process starts.
    Start,
    /// The freezer stops the process.
    Pause,
    /// The freezer lets the process run again.
    Resume,
    /// The process ends, by itself or by a signal.
    Exit,
    /// The process is removed; if it has never run, it ends first.
    Delete,
}

/// Result of a legal event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<S> {
    /// The object stays and is in this state.
    State(S),
    /// The object is removed.
    Gone,
}

impl SandboxState {
    /// Returns the result of `event` in this state; `None` if the event is illegal.
    pub fn on(self, event: SandboxEvent) -> Option<Next<Self>> {
        use SandboxEvent as E;
        use SandboxState::{Created, NotReady, Ready};
        match (self, event) {
            (Created, E::Start) => Some(Next::State(Ready)),
            (Created | Ready, E::Stop) => Some(Next::State(NotReady)),
            (_, E::Delete) => Some(Next::Gone),
            (Ready | NotReady, E::Start) | (NotReady, E::Stop) => None,
        }
    }
}

impl ProcessState {
    /// Returns the result of `event` in this state; `None` if the event is illegal.
    pub fn on(self, event: ProcessEvent) -> Option<Next<Self>> {
        use ProcessEvent as E;
        use ProcessState::{Created, Paused, Running, Stopped};
        match (self, event) {
            (Created, E::Start) | (Paused, E::Resume) => Some(Next::State(Running)),
            (Running, E::Pause) => Some(Next::State(Paused)),
            (Created | Running | Paused, E::Exit) => Some(Next::State(Stopped)),
            (Created | Stopped, E::Delete) => Some(Next::Gone),
            (Running | Paused | Stopped, E::Start)
            | (Created | Paused | Stopped, E::Pause)
            | (Created | Running | Stopped, E::Resume)
            | (Stopped, E::Exit)
            | (Running | Paused, E::Delete) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_moves_by_this_table() {
        use SandboxEvent as E;
        use SandboxState as S;
        let rows = [
            (S::Created, E::Start, Some(Next::State(S::Ready))),
            (S::Created, E::Stop, Some(Next::State(S::NotReady))),
            (S::Created, E::Delete, Some(Next::Gone)),
            (S::Ready, E::Start, None),
            (S::Ready, E::Stop, Some(Next::State(S::NotReady))),
            (S::Ready, E::Delete, Some(Next::Gone)),
            (S::NotReady, E::Start, None),
            (S::NotReady, E::Stop, None),
            (S::NotReady, E::Delete, Some(Next::Gone)),
        ];
        for (state, event, next) in rows {
            assert_eq!(state.on(event), next, "{state:?} on {event:?}");
        }
    }

    #[test]
    fn a_process_moves_by_this_table() {
        use ProcessEvent as E;
        use ProcessState as S;
        let legal = [
            (S::Created, E::Start, Next::State(S::Running)),
            (S::Created, E::Exit, Next::State(S::Stopped)),
            (S::Running, E::Pause, Next::State(S::Paused)),
            (S::Running, E::Exit, Next::State(S::Stopped)),
            (S::Paused, E::Resume, Next::State(S::Running)),
            (S::Paused, E::Exit, Next::State(S::Stopped)),
            (S::Created, E::Delete, Next::Gone),
            (S::Stopped, E::Delete, Next::Gone),
        ];
        for state in [S::Created, S::Running, S::Paused, S::Stopped] {
            for event in [E::Start, E::Pause, E::Resume, E::Exit, E::Delete] {
                let expected = legal
                    .iter()
                    .find(|row| (row.0, row.1) == (state, event))
                    .map(|row| row.2);
                assert_eq!(state.on(event), expected, "{state:?} on {event:?}");
            }
        }
    }
}
