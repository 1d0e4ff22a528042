//! Something to load, and the loads that are put on it.

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
use crate::server::ServerError;
use crate::server::embedded::Stopped;
use crate::server::image::NAMESPACE;
use crate::server::{Server, Source, Target};
use crate::show::progress::{Preparing, Style};
use crate::stop::Stop;
use crate::workload::plan::{self, Summary};
use crate::workload::runtime::HANDLER;
use crate::workload::scenario::Scenario;

/// What a load is made of, as results hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// The scenario's name.
    pub name: String,
    /// The whole of it.
    pub document: String,
    /// Where everything random comes from.
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

/// What a load needs before its clock starts.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The plan in two numbers.
    pub summary: Summary,
    /// Of the tasks; over CRI the runtime writes them.
    bundles: Option<Arc<Bundles>>,
}

/// Something that answers, and how it is called.
#[derive(Debug)]
pub struct Session<'a> {
    target: &'a Target,
    source: Source,
    server: Server,
    stop: &'a Stop,
}

/// Writes what the pods of a load need, and hashes its plan on the way.
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
    if target.driver == DriverKind::Cri {
        return Ok(Prepared {
            summary: plan::summary(&load.plan, pods).map_err(BundleError::Encode)?,
            bundles: None,
        });
    }
    let preparing = Preparing::new(style, pods);
    let bundles = Bundles::write(&load.plan, pods, stop, |pods| preparing.done(pods))?;
    Ok(Prepared {
        summary: bundles.summary(),
        bundles: Some(Arc::new(bundles)),
    })
}

fn setup(target: &Target, source: &Source, workload: &Workload, load: &Load) -> result::Scenario {
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
            Source::Node(programs) => Some(shown(&programs.sandboxer)),
        },
        containerd: match source {
            Source::Socket(_) | Source::Sandboxer(_) => None,
            Source::Node(programs) => Some(shown(&programs.containerd)),
        },
        runtime_handler: over_cri.then(|| target.runtime_handler.clone()),
        image: over_cri.then(|| target.image.clone()),
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
        connections: load.connections,
        threads: load.threads,
        timeout_s: load.timeout.as_secs_f64(),
    }
}

impl<'a> Session<'a> {
    /// Starts or finds what is to be loaded.
    ///
    /// # Errors
    /// If it does not answer.
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

    /// Runs a load through the driver that was asked for.
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
                must_state_resources: matches!(self.server, Server::Node(_)),
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

    /// Returns the target that the session was opened for.
    pub fn target(&self) -> &Target {
        self.target
    }

    /// What is asked for, as results hold it.
    pub fn setup(&self, workload: &Workload, load: &Load) -> result::Scenario {
        setup(self.target, &self.source, workload, load)
    }

    /// The processes under test, this one last.
    pub fn processes(&self) -> Vec<Process> {
        let own = [("loadgen", std::process::id())];
        self.server.processes().into_iter().chain(own).collect()
    }

    /// Ends what was started; `emptied` says whether nothing should be left in it.
    pub fn close(self, emptied: bool) -> Option<Stopped> {
        self.server.close(self.stop, emptied)
    }
}
