//! What can keep a run from happening.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use containerd_sandbox::Code;

/// The bundles could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A stop was asked for meanwhile.
    #[error("interrupted before the load began")]
    Interrupted,
    /// A spec could not be encoded.
    #[error("encode config.json")]
    Encode(#[source] serde_json::Error),
    /// There is not enough room for them.
    #[error(
        "the bundles of {bundles} containers need up to {} MiB and as many inodes twice, which \
         {} does not have; run fewer pods, or set TMPDIR to a file system with more room",
        bytes >> 20, dir.display()
    )]
    NoRoom {
        /// How many there may be.
        bundles: u64,
        /// What they may take, in bytes.
        bytes: u64,
        /// The directory that would have held them.
        dir: PathBuf,
    },
    /// The file system says no.
    #[error("write {}", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The load could not be run to an end.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A second stop was asked for.
    #[error("aborted: nothing was saved, and what was created may be left behind")]
    Aborted,
    /// No connection.
    #[error(transparent)]
    Connect(#[from] containerd_sandbox::Error),
    /// No thread or no runtime for it.
    #[error("start a load thread")]
    Thread(#[source] io::Error),
    /// A bug in this program.
    #[error("a load thread panicked, which is a bug in loadgen")]
    Panicked,
}

/// The embedded sandboxer could not be started.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// There is no such program.
    #[error(
        "cannot find {program} beside loadgen or on PATH; build it with \
         `cargo build --release -p sandboxer`, or say where it is with --sandboxer PATH, \
         or load a running sandboxer with --endpoint SOCKET"
    )]
    NotFound {
        /// Its name.
        program: &'static str,
    },
    /// It cannot be run.
    #[error("start the sandboxer {}", program.display())]
    Spawn {
        /// Its path.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its private directory cannot be made.
    #[error("make a private directory for the sandboxer")]
    Directory(#[source] io::Error),
    /// It ended before it answered.
    #[error("the sandboxer {} ended ({status}) before it answered{log}", program.display())]
    Died {
        /// Its path.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log, on lines of its own.
        log: String,
    },
    /// It runs and does not answer.
    #[error("the sandboxer {} did not answer within {seconds} s: {reason}{log}", program.display())]
    Silent {
        /// Its path.
        program: PathBuf,
        /// How long it was given.
        seconds: u64,
        /// What the last attempt said.
        reason: containerd_sandbox::Error,
        /// The end of its log, on lines of its own.
        log: String,
    },
    /// A stop was asked for meanwhile.
    #[error("interrupted before the load began")]
    Interrupted,
}

/// A result could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("save the result as {}", path.display())]
pub struct SaveError {
    /// The file or directory.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// See [`BundleError`].
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// See [`EmbeddedError`].
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// See [`EngineError`].
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// See [`SaveError`].
    #[error(transparent)]
    Save(#[from] SaveError),
    /// Nobody answers at the given endpoint.
    #[error("no sandboxer answers at {}", socket.display())]
    Endpoint {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        #[source]
        source: containerd_sandbox::Error,
    },
    /// The result cannot be printed.
    #[error("print the result")]
    Print(#[from] io::Error),
    /// Signals cannot be caught.
    #[error("listen for signals")]
    Signals(#[source] io::Error),
}

impl RunError {
    /// Whether somebody asked for it.
    pub fn is_interruption(&self) -> bool {
        matches!(
            self,
            Self::Bundle(BundleError::Interrupted)
                | Self::Embedded(EmbeddedError::Interrupted)
                | Self::Engine(EngineError::Aborted)
        ) || matches!(self, Self::Endpoint { source, .. } if source.code() == Code::Cancelled)
    }
}
