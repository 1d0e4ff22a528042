//! One measurement: a load on a server, and all observations of it.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::drive::engine::EngineError;
use crate::drive::engine::{Load, Measured, Shape};
use crate::measure::metrics::Monitor;
use crate::measure::session::{Prepared, Session};
use crate::process::ProcessUsage;
use crate::process::Sample;
use crate::process::accounting::Counted;
use crate::process::sampler::{Latest, Process, Sampled, Sampler};
use crate::record::hdr_log::Spool;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::record::tape::Counters;
use crate::result::environment::Environment;
use crate::result::header::Header;
use crate::result::lag;
use crate::result::timeline::Timeline;
use crate::result::validity;
use crate::result::{self, CpuOfAll, HoldResult, ProcessResult, RunResult, Totals};
use crate::show::live::{Live, Sources};
use crate::show::progress::{Reporter, Style};
use crate::workload::scenario::Phase;
use display::human;

/// Measurements of a load and of the processes.
#[derive(Debug)]
pub struct Observed {
    /// Beginning of the load.
    pub started: SystemTime,
    /// Measurements of the load.
    pub measured: Measured,
    timeline: Timeline,
    log: Spool,
    processes: Vec<ProcessResult>,
    cpu_of_all: Vec<CpuOfAll>,
    /// About the longest time for which this program did not run.
    pause: Duration,
}

/// Parts of a result that the measurement does not contain.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// Command line, with the program first.
    pub command_line: Vec<String>,
    /// Parameters of the run.
    pub setup: result::Scenario,
    /// Load that was run.
    pub load: &'a Load,
    /// Preparation of the plan that contains the load.
    pub prepared: &'a Prepared,
    /// Operations in the result.
    pub operations: &'static [Operation],
    /// Directory below which started servers kept their files.
    pub files: &'a Path,
    /// Complaints about the end of the servers.
    pub complaints: &'a [String],
}

/// Runs a load, and observes it and the processes. `monitor` receives each second, too.
///
/// # Errors
/// As [`Load::run`].
pub fn observe(
    session: &Session<'_>,
    load: &Load,
    prepared: &Prepared,
    operations: &'static [Operation],
    style: Style,
    monitor: &Monitor,
) -> Result<Observed, EngineError> {
    let processes = session.processes();
    let (before, all_before) = (usage(&processes), session.server().counted_all());
    let started = SystemTime::now();
    let (timeline, log) = (Timeline::default(), Spool::new(started));
    let (measured, Sampled { samples, pause }) = {
        let counters = load.counters();
        let latest = Latest::default();
        let sampler = Sampler::start(processes.clone(), &latest);
        monitor.begin(load, &counters);
        let seconds = (timeline.writer(&counters, operations), log.clone());
        let observer = (seconds, monitor.clone());
        let _shown = show(style, load, &counters, &timeline, latest);
        let measured = session.run(load, prepared, &counters, observer)?;
        (measured, sampler.finish())
    };
    let (after, all_after) = (usage(&processes), session.server().counted_all());
    Ok(Observed {
        started,
        measured,
        timeline,
        log,
        processes: used(&before, &after, samples),
        cpu_of_all: of_all(&all_before, &all_after),
        pause,
    })
}

/// Shows the progress of a run until dropped: the live view on a terminal, lines
/// elsewhere.
fn show(
    style: Style,
    load: &Load,
    counters: &[Arc<Counters>],
    timeline: &Timeline,
    processes: Latest,
) -> (Option<Live>, Option<Reporter>) {
    if let Style::Bar { colour } = style {
        let sources = Sources {
            pods: load.pods(),
            phases: phases(load),
            counters: counters.to_vec(),
            timeline: timeline.clone(),
            processes,
            colour,
        };
        return (Some(Live::start(sources)), None);
    }
    let reporter = Reporter::start(style, load.pods(), counters.to_vec());
    (None, Some(reporter))
}

/// Returns the names and ends of the phases of an open loop.
fn phases(load: &Load) -> Vec<(String, Duration)> {
    match &load.shape {
        Shape::Closed(_) => Vec::new(),
        Shape::Open { schedule, .. } => {
            let phases = schedule.phases().iter().enumerate();
            let phase =
                |(number, phase): (usize, &Phase)| (phase.name.clone(), schedule.end_of(number));
            phases.map(phase).collect()
        }
    }
}

impl Observed {
    /// Returns the histograms of each second in the format of [`crate::record::hdr_log`].
    /// A second call fails.
    ///
    /// # Errors
    /// The first error of any write.
    pub fn histograms(&self) -> io::Result<File> {
        self.log.finish()
    }

    /// Returns the result of the measurement.
    pub fn result(&self, context: Context<'_>) -> RunResult {
        let (measured, load) = (&self.measured, context.load);
        let offered = result::offered(&load.shape, measured);
        let planned = (!measured.timed_out).then(|| load.pods());
        let recorder = &measured.recorder;
        let operations = result::operations(recorder, context.operations);
        let wire = result::wire(&operations, |operation| {
            Some(recorder.wire_times(operation))
        });
        let without_lag = |wanted| {
            let mut known = recorder.latencies_without_lag();
            known.find(|(of, _)| *of == wanted).map(|(_, times)| times)
        };
        let per_s = offered.offered_pods_per_s.unwrap_or_default();
        let figures = lag::figures(&operations, without_lag, recorder.lags(), per_s);
        let reasons = validity::reasons(
            measured,
            &offered,
            &figures,
            planned,
            self.pause,
            context.complaints,
        );
        let remarks = result::remark(offered.mode, &wire);
        RunResult {
            header: Header::of::<RunResult>(context.command_line, self.started),
            wall_s: measured.wall.as_secs_f64(),
            complete: planned.is_none_or(|planned| measured.pods == planned),
            valid: reasons.is_empty(),
            reasons,
            scenario: context.setup,
            plan_hash: context.prepared.summary.hash.to_string(),
            totals: totals(measured),
            load: offered,
            phases: result::phases(&load.shape, &measured.recorder),
            notes: notes(recorder),
            remarks: remarks.into_iter().collect(),
            operations,
            wire,
            figures,
            errors: result::errors(&measured.recorder),
            environment: Environment::of_this_machine(context.files),
            processes: self.processes.clone(),
            cpu_of_all: self.cpu_of_all.clone(),
            hold: measured
                .held
                .as_ref()
                .map(|held| HoldResult::of(held, &self.processes)),
            timeline: self.timeline.intervals(measured.warm_up + measured.wall),
            spans: None,
            cpu_profile: None,
            calibration: None,
        }
    }
}

/// Reads the usage of each process so far; `None` for a process that cannot be read.
fn usage(processes: &[Process]) -> Vec<Option<ProcessUsage>> {
    let of = |(_, pid): &Process| {
        if *pid == std::process::id() {
            ProcessUsage::of_self()
        } else {
            ProcessUsage::of(*pid)
        }
    };
    processes.iter().map(of).collect()
}

fn of_all(before: &[Counted], after: &[Counted]) -> Vec<CpuOfAll> {
    let pairs = after.iter().filter_map(|after| {
        let before = before.iter().find(|b| b.accounting == after.accounting)?;
        Some(CpuOfAll {
            accounting: after.accounting,
            cpu_s: after.cpu.saturating_sub(before.cpu).as_secs_f64(),
        })
    });
    pairs.collect()
}

fn used(
    before: &[Option<ProcessUsage>],
    after: &[Option<ProcessUsage>],
    samples: Vec<(&'static str, Vec<Sample>)>,
) -> Vec<ProcessResult> {
    let each = before.iter().zip(after).zip(samples);
    each.filter_map(|((before, after), (role, samples))| {
        Some(ProcessResult {
            role: role.to_owned(),
            usage: (*after)?.since((*before)?),
            samples,
        })
    })
    .collect()
}

fn totals(measured: &Measured) -> Totals {
    let totals = result::totals(&measured.recorder, measured.wall);
    Totals {
        warm_up_rpcs: Some(measured.rpcs.saturating_sub(totals.rpcs)),
        abandoned: Some(measured.abandoned),
        ..totals
    }
}

/// Describes the comparisons that were left out.
fn notes(recorder: &Recorder) -> Vec<String> {
    match recorder.uncompared_statuses() {
        0 => Vec::new(),
        some => vec![format!(
            "{} statuses say nothing of resource_info, so the resources of their pods were \
             not compared",
            human::count(some)
        )],
    }
}
