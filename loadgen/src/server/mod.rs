//! Servers under load: a sandboxer or node that is started for the run, or an existing
//! socket.

pub mod child;
pub mod containerd;
pub mod embedded;
pub mod endpoint;
mod error;
pub mod image;
pub mod node;
pub mod null;
mod target;

use std::path::PathBuf;
use std::time::Duration;

use containerd_sandbox::client;

use self::embedded::{Embedded, Stopped};
pub use self::error::ServerError;
use self::node::{Node, Programs};
pub use self::target::Target;
use crate::drive::driver::DriverKind;
use crate::process::program;
use crate::result::software::{CriVersion, Software};
use crate::stop::Stop;

/// A server that has replied to a call.
#[derive(Debug)]
pub enum Server {
    /// A sandboxer that was started for this run.
    Embedded(Embedded),
    /// A containerd and its sandboxer that were started for this run.
    Node(Box<Node>),
    /// A server at a given socket.
    Given {
        /// Path of the socket.
        socket: PathBuf,
        /// Role of its process in results.
        role: &'static str,
        /// Id of its process; `None` if it is not visible.
        pid: Option<u32>,
        /// Version of the runtime; `None` for a server that was not called over CRI.
        cri: Option<CriVersion>,
    },
}

/// A server before it is started or connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Path of a sandboxer to start.
    Sandboxer(PathBuf),
    /// Paths of a containerd and a sandboxer to start.
    Node(Programs),
    /// Path of a socket to connect to.
    Socket(PathBuf),
}

impl Source {
    /// Returns the server that the command line names.
    ///
    /// # Errors
    /// A program that is neither named nor found.
    pub fn of(target: &Target) -> Result<Self, ServerError> {
        if let Some(endpoint) = &target.endpoint {
            return Ok(Self::Socket(endpoint.clone().into()));
        }
        let sandboxer = embedded::find(target.sandboxer.as_deref())?;
        Ok(match target.driver {
            DriverKind::Ttrpc | DriverKind::Controller => Self::Sandboxer(sandboxer),
            DriverKind::Cri => Self::Node(Programs {
                containerd: containerd::find(target.containerd.as_deref())?,
                sandboxer,
            }),
        })
    }

    /// Starts the server, or connects to it. Returns when the server has replied to a
    /// call, which may take `timeout`, and can run pods.
    ///
    /// # Errors
    /// A server that cannot be started, or does not reply.
    pub fn open(
        self,
        target: &Target,
        timeout: Duration,
        stop: &Stop,
    ) -> Result<Server, ServerError> {
        match self {
            Self::Sandboxer(program) => {
                let embedded =
                    Embedded::start(program, &target.sandboxer_args, &target.namespace, stop)?;
                Ok(Server::Embedded(embedded))
            }
            Self::Node(programs) => {
                let node = Node::start(programs, &target.sandboxer_args, stop)?;
                Ok(Server::Node(Box::new(node)))
            }
            Self::Socket(socket) => given(socket, target, timeout, stop),
        }
    }
}

fn given(
    socket: PathBuf,
    target: &Target,
    timeout: Duration,
    stop: &Stop,
) -> Result<Server, ServerError> {
    let kind = target.driver;
    let found = endpoint::probe(kind, &socket, &target.namespace, timeout, stop);
    let peer = match found {
        Ok(peer) => peer,
        Err(source) => {
            return Err(ServerError::Endpoint {
                server: server_of(kind),
                socket,
                source,
            });
        }
    };
    if kind == DriverKind::Cri {
        endpoint::wait_on(stop, async {
            image::provide(client::channel(&socket).await?, &target.image).await
        })
        .map_err(|source| ServerError::Image {
            image: target.image.clone(),
            source,
        })?;
    }
    Ok(Server::Given {
        socket,
        role: server_of(kind),
        pid: peer.pid,
        cri: peer.cri,
    })
}

/// Returns the role of the server at a given socket.
fn server_of(kind: DriverKind) -> &'static str {
    match kind {
        DriverKind::Ttrpc | DriverKind::Controller => "sandboxer",
        DriverKind::Cri => "runtime",
    }
}

impl Server {
    /// Returns the path of the socket.
    pub fn socket(&self) -> PathBuf {
        match self {
            Self::Embedded(embedded) => embedded.socket(),
            Self::Node(node) => node.socket(),
            Self::Given { socket, .. } => socket.clone(),
        }
    }

    /// Returns the visible processes: their roles and process ids.
    pub fn processes(&self) -> Vec<(&'static str, u32)> {
        match self {
            Self::Embedded(embedded) => vec![("sandboxer", embedded.pid())],
            Self::Node(node) => node.processes().to_vec(),
            Self::Given { role, pid, .. } => pid.map(|pid| (*role, pid)).into_iter().collect(),
        }
    }

    /// Returns the programs under test.
    pub fn software(&self) -> Vec<Software> {
        let stated = |role| match self {
            Self::Node(node) if role == "containerd" => node.version(),
            Self::Given { cri, .. } => cri.as_ref(),
            Self::Embedded(_) | Self::Node(_) => None,
        };
        let of = |(role, pid): (&'static str, u32)| Software {
            role: role.to_owned(),
            path: program::path(pid).map(|path| path.display().to_string()),
            sha256: program::hash(pid),
            cri: stated(role).cloned(),
        };
        self.processes().into_iter().map(of).collect()
    }

    /// Ends a server that was started for this run; see [`Embedded::stop`] and
    /// [`Node::stop`].
    pub fn close(self, stop: &Stop, emptied: bool) -> Option<Stopped> {
        match self {
            Self::Embedded(embedded) => Some(embedded.stop(stop, emptied)),
            Self::Node(node) => Some(node.stop(stop, emptied)),
            Self::Given { .. } => None,
        }
    }
}
