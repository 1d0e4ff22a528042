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
pub mod profile;
pub mod subject;
pub mod supervisor;
mod target;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::client::{self, Cri};
use cri_api::v1::{CgroupDriver, RuntimeConfigRequest};
use otlp::Span;

use self::embedded::{Embedded, Stopped};
pub use self::error::ServerError;
use self::node::{Node, Programs};
pub use self::target::{Cni, Target};
use crate::drive::driver::{DriverKind, PodCgroups};
use crate::process::accounting::{Accounting, Counted};
use crate::process::cgroup::{Cgroup, OfOther};
use crate::process::cpu_time::CpuClock;
use crate::process::{program, tree};
use crate::result::software::{CriVersion, Software};
use crate::stop::Stop;
use crate::workload::runtime::HANDLER;

/// Shim of containerd that runs containers with runc, and with programs of its options.
const SHIM: &str = "containerd-shim-runc-v2";

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
        /// Cgroup of the process; `None` if it shares one with others, or is not visible.
        own_cgroup: Option<OfOther>,
        /// Place of the pods' cgroups.
        pod_cgroups: PodCgroups,
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
        let sandboxer = || embedded::find(target.sandboxer.as_deref());
        Ok(match target.driver {
            DriverKind::Ttrpc | DriverKind::Controller => Self::Sandboxer(sandboxer()?),
            DriverKind::Cri => Self::Node(Programs {
                containerd: containerd::find(target.containerd.as_deref())?,
                config: target.config.clone(),
                env: target.env.clone(),
                handlers: vec![target.runtime_handler.clone()],
                network: target.network,
                cni: target.cni.clone(),
                spans: target.spans.clone(),
                sandboxer: match &*target.runtime_handler {
                    HANDLER => Some(sandboxer()?),
                    _ => None,
                },
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
                let (args, namespace) = (&target.sandboxer_args, &target.namespace);
                let embedded = Embedded::start(&target.files, program, args, namespace, stop)?;
                Ok(Server::Embedded(embedded))
            }
            Self::Node(programs) => {
                let node = Node::start(&target.files, programs, &target.sandboxer_args, stop)?;
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
    let mut pod_cgroups = PodCgroups::Planned;
    if kind == DriverKind::Cri {
        endpoint::wait_on(stop, async {
            image::provide(client::channel(&socket).await?, &target.image).await
        })
        .map_err(|source| ServerError::Image {
            image: target.image.clone(),
            source,
        })?;
        pod_cgroups = pod_cgroups_of(target, &socket, stop);
    }
    Ok(Server::Given {
        socket,
        role: server_of(kind),
        pid: peer.pid,
        cri: peer.cri,
        own_cgroup: peer.pid.and_then(OfOther::of),
        pod_cgroups,
    })
}

/// Returns the place of the pods' cgroups on a running runtime, which states their driver.
fn pod_cgroups_of(target: &Target, socket: &Path, stop: &Stop) -> PodCgroups {
    if target.runtime_handler == HANDLER {
        return PodCgroups::Planned;
    }
    let config = endpoint::wait_on(stop, async {
        let cri = Cri::connect(socket).await?;
        cri.runtime_config(RuntimeConfigRequest::default()).await
    });
    // An older runtime has no such method, and most of these use cgroupfs.
    let driver = config.ok().and_then(|config| config.linux);
    let driver = driver.map_or(CgroupDriver::Cgroupfs, |linux| linux.cgroup_driver());
    match driver {
        CgroupDriver::Systemd => PodCgroups::Systemd,
        CgroupDriver::Cgroupfs => match Cgroup::create() {
            Ok(own) => PodCgroups::Own(Arc::new(own)),
            Err(_) => PodCgroups::Planned,
        },
    }
}

/// Returns a program that the containerd with this path finds: on PATH, or beside itself.
fn found(name: &str, containerd: Option<&str>) -> Option<Software> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let beside = containerd.and_then(|path| Path::new(path).parent());
    let places = std::env::split_paths(&path).chain(beside.map(Path::to_owned));
    let found = child::search(name, places)?;
    Some(Software {
        role: name.to_owned(),
        sha256: program::sha256(&found).ok(),
        path: Some(found.display().to_string()),
        cri: None,
        configuration: None,
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
            Self::Node(node) => node.processes(),
            Self::Given { role, pid, .. } => pid.map(|pid| (*role, pid)).into_iter().collect(),
        }
    }

    /// Returns the place of the pods' cgroups for a runtime handler.
    pub fn pod_cgroups(&self, handler: &str) -> PodCgroups {
        match self {
            Self::Embedded(_) => PodCgroups::Planned,
            Self::Node(node) => match node.cgroup() {
                Some(cgroup) if handler != HANDLER => PodCgroups::Own(Arc::clone(cgroup)),
                _ => PodCgroups::Planned,
            },
            Self::Given { pod_cgroups, .. } => pod_cgroups.clone(),
        }
    }

    /// Returns the CPU time of the server and all that it ran, in the best way that this machine
    /// permits; `None` if the server is not visible.
    pub fn counted(&self) -> Option<Counted> {
        match self {
            Self::Embedded(embedded) => Some(Counted {
                accounting: Accounting::Process,
                cpu: CpuClock::of(embedded.pid())?.now()?,
            }),
            // Not `counted_all`: a round of a gate asks again and again.
            Self::Node(node) => node.counted().next(),
            Self::Given { .. } => self.counted_all().into_iter().next(),
        }
    }

    /// Returns the CPU time of a runtime and all that it ran, in each way that this machine permits;
    /// none of a sandboxer, which runs no other process.
    pub fn counted_all(&self) -> Vec<Counted> {
        match self {
            Self::Embedded(_) | Self::Given { cri: None, .. } => Vec::new(),
            Self::Node(node) => node.counted().collect(),
            Self::Given {
                pid,
                own_cgroup,
                pod_cgroups,
                ..
            } => {
                let of_pods = match pod_cgroups {
                    PodCgroups::Own(cgroup) => cgroup.cpu(),
                    PodCgroups::Planned | PodCgroups::Systemd => None,
                };
                let (accounting, server) = match own_cgroup {
                    Some(own) => (Accounting::Cgroup, own.cpu()),
                    None => (Accounting::ProcessTree, pid.and_then(tree::cpu)),
                };
                let cpu = server.map(|server| server + of_pods.unwrap_or_default());
                cpu.map(|cpu| Counted { accounting, cpu })
                    .into_iter()
                    .collect()
            }
        }
    }

    /// Returns the debug socket of a started containerd; `None` of other servers.
    pub fn debug_socket(&self) -> Option<PathBuf> {
        match self {
            Self::Node(node) => Some(node.debug_socket()),
            Self::Embedded(_) | Self::Given { .. } => None,
        }
    }

    /// Returns the spans of the CNI plugins that were run so far; none unless spans are collected.
    pub fn cni_spans(&self) -> Vec<Span> {
        match self {
            Self::Node(node) => node.cni_spans(),
            Self::Embedded(_) | Self::Given { .. } => Vec::new(),
        }
    }

    /// Returns the programs under test: those of the processes, and below a started containerd
    /// those that run the containers of this handler.
    pub fn software(&self, handler: &str) -> Vec<Software> {
        let stated = |role| match self {
            Self::Node(node) if role == "containerd" => node.version(),
            Self::Given { cri, .. } => cri.as_ref(),
            Self::Embedded(_) | Self::Node(_) => None,
        };
        let configuration = |role| match self {
            Self::Node(node) if role == "containerd" => node.configuration(),
            _ => None,
        };
        let of = |(role, pid): (&'static str, u32)| Software {
            role: role.to_owned(),
            path: program::path(pid).map(|path| path.display().to_string()),
            sha256: program::hash(pid),
            cri: stated(role).cloned(),
            configuration: configuration(role),
        };
        let below = match self {
            Self::Node(_) if handler != HANDLER => vec![SHIM, handler],
            _ => Vec::new(),
        };
        let mut all: Vec<Software> = self.processes().into_iter().map(of).collect();
        let beside = all.iter().find(|one| one.role == "containerd");
        let beside = beside.and_then(|containerd| containerd.path.clone());
        let programs = below.into_iter();
        all.extend(programs.filter_map(|name| found(name, beside.as_deref())));
        all
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
