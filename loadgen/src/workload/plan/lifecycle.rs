//! Lifecycles of pods and ends of containers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Time that a pod stays once all its containers run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodLifecycle {
    /// Fixed time.
    For(#[serde(with = "millis")] Duration),
    /// Until no more pods are started.
    Held,
    /// Until each container has exited by itself, has been started again `restarts`
    /// times, and has exited once more.
    CrashLoop {
        /// Number of restarts of each container.
        restarts: u32,
    },
    /// Until `hold` after the last pod of the run has been started. A container that
    /// exits by itself before that time is started again.
    RestartAlways {
        /// Time after the start of the last pod.
        #[serde(with = "millis")]
        hold: Duration,
    },
}

impl PodLifecycle {
    /// Returns whether the pod stays until no more pods are started.
    pub fn is_held(&self) -> bool {
        match self {
            Self::Held | Self::RestartAlways { .. } => true,
            Self::For(_) | Self::CrashLoop { .. } => false,
        }
    }

    /// Returns whether the end of the pod also ends containers that would exit by
    /// themselves.
    pub fn cuts_off(&self) -> bool {
        matches!(self, Self::RestartAlways { .. })
    }

    /// Encodes the lifecycle for the hash of the plan; `None` for a pod without a
    /// stay.
    pub(super) fn encoded(&self) -> Option<Vec<u8>> {
        match self {
            Self::For(Duration::ZERO) => None,
            Self::For(stay) => Some(stay.as_nanos().to_le_bytes().to_vec()),
            Self::Held => Some(b"held".to_vec()),
            Self::CrashLoop { restarts } => Some(restarts.to_le_bytes().to_vec()),
            Self::RestartAlways { hold } => {
                Some([&b"always"[..], &hold.as_nanos().to_le_bytes()].concat())
            }
        }
    }
}

/// Signal that ends a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Term,
}

impl Signal {
    /// Returns the signal number on Linux.
    pub fn number(self) -> u32 {
        match self {
            Self::Kill => 9,
            Self::Term => 15,
        }
    }

    /// Returns the exit status after this signal: 128 plus the number, as in shells.
    pub fn exit_status(self) -> u32 {
        128 + self.number()
    }
}

/// End of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// End by a signal.
    Signal(Signal),
    /// Exit by itself.
    #[serde(alias = "crash")]
    Exit(Exit),
}

/// Exit of a container by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ExitForm")]
pub struct Exit {
    /// Time since its start, in milliseconds.
    #[serde(rename = "after_ms", with = "millis")]
    pub after: Duration,
    /// Exit code.
    pub code: u8,
}

/// Forms of an [`Exit`] in a trace.
#[derive(Deserialize)]
#[serde(untagged)]
enum ExitForm {
    /// Form of older traces: milliseconds only, with exit code 1.
    Crash(u64),
    Exit {
        after_ms: u64,
        code: u8,
    },
}

impl From<ExitForm> for Exit {
    fn from(form: ExitForm) -> Self {
        let (after_ms, code) = match form {
            ExitForm::Crash(after_ms) => (after_ms, CRASHED),
            ExitForm::Exit { after_ms, code } => (after_ms, code),
        };
        Self {
            after: Duration::from_millis(after_ms),
            code,
        }
    }
}

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        u64::try_from(time.as_millis())
            .unwrap_or(u64::MAX)
            .serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// Exit code of a container in a crash loop.
pub(super) const CRASHED: u8 = 1;

impl End {
    /// Returns the exit status of the container.
    pub fn exit_status(self) -> u32 {
        match self {
            Self::Signal(signal) => signal.exit_status(),
            Self::Exit(exit) => u32::from(exit.code),
        }
    }

    /// Returns the number of the signal; 0 without a signal.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Signal(signal) => signal.number(),
            Self::Exit(_) => 0,
        }
    }

    /// Returns the annotations that announce the exit to the sandboxer, as keys and
    /// values; none for a signal.
    pub(super) fn annotations(self) -> Vec<(&'static str, String)> {
        match self {
            Self::Signal(_) => Vec::new(),
            Self::Exit(exit) => vec![
                (EXIT_AFTER, format!("{}ms", exit.after.as_millis())),
                (EXIT_CODE, exit.code.to_string()),
            ],
        }
    }
}

pub(super) const EXIT_AFTER: &str = "resource-slot.kuasar.io/exit-after";
pub(super) const EXIT_CODE: &str = "resource-slot.kuasar.io/exit-code";
