//! `loadgen run`: prepare, load, look, tell.

use std::time::SystemTime;

use crate::cli::RunArgs;
use crate::engine::{Load, Measured};
use crate::environment::Environment;
use crate::error::RunError;
use crate::exit::Verdict;
use crate::human;
use crate::print::{self, Output};
use crate::process::ProcessUsage;
use crate::progress::{Reporter, Style};
use crate::recorder::Recorder;
use crate::result::{self, ProcessResult, RunResult, Sample};
use crate::sampler::{Process, Sampler};
use crate::save::{self, Saved};
use crate::server::Source;
use crate::session::{self, Prepared, Session};
use crate::stop::Stop;
use crate::table;
use crate::timeline::Timeline;
use crate::validity;

/// The scenario that is run if none is named.
pub const DEFAULT: &str = "churn";

/// What was measured, of the load and of the processes.
struct Observed {
    started: SystemTime,
    measured: Measured,
    timeline: Timeline,
    processes: Vec<ProcessResult>,
}

/// Runs a load and saves its result.
///
/// # Errors
/// If there is no result; see [`RunError::is_interruption`].
pub fn run(args: &RunArgs, command_line: Vec<String>) -> Result<Verdict, RunError> {
    let output = &args.output;
    let style = Style::of_stderr(!output.no_progress && !output.quiet);
    let scenario = args.scenario.resolve(DEFAULT)?;
    let load = Load::of(&scenario);
    let source = Source::of(&args.target)?;
    save::check(&output.results)?;
    let stop = Stop::on_signals(move |stop| {
        if !stop.aborted() {
            style.say("Interrupted: letting what is under way end; once more to drop it");
        }
    })
    .map_err(RunError::Signals)?;
    let prepared = session::prepare(&args.target, &load, &stop, style)?;
    style.say(&format!(
        "Running {} pods with {} containers, plan {}",
        human::count(load.pods()),
        human::count(prepared.summary.containers),
        prepared.summary.hash,
    ));
    let setup = session::setup(&args.target, &source, &scenario, &load);
    let session = Session::open(source, &args.target, &load, &stop)?;
    let observed = observe(&session, args, &load, &prepared, style)?;

    let measured = &observed.measured;
    let emptied = !measured.lost && measured.recorder.left_behind() == 0;
    let stopped = session.close(emptied);
    let complaints = stopped.as_ref().map_or(&[][..], |s| &s.complaints);
    let offered = result::load(&load.shape, measured);
    let planned = (!measured.timed_out).then(|| load.pods());
    let reasons = validity::reasons(measured, &offered, planned, complaints);
    let result = RunResult {
        schema: result::SCHEMA.to_owned(),
        schema_version: result::SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        command_line,
        started_at: humantime::format_rfc3339_seconds(observed.started).to_string(),
        wall_s: measured.wall.as_secs_f64(),
        complete: planned.is_none_or(|planned| measured.pods == planned),
        valid: reasons.is_empty(),
        reasons,
        scenario: setup,
        plan_hash: prepared.summary.hash.to_string(),
        totals: result::totals(&measured.recorder, measured.wall),
        load: offered,
        phases: result::phases(&load.shape, &measured.recorder),
        notes: notes(&measured.recorder),
        operations: result::operations(&measured.recorder, args.target.target.operations()),
        errors: result::errors(&measured.recorder),
        environment: Environment::of_this_machine(),
        processes: observed.processes,
        timeline: observed
            .timeline
            .intervals(measured.warm_up + measured.wall),
    };
    let saved = Saved {
        result: &result,
        recorder: &measured.recorder,
        started: observed.started,
        wall: measured.wall,
        logs: stopped.as_ref().map_or(&[], |stopped| &stopped.logs),
    }
    .under(&output.results);
    // The table is worth having even if the result could not be saved.
    let text = if output.quiet {
        table::problems(&result)
    } else {
        table::render(&result)
    };
    let how = Output {
        json: output.json,
        quiet: output.quiet,
    };
    let printed = print::print(how, text, saved.as_deref().ok(), &result);
    saved?;
    printed?;
    Ok(verdict(&result, complaints))
}

/// Runs the load, and looks at it and at the processes meanwhile.
fn observe(
    session: &Session<'_>,
    args: &RunArgs,
    load: &Load,
    prepared: &Prepared,
    style: Style,
) -> Result<Observed, RunError> {
    let processes = session.processes();
    let before = usage(&processes);
    let started = SystemTime::now();
    let timeline = Timeline::default();
    let (measured, samples) = {
        let counters = load.counters();
        let _reporter = Reporter::start(style, load.pods(), counters.clone());
        let observer = timeline.writer(&counters, args.target.target.operations());
        let sampler = Sampler::start(processes.clone());
        let measured = session.run(load, prepared, &counters, observer)?;
        (measured, sampler.finish())
    };
    let after = usage(&processes);
    Ok(Observed {
        started,
        measured,
        timeline,
        processes: used(&before, &after, samples),
    })
}

/// What the processes have used so far.
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

/// What the checks left out.
fn notes(recorder: &Recorder) -> Vec<String> {
    match recorder.uncompared_statuses() {
        0 => Vec::new(),
        some => vec![format!(
            "{} statuses say nothing of resource_info, so what their pods ask for was not \
             compared",
            human::count(some)
        )],
    }
}

fn verdict(result: &RunResult, complaints: &[String]) -> Verdict {
    if result.totals.errors > 0 || !complaints.is_empty() {
        Verdict::WrongAnswers
    } else if result.valid {
        Verdict::Good
    } else {
        Verdict::Incomplete
    }
}
