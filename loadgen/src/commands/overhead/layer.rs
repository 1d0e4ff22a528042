//! Layers that a plan runs at, with the servers of each.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::{SocketPath, client};
use serde::{Deserialize, Serialize};

use crate::drive::bundle::Bundles;
use crate::drive::driver::{
    AsContainerd, AsContainerdAt, CriAt, CriDriver, DriverKind, PodCgroups, TasksAt,
};
use crate::drive::engine::{EngineError, Load, Measured};
use crate::process::ProcessUsage;
use crate::record::operation::Operation;
use crate::record::tape::Counters;
use crate::server::embedded::{Embedded, Stopped};
use crate::server::endpoint;
use crate::server::image::{self, NAMESPACE};
use crate::server::node::{self, Node};
use crate::server::{Server, ServerError, Source, Target};
use crate::stop::Stop;
use crate::workload::runtime::{HANDLER, Network};

/// Layer between the load and the least possible server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// A sandboxer that does nothing, with the calls of containerd.
    Floor,
    /// The sandboxer, with the calls of containerd.
    Direct,
    /// The sandboxer over CRI, without containerd.
    Cri,
    /// The sandboxer through containerd, over CRI.
    Containerd,
    /// Real containers of this runtime handler through the same containerd.
    Handler(String),
    /// Containers of this runtime handler on a runtime that was running before.
    Endpoint(String),
}

impl Layer {
    /// Returns the name in tables.
    pub fn name(&self) -> String {
        match self {
            Self::Floor => "floor".to_owned(),
            Self::Direct => "direct".to_owned(),
            Self::Cri => "CRI direct".to_owned(),
            Self::Containerd => "containerd".to_owned(),
            Self::Handler(handler) => handler.clone(),
            Self::Endpoint(handler) if handler.is_empty() => "endpoint".to_owned(),
            Self::Endpoint(handler) => format!("endpoint, {handler}"),
        }
    }

    /// Returns the measured operations of the layer, in the order of a lifecycle.
    pub fn operations(&self) -> &'static [Operation] {
        match self {
            Self::Floor | Self::Direct => Operation::OF_CONTAINERD,
            Self::Cri | Self::Containerd | Self::Handler(_) | Self::Endpoint(_) => {
                Operation::OF_CRI
            }
        }
    }
}

/// Servers of all layers, all running, so that rounds can alternate. Only one layer
/// is under load at a time.
#[derive(Debug)]
pub struct Layers {
    floor: Embedded,
    direct: Embedded,
    cri: Embedded,
    /// `None` if this layer is left out.
    containerd: Option<Node>,
    /// Runtime handlers of real containers through that containerd.
    handlers: Vec<String>,
    /// A runtime that was running before, with the runtime handlers of its containers.
    endpoint: Option<(Server, Vec<String>)>,
}

/// Paths of the measured programs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Path of the sandboxer.
    pub sandboxer: PathBuf,
    /// Path of containerd; `None` if its layer is left out.
    pub containerd: Option<PathBuf>,
    /// Runtime handlers of real containers.
    pub handlers: Vec<String>,
    /// Socket of a running CRI runtime.
    pub endpoint: Option<SocketPath>,
}

impl Layers {
    /// Starts all servers, with their files below `files`, and connects to the running one.
    ///
    /// # Errors
    /// If one of the programs cannot be started, or the running one does not reply in
    /// `timeout`.
    pub fn start(
        files: &Path,
        programs: Programs,
        args: &[OsString],
        timeout: Duration,
        stop: &Stop,
    ) -> Result<Self, ServerError> {
        let Programs {
            sandboxer,
            containerd,
            handlers,
            endpoint,
        } = programs;
        let endpoint = endpoint.map(|socket| {
            let named = if handlers.is_empty() {
                vec![String::new()]
            } else {
                handlers.clone()
            };
            let target = Target {
                endpoint: Some(socket),
                runtime_handler: named[0].clone(),
                ..Target::new(DriverKind::Cri, files.to_owned())
            };
            let server = Source::of(&target)?.open(&target, timeout, stop)?;
            Ok::<_, ServerError>((server, named))
        });
        let endpoint = endpoint.transpose()?;
        let start = || Embedded::start(files, sandboxer.clone(), args, NAMESPACE, stop);
        let (direct, cri) = (start()?, start()?);
        endpoint::wait_on(stop, async {
            image::provide(client::channel(&cri.socket()).await?, image::NAME).await
        })
        .map_err(|source| ServerError::Image {
            image: image::NAME.to_owned(),
            source,
        })?;
        let handlers = match containerd {
            Some(_) => handlers,
            None => Vec::new(),
        };
        let node = |containerd| {
            let sandboxer = sandboxer.clone();
            let programs = node::Programs {
                containerd,
                config: None,
                env: Vec::new(),
                handlers: handlers.clone(),
                network: Network::Host,
                cni: None,
                spans: None,
                sandboxer: Some(sandboxer),
            };
            Node::start(files, programs, args, stop)
        };
        let containerd = containerd.map(node).transpose()?;
        Ok(Self {
            floor: Embedded::null(files, stop)?,
            direct,
            cri,
            handlers,
            containerd,
            endpoint,
        })
    }

    /// Returns the running layers, from the least to the most.
    pub fn present(&self) -> Vec<Layer> {
        let mut present = vec![Layer::Floor, Layer::Direct, Layer::Cri];
        present.extend(self.containerd.as_ref().map(|_| Layer::Containerd));
        present.extend(self.handlers.iter().cloned().map(Layer::Handler));
        let named = self.endpoint.iter().flat_map(|(_, handlers)| handlers);
        present.extend(named.cloned().map(Layer::Endpoint));
        present
    }

    /// Runs a load at one layer.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub fn run(
        &self,
        layer: &Layer,
        load: &Load,
        bundles: &Arc<Bundles>,
        stop: &Stop,
        counters: &[Arc<Counters>],
    ) -> Result<Measured, EngineError> {
        let at = |socket: PathBuf, must_state_resources| AsContainerdAt {
            tasks: TasksAt {
                socket,
                namespace: NAMESPACE.to_owned(),
                timeout: load.timeout,
                bundles: Arc::clone(bundles),
                must_state_resources,
            },
        };
        let over_cri = |socket: PathBuf| CriAt {
            socket,
            handler: HANDLER.to_owned(),
            image: image::NAME.to_owned(),
            sends_unified: true,
            network: Network::Host,
            cgroups: PodCgroups::Planned,
            timeout: load.timeout,
            must_state_resources: true,
        };
        let real = |socket: PathBuf, handler: &str, cgroups| CriAt {
            handler: handler.to_owned(),
            sends_unified: false,
            cgroups,
            must_state_resources: false,
            ..over_cri(socket)
        };
        match layer {
            Layer::Floor => {
                let at = at(self.floor.socket(), false);
                load.run::<AsContainerd>(&at, stop, counters, ())
            }
            Layer::Direct => {
                let at = at(self.direct.socket(), true);
                load.run::<AsContainerd>(&at, stop, counters, ())
            }
            Layer::Cri => load.run::<CriDriver>(&over_cri(self.cri.socket()), stop, counters, ()),
            Layer::Containerd => {
                let node = self.containerd.as_ref().map(Node::socket);
                let at = over_cri(node.unwrap_or_default());
                load.run::<CriDriver>(&at, stop, counters, ())
            }
            Layer::Handler(handler) => {
                let node = self.containerd.as_ref();
                let own = node.and_then(Node::cgroup).map(Arc::clone);
                let cgroups = own.map_or(PodCgroups::Planned, PodCgroups::Own);
                let at = real(node.map(Node::socket).unwrap_or_default(), handler, cgroups);
                load.run::<CriDriver>(&at, stop, counters, ())
            }
            Layer::Endpoint(handler) => {
                let server = self.endpoint.as_ref().map(|(server, _)| server);
                let cgroups = server.map(|server| server.pod_cgroups(handler));
                let at = real(
                    server.map(Server::socket).unwrap_or_default(),
                    handler,
                    cgroups.unwrap_or(PodCgroups::Planned),
                );
                load.run::<CriDriver>(&at, stop, counters, ())
            }
        }
    }

    /// Returns the usage of a layer's processes so far, this process last. That of `shims` is the
    /// CPU time of everything that containerd started.
    pub fn usage(&self, layer: &Layer) -> Vec<(&'static str, ProcessUsage)> {
        let (processes, all) = match layer {
            Layer::Floor => (vec![("null", self.floor.pid())], None),
            Layer::Direct => (vec![("sandboxer", self.direct.pid())], None),
            Layer::Cri => (vec![("sandboxer", self.cri.pid())], None),
            Layer::Containerd | Layer::Handler(_) => {
                let node = self.containerd.as_ref();
                let counted = node.and_then(|node| node.counted().next());
                (node.map_or_else(Vec::new, Node::processes), counted)
            }
            Layer::Endpoint(_) => {
                let server = self.endpoint.as_ref().map(|(server, _)| server);
                let pid = server.and_then(|server| Some(server.processes().first()?.1));
                let process = pid.map(|pid| ("containerd", pid));
                (
                    process.into_iter().collect(),
                    server.and_then(Server::counted),
                )
            }
        };
        let mut used: Vec<_> = processes
            .into_iter()
            .filter_map(|(role, pid)| Some((role, ProcessUsage::of(pid)?)))
            .collect();
        if let Some(all) = all {
            let daemons = used
                .iter()
                .map(|(_, usage)| usage.cpu_user_s + usage.cpu_system_s);
            let shims = all.cpu.as_secs_f64() - daemons.sum::<f64>();
            used.push(("shims", ProcessUsage::of_cpu(shims.max(0.0))));
        }
        used.extend(ProcessUsage::of_self().map(|usage| ("loadgen", usage)));
        used
    }

    /// Stops all servers. The kept log is that of the sandboxer behind containerd, or
    /// without containerd that of the layer `cri`.
    pub fn close(self, stop: &Stop, emptied: bool) -> Stopped {
        let (mut stopped, others) = match self.containerd {
            Some(node) => {
                let others = vec![self.cri, self.direct, self.floor];
                (node.stop(stop, emptied), others)
            }
            None => {
                let others = vec![self.direct, self.floor];
                (self.cri.stop(stop, emptied), others)
            }
        };
        for other in others {
            stopped
                .complaints
                .extend(other.stop(stop, emptied).complaints);
        }
        stopped
    }
}
