//! `loadgen run`: prepare, load, look, tell.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use clap::ValueEnum;

use crate::bundle::Bundles;
use crate::cli::RunArgs;
use crate::door::{CriAt, CriDoor, Kind, Tasks, TasksAt};
use crate::engine::{Load, Measured, Observer, Shape};
use crate::environment::Environment;
use crate::error::{BundleError, EngineError, RunError};
use crate::exit::Verdict;
use crate::human;
use crate::image::NAMESPACE;
use crate::plan::{self, Summary};
use crate::print::{self, Output};
use crate::process::ProcessUsage;
use crate::progress::{Preparing, Reporter, Style};
use crate::recorder::Recorder;

use crate::result::{self, ProcessResult, RunResult, Sample, Scenario};
use crate::sampler::{self, Sampler};
use crate::save::{self, Saved};
use crate::scenario::Closed;
use crate::server::{Server, Source};
use crate::stop::Stop;
use crate::table;
use crate::tape::Counters;
use crate::target::{ControllerTarget, TtrpcTarget};
use crate::timeline::Timeline;
use crate::validity;

/// What a run is given before its clock starts.
struct Prepared {
    summary: Summary,
    /// Of the tasks; over CRI the runtime writes them.
    bundles: Option<Arc<Bundles>>,
}

/// Runs a load and saves its result.
///
/// # Errors
/// If there is no result; see [`RunError::is_interruption`].
pub fn run(args: &RunArgs, command_line: Vec<String>) -> Result<Verdict, RunError> {
    let style = Style::of_stderr(!args.no_progress && !args.quiet);
    let source = Source::of(args)?;
    save::check(&args.results)?;
    let stop = Stop::on_signals(move |stop| {
        if !stop.aborted() {
            style.say("Interrupted: letting what is under way end; once more to drop it");
        }
    })
    .map_err(RunError::Signals)?;
    let prepared = prepare(args, &stop, style)?;
    style.say(&format!(
        "Running {} pods with {} containers, plan {}",
        human::count(args.plan.pods),
        human::count(prepared.summary.containers),
        prepared.summary.hash,
    ));
    let scenario = scenario(args, &source);
    let server = source.open(args, &stop)?;
    let load = load(args, &scenario);

    let before = usage(&server);
    let started = SystemTime::now();
    let timeline = Timeline::default();
    let (measured, samples) = {
        let counters = load.counters();
        let _reporter = Reporter::start(style, load.pods(), counters.clone());
        let observer = timeline.writer(&counters, args.target.operations());
        let sampler = Sampler::start(watched(&server));
        let measured = put_on(&load, args, &server, &prepared, &stop, &counters, observer)?;
        (measured, sampler.finish())
    };
    let after = usage(&server);

    let emptied = !measured.lost && measured.recorder.left_behind() == 0;
    let stopped = server.close(&stop, emptied);
    let complaints = stopped.as_ref().map_or(&[][..], |s| &s.complaints);

    let offered = result::load(&load.shape, &measured);
    let planned = (!measured.timed_out).then(|| load.pods());
    let reasons = validity::reasons(&measured, &offered, planned, complaints);
    let totals = result::totals(&measured.recorder, measured.wall);
    let result = RunResult {
        schema: result::SCHEMA.to_owned(),
        schema_version: result::SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        command_line,
        started_at: humantime::format_rfc3339_seconds(started).to_string(),
        wall_s: measured.wall.as_secs_f64(),
        complete: planned.is_none_or(|planned| measured.pods == planned),
        valid: reasons.is_empty(),
        reasons,
        scenario,
        plan_hash: prepared.summary.hash.to_string(),
        totals,
        load: offered,
        phases: result::phases(&load.shape, &measured.recorder),
        notes: notes(&measured.recorder),
        operations: result::operations(&measured.recorder, args.target.operations()),
        errors: result::errors(&measured.recorder),
        environment: Environment::of_this_machine(),
        processes: processes(&before, &after, samples),
        timeline: timeline.intervals(measured.warm_up + measured.wall),
    };
    let saved = Saved {
        result: &result,
        recorder: &measured.recorder,
        started,
        wall: measured.wall,
        logs: stopped.as_ref().map_or(&[], |stopped| &stopped.logs),
    }
    .under(&args.results);
    // The table is worth having even if the result could not be saved.
    let text = if args.quiet {
        table::problems(&result)
    } else {
        table::render(&result)
    };
    let output = Output {
        json: args.json,
        quiet: args.quiet,
    };
    let printed = print::print(output, text, saved.as_deref().ok(), &result);
    saved?;
    printed?;
    Ok(verdict(&result, complaints))
}

fn prepare(args: &RunArgs, stop: &Stop, style: Style) -> Result<Prepared, RunError> {
    let (plan, pods) = (args.plan.plan(), args.plan.pods);
    if args.target == Kind::Cri {
        return Ok(Prepared {
            summary: plan::summary(&plan, pods).map_err(BundleError::Encode)?,
            bundles: None,
        });
    }
    let preparing = Preparing::new(style, pods);
    let bundles = Bundles::write(&plan, pods, stop, |pods| preparing.done(pods))?;
    Ok(Prepared {
        summary: bundles.summary(),
        bundles: Some(Arc::new(bundles)),
    })
}

/// Runs the load through the door that was asked for.
fn put_on(
    load: &Load,
    args: &RunArgs,
    server: &Server,
    prepared: &Prepared,
    stop: &Stop,
    counters: &[Arc<Counters>],
    observer: impl Observer,
) -> Result<Measured, EngineError> {
    let socket = server.socket();
    let Some(bundles) = &prepared.bundles else {
        let at = CriAt {
            socket,
            handler: args.runtime_handler.clone(),
            image: args.image.clone(),
            timeout: args.timeout,
            must_state_resources: matches!(server, Server::Node(_)),
        };
        return load.run::<CriDoor>(&at, stop, counters, observer);
    };
    let at = TasksAt {
        socket,
        namespace: args.namespace.clone(),
        timeout: args.timeout,
        bundles: Arc::clone(bundles),
        must_state_resources: matches!(server, Server::Embedded(_)),
    };
    match args.target {
        Kind::Ttrpc | Kind::Cri => load.run::<Tasks<TtrpcTarget>>(&at, stop, counters, observer),
        Kind::Controller => load.run::<Tasks<ControllerTarget>>(&at, stop, counters, observer),
    }
}

fn scenario(args: &RunArgs, source: &Source) -> Scenario {
    let shown = |path: &Path| path.display().to_string();
    let concurrency = args.concurrency.min(clamped(args.plan.pods));
    let connections = args.connections.min(concurrency);
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Scenario {
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
        runtime_handler: (args.target == Kind::Cri).then(|| args.runtime_handler.clone()),
        image: (args.target == Kind::Cri).then(|| args.image.clone()),
        sandboxer_args: args
            .sandboxer_args
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect(),
        namespace: match args.target {
            Kind::Ttrpc | Kind::Controller => args.namespace.clone(),
            Kind::Cri => NAMESPACE.to_owned(),
        },
        seed: args.plan.seed,
        pods: args.plan.pods,
        containers_min: *args.plan.containers.0.start(),
        containers_max: *args.plan.containers.0.end(),
        signal: args
            .plan
            .signal
            .to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned()),
        concurrency: size(concurrency),
        connections: size(connections),
        threads: size(args.threads.min(connections)),
        timeout_s: args.timeout.as_secs_f64(),
    }
}

fn clamped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn load(args: &RunArgs, scenario: &Scenario) -> Load {
    Load {
        timeout: args.timeout,
        plan: args.plan.plan(),
        shape: Shape::Closed(Closed {
            concurrency: args.concurrency.min(clamped(args.plan.pods)),
            pods: args.plan.pods,
            warm_up_pods: 0,
            duration: None,
        }),
        connections: scenario.connections,
        threads: scenario.threads,
    }
}

/// What the processes have used so far, this one last.
fn usage(server: &Server) -> Vec<(&'static str, ProcessUsage)> {
    let own = ProcessUsage::of_self().map(|usage| ("loadgen", usage));
    server.usage().into_iter().chain(own).collect()
}

/// The processes under test, this one last.
fn watched(server: &Server) -> Vec<sampler::Process> {
    let own = [("loadgen", std::process::id())];
    server.processes().into_iter().chain(own).collect()
}

fn processes(
    before: &[(&'static str, ProcessUsage)],
    after: &[(&'static str, ProcessUsage)],
    mut samples: Vec<(&'static str, Vec<Sample>)>,
) -> Vec<ProcessResult> {
    let mut of = |(role, before): &(&'static str, ProcessUsage)| {
        let (_, after) = after.iter().find(|(of, _)| of == role)?;
        let seen = samples.iter_mut().find(|(of, _)| of == role);
        Some(ProcessResult {
            role: (*role).to_owned(),
            usage: after.since(*before),
            samples: seen
                .map(|(_, seen)| std::mem::take(seen))
                .unwrap_or_default(),
        })
    };
    before.iter().filter_map(&mut of).collect()
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
