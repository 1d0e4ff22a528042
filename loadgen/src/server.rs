//! The sandboxer under load: one's own, or somebody's.

use std::path::PathBuf;

use crate::cli::RunArgs;
use crate::embedded::{self, Embedded, Stopped};
use crate::endpoint;
use crate::error::RunError;
use crate::process::ProcessUsage;
use crate::stop::Stop;

/// A sandboxer that answers.
#[derive(Debug)]
pub enum Server {
    /// Started for this run.
    Embedded(Embedded),
    /// Listens at a given socket.
    Given {
        /// The socket.
        socket: PathBuf,
        /// Its process, if it can be told.
        pid: Option<u32>,
    },
}

/// Which sandboxer is going to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A program to start.
    Program(PathBuf),
    /// A socket to connect to.
    Socket(PathBuf),
}

impl Source {
    /// The one that the command line names.
    ///
    /// # Errors
    /// If none is named and none is found.
    pub fn of(args: &RunArgs) -> Result<Self, RunError> {
        Ok(match &args.endpoint {
            Some(endpoint) => Self::Socket(endpoint.0.clone()),
            None => Self::Program(embedded::find(args.sandboxer.as_deref())?),
        })
    }

    /// Starts it or connects to it; returns once it has answered a call.
    ///
    /// # Errors
    /// If it does not.
    pub fn open(self, args: &RunArgs, stop: &Stop) -> Result<Server, RunError> {
        match self {
            Self::Program(program) => {
                let embedded =
                    Embedded::start(program, &args.sandboxer_args, &args.namespace, stop)?;
                Ok(Server::Embedded(embedded))
            }
            Self::Socket(socket) => {
                match endpoint::probe(&socket, &args.namespace, args.timeout, stop) {
                    Ok(peer) => Ok(Server::Given {
                        socket,
                        pid: peer.pid,
                    }),
                    Err(source) => Err(RunError::Endpoint { socket, source }),
                }
            }
        }
    }
}

impl Server {
    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        match self {
            Self::Embedded(embedded) => embedded.socket(),
            Self::Given { socket, .. } => socket.clone(),
        }
    }

    /// What it has used so far, if it can be told.
    pub fn usage(&self) -> Option<ProcessUsage> {
        match self {
            Self::Embedded(embedded) => ProcessUsage::of(embedded.pid()),
            Self::Given { pid, .. } => (*pid).and_then(ProcessUsage::of),
        }
    }

    /// Ends it if it is one's own; see [`Embedded::stop`].
    pub fn close(self, stop: &Stop, emptied: bool) -> Option<Stopped> {
        match self {
            Self::Embedded(embedded) => Some(embedded.stop(stop, emptied)),
            Self::Given { .. } => None,
        }
    }
}
