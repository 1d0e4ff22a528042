//! One run of a load: the start of its server, the measurement, and the result.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::RunError;
use super::save::Saved;
use crate::drive::engine::Load;
use crate::measure::metrics::Monitor;
use crate::measure::observation::{self, Context};
use crate::measure::session::{Prepared, Session, Workload};
use crate::measure::traced::Traced;
use crate::result::RunResult;
use crate::result::cpu_profile::CpuProfile;
use crate::result::directory::SaveError;
use crate::result::machine_spread::MachineSpread;
use crate::server::embedded::Stopped;
use crate::server::profile::{ProfileError, Profiling};
use crate::server::{Source, Target};
use crate::show::progress::Style;
use crate::spans::Collector;
use crate::stop::Stop;

/// Longest sleep before a load begins, and so the longest delay until a stop is noticed.
const NAP: Duration = Duration::from_millis(50);

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
    /// Time at which the load begins; `None` for as soon as the server is ready.
    pub start_at: Option<SystemTime>,
    /// Collector of the spans of the server; `None` without `--spans`.
    pub collector: Option<&'a Collector>,
    /// Whether a CPU profile of containerd is taken.
    pub cpu_profile: bool,
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
    /// CPU profile of containerd, if one was taken.
    profile: Option<Vec<u8>>,
    /// Started servers after their end.
    stopped: Option<Stopped>,
}

impl Execution<'_> {
    /// Starts the server or connects to it, runs the load, and ends the server.
    ///
    /// # Errors
    /// If there is no result; see [`RunError::is_interruption`].
    pub fn run(&self, monitor: &Monitor) -> Result<Made, RunError> {
        let traced = self
            .collector
            .map(|collector| Traced::new(collector, self.load));
        let load = traced.as_ref().map_or(self.load, |traced| &traced.load);
        let session = Session::open(self.source.clone(), self.target, load, self.stop)?;
        let setup = session.setup(self.workload, load);
        if let Some(at) = self.start_at {
            self.wait_until(at)?;
        }
        let operations = self.target.driver.operations();
        let debug = session.server().debug_socket().filter(|_| self.cpu_profile);
        let profiling = debug.map(|socket| Profiling::begin(&socket)).transpose()?;
        let observed = observation::observe(
            &session,
            load,
            self.prepared,
            operations,
            self.style,
            monitor,
        )?;
        // The load was measured: a profile that fails now must not take its result away.
        let profile = profiling.map(taken).transpose();
        let measured = &observed.measured;
        let emptied = !measured.lost && measured.recorder.left_behind() == 0;
        let of_cni = traced.as_ref().map(|traced| traced.settle(&session));
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
        let (profile, packages) = match profile {
            Ok(taken) => taken.unzip(),
            Err(error) => {
                let error = anyhow::Error::from(error);
                result.remarks.push(format!("no CPU profile: {error:#}"));
                (None, None)
            }
        };
        result.cpu_profile = packages;
        result.spans = traced
            .zip(of_cni)
            .map(|(traced, of_cni)| traced.result(of_cni, self.workload.seed));
        Ok(Made {
            histograms: observed.histograms(),
            arrivals: observed.measured.arrivals,
            profile,
            stopped,
            result,
        })
    }

    /// Waits for the time at which the load begins, which the start of the server must not miss.
    fn wait_until(&self, at: SystemTime) -> Result<(), RunError> {
        let left = |at: SystemTime| at.duration_since(SystemTime::now()).ok();
        let mut wait = left(at).ok_or(RunError::Late { at })?;
        while !wait.is_zero() {
            if self.stop.requested() {
                return Err(RunError::NoRun);
            }
            std::thread::sleep(wait.min(NAP));
            wait = left(at).unwrap_or_default();
        }
        Ok(())
    }
}

/// Ends a profile, and reads its packages.
fn taken(profiling: Profiling) -> Result<(Vec<u8>, CpuProfile), ProfileError> {
    let profile = profiling.end()?;
    let packages = CpuProfile::read(&profile)?;
    Ok((profile, packages))
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
            profile: self.profile.as_deref(),
            logs: self.stopped.as_ref().map_or(&[], |stopped| &stopped.logs),
        };
        let saved = match place {
            Place::Under(results) => saved.under(results),
            Place::New(dir) => saved.create(dir),
        };
        (self.result, saved)
    }
}
