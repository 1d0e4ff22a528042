//! Spans of pods through containerd: a load of its own, on a containerd that is started for it.

use std::ffi::OsString;
use std::path::Path;

use super::layer::{Layer, Programs};
use super::measure::{WARM_UP_PODS, one_by_one};
use super::result::LayerSpans;
use crate::commands::error::RunError;
use crate::drive::driver::DriverKind;
use crate::drive::engine::{Load, Measured};
use crate::measure::session::{self, Session};
use crate::measure::traced::Traced;
use crate::record::recorder::Recorder;
use crate::server::{Source, Target};
use crate::show::progress::Style;
use crate::spans::Collector;
use crate::stop::Stop;
use crate::workload::runtime::HANDLER;

/// Spans of all layers, and the problems of their loads.
#[derive(Debug, Default)]
pub struct Found {
    /// Spans by layer.
    pub layers: Vec<LayerSpans>,
    /// Errors of the loads.
    pub problems: Recorder,
    /// Complaints about the ends of the servers.
    pub complaints: Vec<String>,
}

/// Servers and load of the spans.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Directory below which the servers keep their files.
    pub files: &'a Path,
    /// Programs of the servers, with a containerd.
    pub programs: &'a Programs,
    /// Arguments of the sandboxer.
    pub args: &'a [OsString],
    /// Load of a round.
    pub load: &'a Load,
    /// Seed of the intervals.
    pub seed: u64,
    /// Request to stop.
    pub stop: &'a Stop,
    /// Style of progress output.
    pub style: Style,
}

impl Asked<'_> {
    /// Runs a load with spans at each layer through containerd, or at fewer after a requested stop.
    ///
    /// # Errors
    /// A server that cannot be started, or a load that cannot be run.
    pub fn run(&self) -> Result<Found, RunError> {
        let mut found = Found::default();
        let own = [(Layer::Containerd, HANDLER.to_owned())];
        let others = self.programs.handlers.iter();
        let others = others.map(|handler| (Layer::Handler(handler.clone()), handler.clone()));
        for (layer, handler) in own.into_iter().chain(others) {
            if self.stop.requested() {
                break;
            }
            self.style.say(&format!("Spans: {}", layer.name()));
            self.layer(layer, handler, &mut found)?;
        }
        Ok(found)
    }

    fn layer(&self, layer: Layer, handler: String, found: &mut Found) -> Result<(), RunError> {
        let collector = Collector::start().map_err(RunError::Spans)?;
        let target = Target {
            runtime_handler: handler,
            containerd: self.programs.containerd.clone(),
            sandboxer: Some(self.programs.sandboxer.clone()),
            sandboxer_args: self.args.to_vec(),
            spans: Some(collector.endpoint()),
            ..Target::new(DriverKind::Cri, self.files.to_owned())
        };
        let traced = Traced::new(&collector, self.load);
        let source = Source::of(&target)?;
        let session = Session::open(source, &target, &traced.load, self.stop)?;
        let prepared = session::prepare(&target, &traced.load, self.stop, Style::Silent)?;
        let warm_up = Load {
            shape: one_by_one(WARM_UP_PODS.min(self.load.pods())),
            spans: None,
            ..self.load.clone()
        };
        let run = |load: &Load| session.run(load, &prepared, &load.counters(), ());
        let (warm_up, measured) = (run(&warm_up)?, run(&traced.load)?);
        let of_cni = traced.settle(&session);
        let loads: [Measured; 2] = [warm_up, measured];
        let emptied = loads
            .iter()
            .all(|load| !load.lost && load.recorder.left_behind() == 0);
        if let Some(stopped) = session.close(emptied) {
            found.complaints.extend(stopped.complaints);
        }
        for load in &loads {
            found.problems.merge(&load.recorder);
        }
        found.layers.push(LayerSpans {
            layer,
            spans: traced.result(of_cni, self.seed),
        });
        Ok(())
    }
}
