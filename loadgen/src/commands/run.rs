//! `loadgen run` and `loadgen replay`.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::commands::cli::{OutputArgs, ReplayArgs, RunArgs};
use crate::commands::error::RunError;
use crate::commands::execution::{Execution, Made, Place};
use crate::commands::exit::Verdict;
use crate::commands::print::{self, Text};
use crate::commands::repeat::{self, Repeated};
use crate::drive::driver::DriverKind;
use crate::drive::engine::Load;
use crate::measure::metrics::{Destinations, Metrics};
use crate::measure::session::{self, Workload};
use crate::result::baseline::BaselineName;
use crate::result::directory;
use crate::result::machine_spread::MachineSpread;
use crate::result::slo::{self, Outcome, Slo};
use crate::server::{Source, Target};
use crate::show::table;
use crate::spans::Collector;
use crate::workload::trace::Trace;
use display::human;

/// Scenario without a name on the command line.
pub const DEFAULT: &str = "churn";

/// Load, server and outputs of a command.
struct Task<'a> {
    workload: Workload,
    load: Load,
    start_at: Option<SystemTime>,
    target: Target,
    output: &'a OutputArgs,
    slo: &'a [Slo],
    record: Option<&'a Path>,
    repeat: u32,
    save_baseline: Option<&'a BaselineName>,
    calibration: Option<MachineSpread>,
    collector: Option<Collector>,
    cpu_profile: bool,
    metrics: Destinations,
    command_line: Vec<String>,
}

/// Runs a scenario and saves its result.
///
/// # Errors
/// If there is no result; see [`RunError::is_interruption`].
pub fn run(args: &RunArgs, command_line: Vec<String>) -> Result<Verdict, RunError> {
    let scenario = args.scenario.resolve(DEFAULT)?;
    let mut target = args.target.of(&scenario)?;
    if args.cpu_profile && !starts_containerd(&target) {
        return Err(RunError::NoProfile);
    }
    let collector = args.spans.then(|| collector(&mut target)).transpose()?;
    let calibration = args.calibration.as_deref();
    let calibration = calibration.map(|file| repeat::calibration(file, &target.files));
    Task {
        workload: Workload::from(&scenario),
        load: match args.part {
            Some(part) => Load::of(&scenario).part(part)?,
            None => Load::of(&scenario),
        },
        start_at: args.start_at,
        target,
        output: &args.output,
        slo: &args.slo,
        record: args.record.as_deref(),
        repeat: args.repeat,
        save_baseline: args.save_baseline.as_ref(),
        calibration: calibration.transpose()?,
        collector,
        cpu_profile: args.cpu_profile,
        metrics: Destinations::from(&args.metrics),
        command_line,
    }
    .run()
}

/// Returns whether a run starts a containerd.
fn starts_containerd(target: &Target) -> bool {
    target.driver == DriverKind::Cri && target.endpoint.is_none()
}

/// Starts to collect the spans of the target.
fn collector(target: &mut Target) -> Result<Collector, RunError> {
    if !starts_containerd(target) {
        return Err(RunError::NoSpans);
    }
    let collector = Collector::start().map_err(RunError::Spans)?;
    target.spans = Some(collector.endpoint());
    Ok(collector)
}

/// Replays a trace and saves the result.
///
/// # Errors
/// As [`run`], and if there is no trace.
pub fn replay(args: &ReplayArgs, command_line: Vec<String>) -> Result<Verdict, RunError> {
    let trace = Trace::read(&args.trace)?;
    Task {
        workload: Workload {
            name: "replay".to_owned(),
            document: format!("# {}, {} times as fast\n", trace.source, args.speed),
            seed: 0,
        },
        load: args.load(&trace),
        start_at: None,
        target: Target::from(&args.target),
        output: &args.output,
        slo: &args.slo,
        record: None,
        repeat: 1,
        save_baseline: None,
        calibration: None,
        collector: None,
        cpu_profile: false,
        metrics: Destinations::default(),
        command_line,
    }
    .run()
}

impl Task<'_> {
    fn run(self) -> Result<Verdict, RunError> {
        let (output, load) = (self.output, &self.load);
        let style = output.style();
        if let Some(at) = self.start_at
            && at <= SystemTime::now()
        {
            return Err(RunError::Past { at });
        }
        let source = Source::of(&self.target)?;
        let metrics = Metrics::start(&self.metrics)?;
        directory::check(&output.results)?;
        let stop = style.stop_on_signals()?;
        let prepared = session::prepare(&self.target, load, &stop, style)?;
        style.say(&format!(
            "Running {} pods with {} containers, plan {:.12}",
            human::count(load.pods()),
            human::count(prepared.summary.containers),
            prepared.summary.hash.to_string(),
        ));
        if let Some(announcement) = metrics.announcement() {
            style.say(&announcement);
        }
        let execution = Execution {
            workload: &self.workload,
            load,
            target: &self.target,
            source,
            prepared: &prepared,
            start_at: self.start_at,
            collector: self.collector.as_ref(),
            cpu_profile: self.cpu_profile,
            calibration: self.calibration.as_ref(),
            command_line: &self.command_line,
            stop: &stop,
            style,
        };
        if self.repeat > 1 {
            let made = Repeated {
                repeat: self.repeat,
                output,
                slo: self.slo,
                save_baseline: self.save_baseline,
            };
            let repeated = repeat::run(&execution, made, metrics.monitor());
            finish(metrics);
            return repeated;
        }
        let made = execution.run(metrics.monitor())?;
        finish(metrics);
        self.single(made)
    }

    /// Prints a single run, and writes its trace.
    fn single(&self, made: Made) -> Result<Verdict, RunError> {
        let result = &made.result;
        let recorded = self.record.map(|path| {
            let source = format!("loadgen run {}", self.workload.name);
            Trace::of_plan(&self.load.plan, &made.arrivals, source).write(path)
        });
        let held = slo::check(self.slo, result);
        let mut text = Text {
            whole: table::render(result),
            problems: table::problems(result),
        };
        for outcome in &held {
            let line = format!("{outcome}\n");
            text.whole += &line;
            if !outcome.met || !outcome.known {
                text.problems += &line;
            }
        }
        let verdict = verdict(&made, &held);
        let results = &self.output.results;
        let (result, saved) = made.save(Place::Under(results));
        let saved = saved.and_then(|dir| {
            let baseline = self.save_baseline.map(|name| name.save(&dir, results));
            baseline.transpose().map(|_| dir)
        });
        print::result(self.output, text, saved.map_err(RunError::from), &result)?;
        recorded.transpose()?;
        Ok(verdict)
    }
}

fn finish(metrics: Metrics) {
    if let Err(failed) = metrics.finish() {
        let failed = anyhow::Error::from(failed);
        // A failed write means that standard error has no reader.
        let _ = writeln!(io::stderr(), "warning: --push: {failed:#}");
    }
}

fn verdict(made: &Made, held: &[Outcome]) -> Verdict {
    if made.is_wrong() {
        Verdict::WrongAnswers
    } else if !made.result.valid {
        Verdict::Incomplete
    } else if held.iter().any(|outcome| outcome.known && !outcome.met) {
        Verdict::Missed
    } else if held.iter().any(|outcome| !outcome.known) {
        Verdict::Incomplete
    } else {
        Verdict::Good
    }
}
