//! The state machines of a sandbox and of a process, as tables.

use serde::{Deserialize, Serialize};

/// Where a sandbox stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SandboxState {
    /// Known, not started.
    Created,
    /// Started: containers can be added.
    Ready,
    /// Stopped for good.
    NotReady,
}

/// What can happen to a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxEvent {
    /// It starts.
    Start,
    /// It ends, and all that runs in it.
    Stop,
    /// It is forgotten; if it has not ended, it ends first.
    Delete,
}

/// Where a process stands: a container's first one, or one added by exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessState {
    /// Known, not started.
    Created,
    /// Running.
    Running,
    /// Held by the freezer.
    Paused,
    /// Ended; its exit code waits to be collected.
    Stopped,
}

/// What can happen to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It starts.
    Start,
    /// The freezer holds it.
    Pause,
    /// The freezer lets it go.
    Resume,
    /// It ends, by itself or by a signal.
    Exit,
    /// It is forgotten; if it has never run, it ends first.
    Delete,
}

/// What a legal event leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<S> {
    /// The object goes on in this state.
    State(S),
    /// The object is no more.
    Gone,
}

impl SandboxState {
    /// Where `event` leads from here; `None` if it is illegal here.
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
    /// Where `event` leads from here; `None` if it is illegal here.
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
    fn the_sandbox_table_is_this() {
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
    fn the_process_table_is_this() {
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
