//! `loadgen overhead`: the same plan at each layer in turns, and the cost of each
//! layer.

mod layer;
mod measure;
pub mod page;
pub mod result;
mod shares;
pub mod table;
mod traced;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::layer::Layer;
pub use self::shares::{ContainerdCost, Part, Share};

use self::layer::{Layers, Programs};
use self::measure::{Experiment, Rounds, WARM_UP_PODS, one_by_one};
use self::result::{Bar, LayerResult, OverheadResult, OverheadScenario};
use crate::commands::cli::OverheadArgs;
use crate::commands::error::RunError;
use crate::commands::exit::Verdict;
use crate::commands::print::{self, Text};
use crate::drive::bundle::Bundles;
use crate::drive::engine::Load;
use crate::result::directory::{self, REPORT_FILE, SaveError};
use crate::result::environment::Environment;
use crate::result::header::Header;
use crate::server::containerd;
use crate::server::embedded;
use crate::show::progress::Preparing;
use crate::workload::plan::Plan;
use display::human;

/// Highest share of the sandboxer in the latency of a pod through containerd, in
/// percent.
const SHARE_LIMIT: f64 = 5.0;

/// Highest CPU time of the sandboxer per pod through containerd, in milliseconds.
const CPU_LIMIT_MS: f64 = 1.0;

/// File name of the table.
const TABLE_FILE: &str = "overhead.txt";

/// Measures and saves the result.
///
/// # Errors
/// If there is no result; see [`RunError::is_interruption`].
pub fn run(args: &OverheadArgs, command_line: Vec<String>) -> Result<Verdict, RunError> {
    let style = args.output.style();
    let programs = Programs {
        containerd: if args.no_containerd {
            None
        } else {
            Some(containerd::find(args.containerd.as_deref())?)
        },
        sandboxer: embedded::find(args.sandboxer.as_deref())?,
        handlers: args.handlers.clone(),
        endpoint: args.endpoint.clone(),
    };
    directory::check(&args.output.results)?;
    let stop = style.stop_on_signals()?;
    let plan = args.plan();
    let bundles = {
        let preparing = Preparing::new(style, args.pods);
        let bundles = Bundles::write(&plan, args.pods, &stop, |pods| preparing.done(pods))?;
        bundles.add_streams(&plan, args.pods)?;
        Arc::new(bundles)
    };
    let scenario = scenario(args, &programs);
    let files = args.files.directory();
    let layers = Layers::start(
        &files,
        programs.clone(),
        &args.sandboxer_args,
        args.requests.timeout,
        &stop,
    )?;
    let load = load(args, plan);
    let experiment = Experiment {
        layers: &layers,
        load: load.clone(),
        bundles: &bundles,
        stop: &stop,
        style,
    };
    let started = SystemTime::now();
    let rounds = experiment.run(args.rounds)?;
    let wall = started.elapsed().unwrap_or(Duration::ZERO);

    let (whole, lost) = (rounds.whole, rounds.lost);
    let figures = Figures::of(&rounds, args.requests.seed);
    let problems = rounds.problems();
    let emptied = !lost && problems.left_behind() == 0;
    let stopped = layers.close(&stop, emptied);
    let asked = traced::Asked {
        files: &files,
        programs: &programs,
        args: &args.sandboxer_args,
        load: &load,
        seed: args.requests.seed,
        stop: &stop,
        style,
    };
    let mut traced = if args.spans && !lost {
        asked.run()?
    } else {
        traced::Found::default()
    };
    traced.problems.merge(&problems);
    let complaints = [stopped.complaints.clone(), traced.complaints].concat();
    let errors = crate::result::errors(&traced.problems);
    let mut reasons = figures.reasons;
    let failed: u64 = errors.iter().map(|error| error.count).sum();
    if failed > 0 {
        reasons.push(format!("{} errors", human::count(failed)));
    }
    reasons.extend(complaints.iter().cloned());
    if whole < args.rounds {
        reasons.push(format!("only {whole} of {} rounds were run", args.rounds));
    }
    let result = OverheadResult {
        header: Header::of::<OverheadResult>(command_line, started).with_build(),
        wall_s: wall.as_secs_f64(),
        complete: whole == args.rounds,
        valid: reasons.is_empty(),
        reasons,
        scenario,
        plan_hash: bundles.summary().hash.to_string(),
        added: match &figures.layers[..] {
            [floor, direct, ..] => direct.beyond(floor),
            _ => Vec::new(),
        },
        bars: bars(args.bar, &figures.layers, &figures.shares),
        layers: figures.layers,
        shares: figures.shares,
        containerd_cost: figures.containerd_cost,
        spans: traced.layers,
        errors,
        environment: Environment::of_this_machine(&files),
    };
    let text = Text {
        whole: table::render(&result),
        problems: table::problems(&result),
    };
    let saved = save(args, &result, &stopped.logs).map_err(RunError::from);
    print::result(&args.output, text, saved, &result)?;
    let wrong = failed > 0 || !complaints.is_empty();
    Ok(verdict(&result, wrong))
}

/// Figures of all rounds.
struct Figures {
    layers: Vec<LayerResult>,
    shares: Vec<Share>,
    containerd_cost: Option<ContainerdCost>,
    reasons: Vec<String>,
}

impl Figures {
    fn of(rounds: &Rounds, seed: u64) -> Self {
        let latencies = rounds.latencies();
        let layers = rounds.layers();
        if latencies.is_empty() {
            return Self {
                layers,
                shares: Vec::new(),
                containerd_cost: None,
                reasons: Vec::new(),
            };
        }
        let (shares, mut reasons) = shares::shares(&latencies, seed);
        let (cost, reason) = shares::containerd_cost(&latencies, seed);
        reasons.extend(reason);
        Self {
            layers,
            shares: shares.to_vec(),
            containerd_cost: Some(cost),
            reasons,
        }
    }
}

fn load(args: &OverheadArgs, plan: Plan) -> Load {
    Load {
        timeout: args.requests.timeout,
        plan,
        shape: one_by_one(args.pods),
        connections: 1,
        threads: 1,
        stages: Vec::new(),
        turns: None,
        part: None,
        spans: None,
        speed: 1.0,
    }
}

fn scenario(args: &OverheadArgs, programs: &Programs) -> OverheadScenario {
    OverheadScenario {
        sandboxer: programs.sandboxer.display().to_string(),
        sandboxer_args: args
            .sandboxer_args
            .iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect(),
        containerd: programs
            .containerd
            .as_ref()
            .map(|program| program.display().to_string()),
        handlers: programs.handlers.clone(),
        endpoint: programs.endpoint.as_ref().map(ToString::to_string),
        seed: args.requests.seed,
        rounds: args.rounds,
        pods: args.pods,
        warm_up_pods: WARM_UP_PODS.min(args.pods),
        containers_min: *args.containers.0.start(),
        containers_max: *args.containers.0.end(),
        signal: args.requests.signal_name(),
    }
}

/// Returns the bars of the sandboxer if they are `asked` for; empty without figures.
fn bars(asked: bool, layers: &[LayerResult], shares: &[Share]) -> Vec<Bar> {
    if !asked {
        return Vec::new();
    }
    let bar = |what: &str, unit: &str, limit, found| Bar {
        what: what.to_owned(),
        unit: unit.to_owned(),
        limit,
        found,
        met: found <= limit,
    };
    let share = shares.iter().find(|share| share.part == Part::Sandboxer);
    let share = share.map(|share| {
        let what = "the sandboxer's part of a pod's latency through containerd is";
        bar(what, "%", SHARE_LIMIT, share.share * 100.0)
    });
    let through = layers.iter().find(|l| l.layer == Layer::Containerd);
    let cpu = through
        .filter(|layer| !layer.rounds.is_empty())
        .and_then(|layer| layer.cpu_ms_per_pod("sandboxer"))
        .map(|ms| {
            let what = "the sandboxer's CPU time for a pod through containerd is";
            bar(what, "ms", CPU_LIMIT_MS, ms)
        });
    share.into_iter().chain(cpu).collect()
}

fn save(
    args: &OverheadArgs,
    result: &OverheadResult,
    logs: &[PathBuf],
) -> Result<PathBuf, SaveError> {
    let (results, seed) = (&args.output.results, result.scenario.seed);
    let dir = directory::create(results, "overhead", &result.header.started_at, seed)?;
    directory::document(&dir, result)?;
    directory::text(&dir, TABLE_FILE, &table::render(result))?;
    directory::text(&dir, REPORT_FILE, &page::render(result))?;
    directory::copy(logs, &dir)?;
    Ok(dir)
}

fn verdict(result: &OverheadResult, wrong: bool) -> Verdict {
    if wrong {
        Verdict::WrongAnswers
    } else if !result.valid {
        Verdict::Incomplete
    } else if result.bars.iter().any(|bar| !bar.met) {
        Verdict::Missed
    } else {
        Verdict::Good
    }
}
