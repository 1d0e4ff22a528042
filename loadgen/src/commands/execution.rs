//! One run of a load: the start of its server, the measurement, and the result.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::RunError;
use super::save::Saved;
use crate::drive::engine::Load;
use crate::measure::metrics::Monitor;
use crate::measure::observation::{self, Context};
use crate::measure::session::{Prepared, Session, Workload};
use crate::result::RunResult;
use crate::result::directory::SaveError;
use crate::result::machine_spread::MachineSpread;
use crate::server::embedded::Stopped;
use crate::server::{Source, Target};
use crate::show::progress::Style;
use crate::stop::Stop;

/// Load and server of a run, which may be repeated.
#[derive(Debug)]
pub struct Execution<'a> {
    /// Identity of the load.
    pub workload: &'a Workload,
    /// Load of each run.
    pub load: &'a Load,
    /// Driver and options of the server.
    pub target: &'a Target,
    /// Server before its start.
    pub source: Source,
    /// Preparations, shared by all runs.
    pub prepared: &'a Prepared,
    /// Known variation of the machine, for the result.
    pub calibration: Option<&'a MachineSpread>,
    /// Command line, with the program first.
    pub command_line: &'a [String],
    /// Request to stop.
    pub stop: &'a Stop,
    /// Style of progress output.
    pub style: Style,
}

/// Directory for the result of a run.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// A new directory `run-TIME-SEED` below this one.
    Under(&'a Path),
    /// This directory, which does not exist.
    New(&'a Path),
}

/// A run that was made.
#[derive(Debug)]
pub struct Made {
    /// Its result.
    pub result: RunResult,
    /// Times of the first requests of its pods.
    pub arrivals: Vec<Duration>,
    /// Its histograms, or the failure to record them.
    histograms: io::Result<File>,
    /// Started servers after their end.
    stopped: Option<Stopped>,
}

impl Execution<'_> {
    /// Starts the server or connects to it, runs the load, and ends the server.
    ///
    /// # Errors
    /// If there is no result; see [`RunError::is_interruption`].
    pub fn run(&self, monitor: &Monitor) -> Result<Made, RunError> {
        let (load, source) = (self.load, self.source.clone());
        let session = Session::open(source, self.target, load, self.stop)?;
        let setup = session.setup(self.workload, load);
        let operations = self.target.driver.operations();
        let observed = observation::observe(
            &session,
            load,
            self.prepared,
            operations,
            self.style,
            monitor,
        )?;
        let measured = &observed.measured;
        let emptied = !measured.lost && measured.recorder.left_behind() == 0;
        let stopped = session.close(emptied);
        let mut result = observed.result(Context {
            command_line: self.command_line.to_vec(),
            setup,
            load,
            prepared: self.prepared,
            operations,
            files: &self.target.files,
            complaints: complaints(stopped.as_ref()),
        });
        result.calibration = self.calibration.cloned();
        Ok(Made {
            histograms: observed.histograms(),
            arrivals: observed.measured.arrivals,
            stopped,
            result,
        })
    }
}

fn complaints(stopped: Option<&Stopped>) -> &[String] {
    stopped.map_or(&[], |stopped| &stopped.complaints)
}

impl Made {
    /// Returns whether the run had errors or the servers were complained about.
    pub fn is_wrong(&self) -> bool {
        self.result.totals.errors > 0 || !complaints(self.stopped.as_ref()).is_empty()
    }

    /// Saves the run, and returns its result with its directory.
    pub fn save(self, place: Place<'_>) -> (RunResult, Result<PathBuf, SaveError>) {
        let saved = Saved {
            result: &self.result,
            histograms: self.histograms,
            logs: self.stopped.as_ref().map_or(&[], |stopped| &stopped.logs),
        };
        let saved = match place {
            Place::Under(results) => saved.under(results),
            Place::New(dir) => saved.create(dir),
        };
        (self.result, saved)
    }
}
