//! What is under load: one's own sandboxer, one's own node, or somebody's socket.

pub mod child;
pub mod containerd;
pub mod embedded;
pub mod endpoint;
pub mod image;
pub mod node;
pub mod null;

use std::path::PathBuf;
use std::time::Duration;

use containerd_sandbox::client;

use self::embedded::{Embedded, Stopped};
use self::node::{Node, Programs};
use crate::commands::cli::TargetArgs;
use crate::commands::error::RunError;
use crate::drive::driver::Kind;
use crate::stop::Stop;

/// Something that answers.
#[derive(Debug)]
pub enum Server {
    /// A sandboxer, started for this run.
    Embedded(Embedded),
    /// A containerd and its sandboxer, started for this run.
    Node(Box<Node>),
    /// Listens at a given socket.
    Given {
        /// The socket.
        socket: PathBuf,
        /// What its process is.
        role: &'static str,
        /// Its process, if it can be told.
        pid: Option<u32>,
    },
}

/// What is going to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A sandboxer to start.
    Sandboxer(PathBuf),
    /// A containerd and a sandboxer to start.
    Node(Programs),
    /// A socket to connect to.
    Socket(PathBuf),
}

impl Source {
    /// The one that the command line names.
    ///
    /// # Errors
    /// If none is named and none is found.
    pub fn of(args: &TargetArgs) -> Result<Self, RunError> {
        if let Some(endpoint) = &args.endpoint {
            return Ok(Self::Socket(endpoint.0.clone()));
        }
        let sandboxer = embedded::find(args.sandboxer.as_deref())?;
        Ok(match args.target {
            Kind::Ttrpc | Kind::Controller => Self::Sandboxer(sandboxer),
            Kind::Cri => Self::Node(Programs {
                containerd: containerd::find(args.containerd.as_deref())?,
                sandboxer,
            }),
        })
    }

    /// Starts it or connects to it; returns once it has answered a call, which may
    /// take `timeout`, and can run pods.
    ///
    /// # Errors
    /// If it does not.
    pub fn open(
        self,
        args: &TargetArgs,
        timeout: Duration,
        stop: &Stop,
    ) -> Result<Server, RunError> {
        match self {
            Self::Sandboxer(program) => {
                let embedded =
                    Embedded::start(program, &args.sandboxer_args, &args.namespace, stop)?;
                Ok(Server::Embedded(embedded))
            }
            Self::Node(programs) => {
                let node = Node::start(programs, &args.sandboxer_args, stop)?;
                Ok(Server::Node(Box::new(node)))
            }
            Self::Socket(socket) => given(socket, args, timeout, stop),
        }
    }
}

fn given(
    socket: PathBuf,
    args: &TargetArgs,
    timeout: Duration,
    stop: &Stop,
) -> Result<Server, RunError> {
    let kind = args.target;
    let found = endpoint::probe(kind, &socket, &args.namespace, timeout, stop);
    let pid = match found {
        Ok(peer) => peer.pid,
        Err(source) => {
            return Err(RunError::Endpoint {
                server: server_of(kind),
                socket,
                source,
            });
        }
    };
    if kind == Kind::Cri {
        endpoint::wait_on(stop, async {
            image::provide(client::channel(&socket).await?, &args.image).await
        })
        .map_err(|source| RunError::Image {
            image: args.image.clone(),
            source,
        })?;
    }
    Ok(Server::Given {
        socket,
        role: server_of(kind),
        pid,
    })
}

/// Who listens at a given socket.
fn server_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Ttrpc | Kind::Controller => "sandboxer",
        Kind::Cri => "runtime",
    }
}

impl Server {
    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        match self {
            Self::Embedded(embedded) => embedded.socket(),
            Self::Node(node) => node.socket(),
            Self::Given { socket, .. } => socket.clone(),
        }
    }

    /// Its processes, as far as they are known: what they are, and their pids.
    pub fn processes(&self) -> Vec<(&'static str, u32)> {
        match self {
            Self::Embedded(embedded) => vec![("sandboxer", embedded.pid())],
            Self::Node(node) => node.processes().to_vec(),
            Self::Given { role, pid, .. } => pid.map(|pid| (*role, pid)).into_iter().collect(),
        }
    }

    /// Ends it if it is one's own; see [`Embedded::stop`] and [`Node::stop`].
    pub fn close(self, stop: &Stop, emptied: bool) -> Option<Stopped> {
        match self {
            Self::Embedded(embedded) => Some(embedded.stop(stop, emptied)),
            Self::Node(node) => Some(node.stop(stop, emptied)),
            Self::Given { .. } => None,
        }
    }
}
