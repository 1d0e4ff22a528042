//! A server to load, and the loads that are run on it.

use std::path::Path;
use std::sync::Arc;

use crate::connection::{ControllerConnection, TtrpcConnection};
use crate::drive::bundle::BundleError;
use crate::drive::bundle::Bundles;
use crate::drive::driver::{CriAt, CriDriver, DriverKind, Tasks, TasksAt};
use crate::drive::engine::EngineError;
use crate::drive::engine::{Load, Measured, Observer};
use crate::process::sampler::Process;
use crate::record::tape::Counters;
use crate::result;
use crate::result::software::Software;
use crate::server::ServerError;
use crate::server::embedded::Stopped;
use crate::server::image::NAMESPACE;
use crate::server::{Server, Source, Target};
use crate::show::progress::{Preparing, Style};
use crate::stop::Stop;
use crate::workload::plan::{self, Plan, Summary};
use crate::workload::runtime::HANDLER;
use crate::workload::scenario::Scenario;

/// Identity of a load in results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Name of the scenario.
    pub name: String,
    /// Whole scenario, as TOML.
    pub document: String,
    /// Seed of all random values.
    pub seed: u64,
}

impl From<&Scenario> for Workload {
    fn from(scenario: &Scenario) -> Self {
        Self {
            name: scenario.name.clone(),
            document: scenario.to_string(),
            seed: scenario.seed,
        }
    }
}

/// Preparations that a load needs before its clock starts.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Summary of the plan.
    pub summary: Summary,
    /// Bundles of the tasks; `None` over CRI, where the runtime writes them.
    bundles: Option<Arc<Bundles>>,
}

/// A server that has replied to a call, and the way to call it.
#[derive(Debug)]
pub struct Session<'a> {
    target: &'a Target,
    source: Source,
    server: Server,
    stop: &'a Stop,
}

/// Writes the bundles of the pods of a load, and hashes its plan at the same time.
///
/// # Errors
/// See [`BundleError`].
pub fn prepare(
    target: &Target,
    load: &Load,
    stop: &Stop,
    style: Style,
) -> Result<Prepared, BundleError> {
    let pods = load.pods();
    let summary = |plan: &Plan, pods| plan::summary(plan, pods).map_err(BundleError::Encode);
    let mut prepared = if target.driver == DriverKind::Cri {
        Prepared {
            summary: summary(&load.plan, pods)?,
            bundles: None,
        }
    } else {
        let preparing = Preparing::new(style, pods);
        let bundles = Bundles::write(&load.plan, pods, stop, |pods| preparing.done(pods))?;
        Prepared {
            summary: bundles.summary(),
            bundles: Some(Arc::new(bundles)),
        }
    };
    // All parts have the hash of the whole plan.
    if let Some(of) = &load.part {
        prepared.summary.hash = summary(&load.plan.whole(), of.pods)?.hash;
    }
    Ok(prepared)
}

fn setup(
    target: &Target,
    source: &Source,
    software: Vec<Software>,
    workload: &Workload,
    load: &Load,
) -> result::Scenario {
    let shown = |path: &Path| path.display().to_string();
    let over_cri = target.driver == DriverKind::Cri;
    result::Scenario {
        target: target.driver.to_string(),
        endpoint: match source {
            Source::Socket(socket) => Some(shown(socket)),
            Source::Sandboxer(_) | Source::Node(_) => None,
        },
        sandboxer: match source {
            Source::Socket(_) => None,
            Source::Sandboxer(program) => Some(shown(program)),
            Source::Node(programs) => programs.sandboxer.as_deref().map(shown),
        },
        containerd: match source {
            Source::Socket(_) | Source::Sandboxer(_) => None,
            Source::Node(programs) => Some(shown(&programs.containerd)),
        },
        runtime_handler: over_cri.then(|| target.runtime_handler.clone()),
        image: over_cri.then(|| target.image.clone()),
        network: over_cri.then_some(target.network),
        software,
        sandboxer_args: target
            .sandboxer_args
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect(),
        namespace: if over_cri {
            NAMESPACE.to_owned()
        } else {
            target.namespace.clone()
        },
        name: workload.name.clone(),
        document: workload.document.clone(),
        seed: workload.seed,
        pods: load.pods(),
        part: load.part.map(|of| of.part),
        connections: load.connections,
        threads: load.threads,
        timeout_s: load.timeout.as_secs_f64(),
    }
}

impl<'a> Session<'a> {
    /// Starts the server to load, or connects to it.
    ///
    /// # Errors
    /// A server that cannot be started, or does not reply.
    pub fn open(
        source: Source,
        target: &'a Target,
        load: &Load,
        stop: &'a Stop,
    ) -> Result<Self, ServerError> {
        let server = source.clone().open(target, load.timeout, stop)?;
        Ok(Self {
            target,
            source,
            server,
            stop,
        })
    }

    /// Runs a load with the driver of the target.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub fn run(
        &self,
        load: &Load,
        prepared: &Prepared,
        counters: &[Arc<Counters>],
        observer: impl Observer,
    ) -> Result<Measured, EngineError> {
        let socket = self.server.socket();
        let Some(bundles) = &prepared.bundles else {
            let at = CriAt {
                socket,
                handler: self.target.runtime_handler.clone(),
                image: self.target.image.clone(),
                timeout: load.timeout,
                sends_unified: self.target.runtime_handler == HANDLER,
                network: self.target.network,
                cgroups: self.server.pod_cgroups(&self.target.runtime_handler),
                must_state_resources: matches!(self.server, Server::Node(_))
                    && self.target.runtime_handler == HANDLER,
            };
            return load.run::<CriDriver>(&at, self.stop, counters, observer);
        };
        let at = TasksAt {
            socket,
            namespace: self.target.namespace.clone(),
            timeout: load.timeout,
            bundles: Arc::clone(bundles),
            must_state_resources: matches!(self.server, Server::Embedded(_)),
        };
        match self.target.driver {
            DriverKind::Ttrpc | DriverKind::Cri => {
                load.run::<Tasks<TtrpcConnection>>(&at, self.stop, counters, observer)
            }
            DriverKind::Controller => {
                load.run::<Tasks<ControllerConnection>>(&at, self.stop, counters, observer)
            }
        }
    }

    /// Returns the target of the session.
    pub fn target(&self) -> &Target {
        self.target
    }

    /// Returns the parameters of a run in the form of a result.
    pub fn setup(&self, workload: &Workload, load: &Load) -> result::Scenario {
        let software = self.server.software(&self.target.runtime_handler);
        setup(self.target, &self.source, software, workload, load)
    }

    /// Returns the server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Returns the processes under test, with this one last.
    pub fn processes(&self) -> Vec<Process> {
        let own = [("loadgen", std::process::id())];
        self.server.processes().into_iter().chain(own).collect()
    }

    /// Ends the servers that were started. With `emptied`, their remaining objects are
    /// complaints.
    pub fn close(self, emptied: bool) -> Option<Stopped> {
        self.server.close(self.stop, emptied)
    }
}
