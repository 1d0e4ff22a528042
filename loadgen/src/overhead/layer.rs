//! The layers that a plan is run at, and what serves each.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bundle::Bundles;
use crate::containerd::HANDLER;
use crate::door::{AsContainerd, AsContainerdAt, CriAt, CriDoor, TasksAt};
use crate::embedded::{Embedded, Stopped};
use crate::engine::{Load, Measured};
use crate::error::{EngineError, RunError};
use crate::image::{self, NAMESPACE};
use crate::node::{Node, Programs};
use crate::operation::Operation;
use crate::process::ProcessUsage;
use crate::stop::Stop;
use crate::tape::Counters;

/// How much stands between the load and the least that it can cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// A sandboxer that does nothing, called as containerd calls one.
    Floor,
    /// The sandboxer, called as containerd calls it.
    Direct,
    /// The sandboxer through containerd, over CRI.
    Containerd,
}

impl Layer {
    /// From the least to the most.
    pub const ALL: [Self; 3] = [Self::Floor, Self::Direct, Self::Containerd];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Direct => "direct",
            Self::Containerd => "containerd",
        }
    }

    /// What is measured at it, in the order of a lifecycle.
    pub fn operations(self) -> &'static [Operation] {
        match self {
            Self::Floor | Self::Direct => Operation::OF_CONTAINERD,
            Self::Containerd => Operation::OF_CRI,
        }
    }
}

/// All that the layers need, at once, so that rounds can alternate. What is not
/// under load is idle.
#[derive(Debug)]
pub struct Layers {
    floor: Embedded,
    direct: Embedded,
    containerd: Node,
}

impl Layers {
    /// Starts everything.
    ///
    /// # Errors
    /// If one of the programs cannot be started.
    pub fn start(programs: Programs, args: &[OsString], stop: &Stop) -> Result<Self, RunError> {
        Ok(Self {
            floor: Embedded::null(stop)?,
            direct: Embedded::start(programs.sandboxer.clone(), args, NAMESPACE, stop)?,
            containerd: Node::start(programs, args, stop)?,
        })
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
        match layer {
            Layer::Floor => {
                let at = at(self.floor.socket(), false);
                load.run::<AsContainerd>(&at, stop, counters, ())
            }
            Layer::Direct => {
                let at = at(self.direct.socket(), true);
                load.run::<AsContainerd>(&at, stop, counters, ())
            }
            Layer::Containerd => {
                let at = CriAt {
                    socket: self.containerd.socket(),
                    handler: HANDLER.to_owned(),
                    image: image::NAME.to_owned(),
                    timeout: load.timeout,
                    must_state_resources: true,
                };
                load.run::<CriDoor>(&at, stop, counters, ())
            }
        }
    }

    /// What a layer's processes have used so far, this one last.
    pub fn usage(&self, layer: Layer) -> Vec<(&'static str, ProcessUsage)> {
        let processes = match layer {
            Layer::Floor => vec![("null", self.floor.pid())],
            Layer::Direct => vec![("sandboxer", self.direct.pid())],
            Layer::Containerd => self.containerd.processes().to_vec(),
        };
        let own = ProcessUsage::of_self().map(|usage| ("loadgen", usage));
        processes
            .into_iter()
            .filter_map(|(role, pid)| Some((role, ProcessUsage::of(pid)?)))
            .chain(own)
            .collect()
    }

    /// Ends everything; what is left is the log of what ran behind containerd.
    pub fn close(self, stop: &Stop, emptied: bool) -> Stopped {
        let mut stopped = self.containerd.stop(stop, emptied);
        for other in [self.direct, self.floor] {
            stopped
                .complaints
                .extend(other.stop(stop, emptied).complaints);
        }
        stopped
    }
}
