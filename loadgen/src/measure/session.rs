//! Something to load, and the loads that are put on it.

use std::path::Path;
use std::sync::Arc;

use crate::commands::cli::TargetArgs;
use crate::commands::error::{BundleError, EngineError, RunError};
use crate::connection::{ControllerTarget, TtrpcTarget};
use crate::drive::bundle::Bundles;
use crate::drive::driver::{CriAt, CriDoor, Kind, Tasks, TasksAt};
use crate::drive::engine::{Load, Measured, Observer};
use crate::process::sampler::Process;
use crate::record::tape::Counters;
use crate::server::containerd::HANDLER;
use crate::result;
use crate::server::embedded::Stopped;
use crate::server::image::NAMESPACE;
use crate::server::{Server, Source};
use crate::show::progress::{Preparing, Style};
use crate::stop::Stop;
use crate::workload::plan::{self, Summary};
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
    args: &'a TargetArgs,
    source: Source,
    server: Server,
    stop: &'a Stop,
}

/// Writes what the pods of a load need, and hashes its plan on the way.
///
/// # Errors
/// See [`BundleError`].
pub fn prepare(
    args: &TargetArgs,
    load: &Load,
    stop: &Stop,
    style: Style,
) -> Result<Prepared, BundleError> {
    let pods = load.pods();
    if args.target == Kind::Cri {
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

fn setup(args: &TargetArgs, source: &Source, workload: &Workload, load: &Load) -> result::Scenario {
    let shown = |path: &Path| path.display().to_string();
    let over_cri = args.target == Kind::Cri;
    result::Scenario {
        target: args.target.to_string(),
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
        runtime_handler: over_cri.then(|| args.runtime_handler.clone()),
        image: over_cri.then(|| args.image.clone()),
        sandboxer_args: args
            .sandboxer_args
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect(),
        namespace: if over_cri {
            NAMESPACE.to_owned()
        } else {
            args.namespace.clone()
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
        args: &'a TargetArgs,
        load: &Load,
        stop: &'a Stop,
    ) -> Result<Self, RunError> {
        let server = source.clone().open(args, load.timeout, stop)?;
        Ok(Self {
            args,
            source,
            server,
            stop,
        })
    }

    /// Runs a load through the door that was asked for.
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
                handler: self.args.runtime_handler.clone(),
                image: self.args.image.clone(),
                timeout: load.timeout,
                sends_unified: self.args.runtime_handler == HANDLER,
                must_state_resources: matches!(self.server, Server::Node(_)),
            };
            return load.run::<CriDoor>(&at, self.stop, counters, observer);
        };
        let at = TasksAt {
            socket,
            namespace: self.args.namespace.clone(),
            timeout: load.timeout,
            bundles: Arc::clone(bundles),
            must_state_resources: matches!(self.server, Server::Embedded(_)),
        };
        match self.args.target {
            Kind::Ttrpc | Kind::Cri => {
                load.run::<Tasks<TtrpcTarget>>(&at, self.stop, counters, observer)
            }
            Kind::Controller => {
                load.run::<Tasks<ControllerTarget>>(&at, self.stop, counters, observer)
            }
        }
    }

    /// What is asked for, as results hold it.
    pub fn setup(&self, workload: &Workload, load: &Load) -> result::Scenario {
        setup(self.args, &self.source, workload, load)
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
