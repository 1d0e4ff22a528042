//! `loadgen run`: prepare, load, look, tell.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use clap::ValueEnum;

use crate::bundle::Bundles;
use crate::cli::RunArgs;
use crate::engine::{Load, Measured};
use crate::environment::Environment;
use crate::error::RunError;
use crate::exit::Verdict;
use crate::human;
use crate::process::ProcessUsage;
use crate::progress::{Preparing, Reporter, Style};
use crate::result::{self, ProcessResult, RunResult, Scenario};
use crate::save::{self, Saved};
use crate::server::Source;
use crate::stop::Stop;
use crate::table;

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
    let bundles = Arc::new(prepare(args, &stop, style)?);
    style.say(&format!(
        "Running {} pods with {} containers, plan {}",
        human::count(args.plan.pods),
        human::count(bundles.containers()),
        bundles.plan_hash(),
    ));
    let scenario = scenario(args, &source);
    let server = source.open(args, &stop)?;
    let load = load(args, &scenario, server.socket().as_path());

    let used = (server.usage(), ProcessUsage::of_self());
    let started = SystemTime::now();
    let measured = measure(&load, &bundles, &stop, style)?;
    let using = (server.usage(), ProcessUsage::of_self());

    let emptied = !measured.lost && measured.recorder.left_behind() == 0;
    let stopped = server.close(&stop, emptied);
    let complaints = stopped.as_ref().map_or(&[][..], |s| &s.complaints);

    let reasons = reasons(&measured, args.plan.pods, complaints);
    let totals = result::totals(&measured.recorder, measured.pods, measured.wall);
    let result = RunResult {
        schema: result::SCHEMA.to_owned(),
        schema_version: result::SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        command_line,
        started_at: humantime::format_rfc3339_seconds(started).to_string(),
        wall_s: measured.wall.as_secs_f64(),
        complete: measured.pods == args.plan.pods,
        valid: reasons.is_empty(),
        reasons,
        scenario,
        plan_hash: bundles.plan_hash().to_string(),
        totals,
        operations: result::operations(&measured.recorder),
        errors: result::errors(&measured.recorder),
        environment: Environment::of_this_machine(),
        processes: [("sandboxer", used.0, using.0), ("loadgen", used.1, using.1)]
            .into_iter()
            .filter_map(|(role, before, after)| process(role, before?, after?))
            .collect(),
    };
    let log = stopped.as_ref().map(crate::embedded::Stopped::log);
    let saved = Saved {
        result: &result,
        recorder: &measured.recorder,
        started,
        wall: measured.wall,
        log: log.as_deref(),
    }
    .under(&args.results);
    // The table is worth having even if the result could not be saved.
    let printed = print(args, &result, saved.as_deref().ok());
    saved?;
    printed?;
    Ok(verdict(&result, complaints))
}

fn prepare(args: &RunArgs, stop: &Stop, style: Style) -> Result<Bundles, RunError> {
    let preparing = Preparing::new(style, args.plan.pods);
    let told = |pods| preparing.done(pods);
    Ok(Bundles::write(
        &args.plan.plan(),
        args.plan.pods,
        stop,
        told,
    )?)
}

fn measure(
    load: &Load,
    bundles: &Arc<Bundles>,
    stop: &Stop,
    style: Style,
) -> Result<Measured, RunError> {
    let counters = load.counters();
    let _reporter = Reporter::start(style, load.pods, counters.clone());
    Ok(load.run(bundles, stop, &counters)?)
}

fn scenario(args: &RunArgs, source: &Source) -> Scenario {
    let shown = |path: &Path| path.display().to_string();
    let concurrency = args.concurrency.min(clamped(args.plan.pods));
    let connections = args.connections.min(concurrency);
    let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Scenario {
        target: "ttrpc".to_owned(),
        endpoint: match source {
            Source::Socket(socket) => Some(shown(socket)),
            Source::Program(_) => None,
        },
        sandboxer: match source {
            Source::Socket(_) => None,
            Source::Program(program) => Some(shown(program)),
        },
        sandboxer_args: args
            .sandboxer_args
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect(),
        namespace: args.namespace.clone(),
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

fn load(args: &RunArgs, scenario: &Scenario, socket: &Path) -> Load {
    Load {
        socket: socket.to_owned(),
        namespace: args.namespace.clone(),
        timeout: args.timeout,
        plan: args.plan.plan(),
        pods: args.plan.pods,
        concurrency: scenario.concurrency,
        connections: scenario.connections,
        threads: scenario.threads,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one link of a chain of options")]
fn process(role: &str, before: ProcessUsage, after: ProcessUsage) -> Option<ProcessResult> {
    Some(ProcessResult {
        role: role.to_owned(),
        usage: after.since(before),
    })
}

/// What speaks against the figures.
fn reasons(measured: &Measured, planned: u64, complaints: &[String]) -> Vec<String> {
    let mut reasons = Vec::new();
    let errors: u64 = measured.recorder.errors().values().map(|e| e.count).sum();
    if errors > 0 {
        reasons.push(format!("{} errors", human::count(errors)));
    }
    if measured.lost {
        reasons.push("a connection to the sandboxer was lost".to_owned());
    }
    if measured.recorder.left_behind() > 0 {
        reasons.push(format!(
            "{} pods could not be removed",
            human::count(measured.recorder.left_behind())
        ));
    }
    if measured.pods < planned {
        reasons.push(format!(
            "only {} of {} pods were run",
            human::count(measured.pods),
            human::count(planned)
        ));
    }
    reasons.extend(complaints.iter().cloned());
    reasons
}

fn verdict(result: &RunResult, complaints: &[String]) -> Verdict {
    if result.totals.errors > 0 || !complaints.is_empty() {
        Verdict::WrongAnswers
    } else if result.complete {
        Verdict::Good
    } else {
        Verdict::Incomplete
    }
}

/// The table, or with `--quiet` only what is wrong; and the JSON if it is wanted.
fn print(args: &RunArgs, result: &RunResult, dir: Option<&Path>) -> Result<(), RunError> {
    let mut text = if args.quiet {
        table::problems(result)
    } else {
        table::render(result)
    };
    if let (false, Some(dir)) = (text.is_empty(), dir) {
        text.extend(["result     ", &dir.display().to_string(), "\n"]);
    }
    if args.json || args.quiet {
        put(&mut io::stderr(), &text)?;
    } else {
        put(&mut io::stdout(), &text)?;
    }
    if args.json {
        let mut json = serde_json::to_string_pretty(result).map_err(io::Error::from)?;
        json.push('\n');
        put(&mut io::stdout(), &json)?;
    }
    Ok(())
}

/// Whoever closed a stream does not want to read it.
fn put(stream: &mut impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
