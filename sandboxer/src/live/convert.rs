//! Conversions between the slot's types and those of the sandbox API.

use containerd_sandbox as api;

/// Returns the streams of a request as the slot keeps them.
pub(super) fn slot_stdio(stdio: api::Stdio) -> slot::Stdio {
    slot::Stdio {
        stdin: stdio.stdin,
        stdout: stdio.stdout,
        stderr: stdio.stderr,
        terminal: stdio.terminal,
    }
}

/// Returns a process's streams as the API states them.
pub(super) fn api_stdio(stdio: slot::Stdio) -> api::Stdio {
    api::Stdio {
        stdin: stdio.stdin,
        stdout: stdio.stdout,
        stderr: stdio.stderr,
        terminal: stdio.terminal,
    }
}

/// Returns a process's state as the API states it.
pub(super) fn api_state(state: slot::ProcessState) -> api::ProcessState {
    match state {
        slot::ProcessState::Created => api::ProcessState::Created,
        slot::ProcessState::Running => api::ProcessState::Running,
        slot::ProcessState::Paused => api::ProcessState::Paused,
        slot::ProcessState::Stopped => api::ProcessState::Stopped,
    }
}

/// Returns an end as the API states it.
pub(super) fn api_exit(exit: slot::Exit) -> api::Exit {
    api::Exit {
        code: exit.code,
        at: exit.at.into(),
    }
}
