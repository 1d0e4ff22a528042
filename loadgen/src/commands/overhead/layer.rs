//! Layers that a plan runs at, with the servers of each.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use containerd_sandbox::client;
use serde::{Deserialize, Serialize};

use crate::drive::bundle::Bundles;
use crate::drive::driver::{AsContainerd, AsContainerdAt, CriAt, CriDriver, TasksAt};
use crate::drive::engine::{EngineError, Load, Measured};
use crate::process::ProcessUsage;
use crate::record::operation::Operation;
use crate::record::tape::Counters;
use crate::server::ServerError;
use crate::server::embedded::{Embedded, Stopped};
use crate::server::endpoint;
use crate::server::image::{self, NAMESPACE};
use crate::server::node::{self, Node};
use crate::stop::Stop;
use crate::workload::runtime::HANDLER;

/// Layer between the load and the least possible server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
}

impl Layer {
    /// All layers, from the least to the most.
    pub const ALL: [Self; 4] = [Self::Floor, Self::Direct, Self::Cri, Self::Containerd];

    /// Returns the name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Direct => "direct",
            Self::Cri => "CRI direct",
            Self::Containerd => "containerd",
        }
    }

    /// Returns the measured operations of the layer, in the order of a lifecycle.
    pub fn operations(self) -> &'static [Operation] {
        match self {
            Self::Floor | Self::Direct => Operation::OF_CONTAINERD,
            Self::Cri | Self::Containerd => Operation::OF_CRI,
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
}

/// Paths of the measured programs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Path of the sandboxer.
    pub sandboxer: PathBuf,
    /// Path of containerd; `None` if its layer is left out.
    pub containerd: Option<PathBuf>,
}

impl Layers {
    /// Starts all servers.
    ///
    /// # Errors
    /// If one of the programs cannot be started.
    pub fn start(programs: Programs, args: &[OsString], stop: &Stop) -> Result<Self, ServerError> {
        let Programs {
            sandboxer,
            containerd,
        } = programs;
        let start = || Embedded::start(sandboxer.clone(), args, NAMESPACE, stop);
        let (direct, cri) = (start()?, start()?);
        endpoint::wait_on(stop, async {
            image::provide(client::channel(&cri.socket()).await?, image::NAME).await
        })
        .map_err(|source| ServerError::Image {
            image: image::NAME.to_owned(),
            source,
        })?;
        let node = |containerd| {
            let sandboxer = sandboxer.clone();
            let programs = node::Programs {
                containerd,
                sandboxer,
            };
            Node::start(programs, args, stop)
        };
        Ok(Self {
            floor: Embedded::null(stop)?,
            direct,
            cri,
            containerd: containerd.map(node).transpose()?,
        })
    }

    /// Returns the running layers, from the least to the most.
    pub fn present(&self) -> Vec<Layer> {
        let there = |layer: &Layer| *layer != Layer::Containerd || self.containerd.is_some();
        Layer::ALL.into_iter().filter(there).collect()
    }

    /// Runs a load at one layer.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub fn run(
        &self,
        layer: Layer,
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
            timeout: load.timeout,
            must_state_resources: true,
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
        }
    }

    /// Returns the usage of a layer's processes so far, this process last.
    pub fn usage(&self, layer: Layer) -> Vec<(&'static str, ProcessUsage)> {
        let processes = match layer {
            Layer::Floor => vec![("null", self.floor.pid())],
            Layer::Direct => vec![("sandboxer", self.direct.pid())],
            Layer::Cri => vec![("sandboxer", self.cri.pid())],
            Layer::Containerd => {
                let node = self.containerd.as_ref();
                node.map_or_else(Vec::new, |node| node.processes().to_vec())
            }
        };
        let own = ProcessUsage::of_self().map(|usage| ("loadgen", usage));
        processes
            .into_iter()
            .filter_map(|(role, pid)| Some((role, ProcessUsage::of(pid)?)))
            .chain(own)
            .collect()
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
