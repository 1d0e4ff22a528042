//! `loadgen run` and `loadgen replay`.

use std::io::{self, Write};
use std::path::Path;

use crate::commands::cli::{OutputArgs, ReplayArgs, RunArgs};
use crate::commands::error::RunError;
use crate::commands::exit::Verdict;
use crate::commands::print::{self, Text};
use crate::commands::save::Saved;
use crate::drive::engine::Load;
use crate::measure::metrics::{Destinations, Metrics};
use crate::measure::observation::{self, Context};
use crate::measure::session::{self, Session, Workload};
use crate::result::RunResult;
use crate::result::directory;
use crate::result::slo::{self, Outcome, Slo};
use crate::server::{Source, Target};
use crate::show::table;
use crate::workload::trace::Trace;
use display::human;

/// Scenario without a name on the command line.
pub const DEFAULT: &str = "churn";

/// Load, server and outputs of one run.
struct Execution<'a> {
    workload: Workload,
    load: Load,
    target: Target,
    output: &'a OutputArgs,
    slo: &'a [Slo],
    record: Option<&'a Path>,
    metrics: Destinations,
    command_line: Vec<String>,
}

/// Runs a scenario and saves its result.
///
/// # Errors
/// If there is no result; see [`RunError::is_interruption`].
pub fn run(args: &RunArgs, command_line: Vec<String>) -> Result<Verdict, RunError> {
    let scenario = args.scenario.resolve(DEFAULT)?;
    Execution {
        workload: Workload::from(&scenario),
        load: Load::of(&scenario),
        target: Target::from(&args.target),
        output: &args.output,
        slo: &args.slo,
        record: args.record.as_deref(),
        metrics: Destinations::from(&args.metrics),
        command_line,
    }
    .run()
}

/// Replays a trace and saves the result.
///
/// # Errors
/// As [`run`], and if there is no trace.
pub fn replay(args: &ReplayArgs, command_line: Vec<String>) -> Result<Verdict, RunError> {
    let trace = Trace::read(&args.trace)?;
    Execution {
        workload: Workload {
            name: "replay".to_owned(),
            document: format!("# {}, {} times as fast\n", trace.source, args.speed),
            seed: 0,
        },
        load: args.load(&trace),
        target: Target::from(&args.target),
        output: &args.output,
        slo: &args.slo,
        record: None,
        metrics: Destinations::default(),
        command_line,
    }
    .run()
}

impl Execution<'_> {
    fn run(self) -> Result<Verdict, RunError> {
        let (output, load) = (self.output, &self.load);
        let style = output.style();
        let source = Source::of(&self.target)?;
        let metrics = Metrics::start(&self.metrics)?;
        directory::check(&output.results)?;
        let stop = style.stop_on_signals()?;
        let prepared = session::prepare(&self.target, load, &stop, style)?;
        style.say(&format!(
            "Running {} pods with {} containers, plan {}",
            human::count(load.pods()),
            human::count(prepared.summary.containers),
            prepared.summary.hash,
        ));
        if let Some(announcement) = metrics.announcement() {
            style.say(&announcement);
        }
        let session = Session::open(source, &self.target, load, &stop)?;
        let setup = session.setup(&self.workload, load);
        let operations = self.target.driver.operations();
        let observed = observation::observe(
            &session,
            load,
            &prepared,
            operations,
            style,
            metrics.monitor(),
        )?;
        if let Err(failed) = metrics.finish() {
            let failed = anyhow::Error::from(failed);
            // A failed write means that standard error has no reader.
            let _ = writeln!(io::stderr(), "warning: --push: {failed:#}");
        }
        let measured = &observed.measured;
        let emptied = !measured.lost && measured.recorder.left_behind() == 0;
        let stopped = session.close(emptied);
        let complaints = stopped.as_ref().map_or(&[][..], |s| &s.complaints);
        let result = observed.result(Context {
            command_line: self.command_line,
            setup,
            load,
            prepared: &prepared,
            operations,
            complaints,
        });
        let saved = Saved {
            result: &result,
            histograms: observed.histograms(),
            logs: stopped.as_ref().map_or(&[], |stopped| &stopped.logs),
        }
        .under(&output.results);
        let recorded = self.record.map(|path| {
            let source = format!("loadgen run {}", self.workload.name);
            Trace::of_plan(&load.plan, &measured.arrivals, source).write(path)
        });
        let held = slo::check(self.slo, &result);
        let mut text = Text {
            whole: table::render(&result),
            problems: table::problems(&result),
        };
        for outcome in &held {
            let line = format!("{outcome}\n");
            text.whole += &line;
            if !outcome.met || !outcome.known {
                text.problems += &line;
            }
        }
        print::result(output, text, saved.map_err(RunError::from), &result)?;
        recorded.transpose()?;
        Ok(verdict(&result, complaints, &held))
    }
}

fn verdict(result: &RunResult, complaints: &[String], held: &[Outcome]) -> Verdict {
    if result.totals.errors > 0 || !complaints.is_empty() {
        Verdict::WrongAnswers
    } else if !result.valid {
        Verdict::Incomplete
    } else if held.iter().any(|outcome| outcome.known && !outcome.met) {
        Verdict::Missed
    } else if held.iter().any(|outcome| !outcome.known) {
        Verdict::Incomplete
    } else {
        Verdict::Good
    }
}
