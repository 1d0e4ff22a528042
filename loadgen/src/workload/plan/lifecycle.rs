//! How long pods stay, and how their containers end.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a pod stays once all its containers run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodLifecycle {
    /// So long.
    For(#[serde(with = "millis")] Duration),
    /// Until no more pods are started.
    Held,
    /// Until its containers have ended by themselves and have been started again so
    /// often, and have ended once more.
    CrashLoop {
        /// How often they are started again.
        restarts: u32,
    },
    /// So long after the last pod of the run has been started; each container that
    /// ends by itself meanwhile is started again.
    RestartAlways {
        /// How long.
        #[serde(with = "millis")]
        hold: Duration,
    },
}

impl PodLifecycle {
    /// Whether it stays until no more pods are started.
    pub fn is_held(&self) -> bool {
        match self {
            Self::Held | Self::RestartAlways { .. } => true,
            Self::For(_) | Self::CrashLoop { .. } => false,
        }
    }

    /// Whether containers that would end by themselves are ended with it.
    pub fn cuts_off(&self) -> bool {
        matches!(self, Self::RestartAlways { .. })
    }

    /// What tells it from others; nothing for one that goes at once.
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

/// A signal that ends a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Term,
}

impl Signal {
    /// Its number on Linux.
    pub fn number(self) -> u32 {
        match self {
            Self::Kill => 9,
            Self::Term => 15,
        }
    }

    /// The exit status of a process that it ended: 128 and the number, as shells have it.
    pub fn exit_status(self) -> u32 {
        128 + self.number()
    }
}

/// How a container ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By a signal.
    Signal(Signal),
    /// By itself.
    #[serde(alias = "crash")]
    Exit(Exit),
}

/// A container's end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "ExitForm")]
pub struct Exit {
    /// How long after it was started, in milliseconds.
    #[serde(rename = "after_ms", with = "millis")]
    pub after: Duration,
    /// Its exit code.
    pub code: u8,
}

/// What stands in a trace for an [`Exit`].
#[derive(Deserialize)]
#[serde(untagged)]
enum ExitForm {
    /// When all such containers ended with code 1.
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

/// Times in milliseconds.
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

/// The exit code of a container in a crash loop.
pub(super) const CRASHED: u8 = 1;

impl End {
    /// The exit status that it leads to.
    pub fn exit_status(self) -> u32 {
        match self {
            Self::Signal(signal) => signal.exit_status(),
            Self::Exit(exit) => u32::from(exit.code),
        }
    }

    /// The number of the signal; 0 if there is none.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Signal(signal) => signal.number(),
            Self::Exit(_) => 0,
        }
    }

    /// The annotations that tell the sandboxer so, keys and values; none for a signal.
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
