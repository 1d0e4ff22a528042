//! `loadgen gate`: test for a slower build of the sandboxer.
//!
//! ```text
//! program    files, or revisions to build
//! block      rounds of both programs with the same pods, A B B A or B A A B
//! decide     after each look: pass, fail, or go on
//! result     the saved document; table, its printed form
//! ```
//!
//! The CPU time of the sandboxer per pod decides first: of the measured figures, a
//! shared machine disturbs it least. On two cores shared by client, sandboxer and
//! other programs, latencies and rates of one program vary by a quarter from round to
//! round, and its CPU time by a few percent. The median latency of a pod decides as
//! well, with a larger minimum effect, because waiting for a lock or a disk costs no
//! CPU time.

pub mod block;
pub mod decide;
mod error;
pub mod program;
pub mod result;
#[cfg(test)]
mod simulated;
pub mod table;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use self::block::{Block, Experiment, Order, ROUNDS_PER_BLOCK};
pub use self::error::GateError;

use self::decide::{Decision, Judged, Metric, Rule, Standing};
use self::program::Programs;
use self::result::{GateResult, GateScenario};
use crate::commands::cli::GateArgs;
use crate::commands::error::RunError;
use crate::commands::exit::Verdict;
use crate::commands::print::{self, Text};
use crate::drive::bundle::Bundles;
use crate::drive::engine::{Load, Shape};
use crate::record::recorder::Recorder;
use crate::result::directory::{self, SaveError};
use crate::result::environment::{self, Environment};
use crate::result::header::Header;
use crate::scratch::Scratch;
use crate::show::progress::{Preparing, Style};
use crate::workload::scenario::Closed;

/// Warm-up pods before the rounds of a block, for connections, caches and pools.
const WARM_UP_PODS: u64 = 100;

/// Number of connections that the pods under way share.
const CONNECTIONS: u32 = 4;

/// File name of the table.
const TABLE_FILE: &str = "gate.txt";

/// File name that stands for standard output.
const STDOUT: &str = "-";

/// State of a gate after its blocks.
struct Gate {
    blocks: Vec<Block>,
    metrics: Vec<Judged>,
    decision: Decision,
    problems: Recorder,
    complaints: Vec<String>,
}

/// Compares two programs and saves the result.
///
/// # Errors
/// If there is no result; see [`GateError::is_interruption`].
pub fn run(args: &GateArgs, command_line: Vec<String>) -> Result<Verdict, GateError> {
    let style = args.output.style();
    let percent = |percent: f64| percent / 100.0;
    let rule = Rule::new(
        percent(args.min_effect),
        percent(args.min_latency_effect),
        args.alpha,
        args.max_rounds / ROUNDS_PER_BLOCK,
    )
    .map_err(|blocks| GateError::TooFewRounds {
        needed: blocks * ROUNDS_PER_BLOCK,
        alpha: args.alpha,
    })?;
    directory::check(&args.output.results).map_err(RunError::from)?;
    let stop = style.stop_on_signals().map_err(RunError::from)?;
    let programs = Programs::of(&args.base, &args.head, &stop, style)?;
    let plan = args.plan();
    let bundles = {
        let preparing = Preparing::new(style, args.pods);
        let bundles = Bundles::write(&plan, args.pods, &stop, |pods| preparing.done(pods));
        Arc::new(bundles.map_err(RunError::from)?)
    };
    let load = load(args);
    let logs = Scratch::new("gate-logs").map_err(GateError::Directory)?;
    let files = files(args);
    let experiment = Experiment {
        programs: &programs,
        args: &args.sandboxer_args,
        head_args: &args.head_args,
        files: &files,
        logs: logs.path(),
        target: args.target,
        warm_up: Load {
            shape: closed(args, args.pods.min(WARM_UP_PODS)),
            ..load.clone()
        },
        load,
        bundles: &bundles,
        stop: &stop,
    };
    let started = SystemTime::now();
    let gate = experiment.run(&rule, args.requests.seed, style)?;
    let result = GateResult {
        header: Header::of::<GateResult>(command_line, started).with_build(),
        wall_s: started.elapsed().unwrap_or(Duration::ZERO).as_secs_f64(),
        decision: gate.decision,
        reasons: gate.reasons(&rule),
        scenario: scenario(args, &experiment),
        base: programs.base.clone(),
        head: programs.head.clone(),
        plan_hash: bundles.summary().hash.to_string(),
        rule,
        metrics: gate.metrics,
        blocks: gate.blocks,
        errors: crate::result::errors(&gate.problems),
        complaints: gate.complaints,
        environment: Environment::of_this_machine(),
    };
    let text = Text {
        whole: table::text(&result),
        problems: table::problems(&result),
    };
    let saved = save(args, &result, logs.path());
    print::result(&args.output, text, saved, &result)?;
    if let Some(file) = &args.markdown {
        append(file, &table::markdown(&result))?;
    }
    Ok(verdict(&result))
}

impl Experiment<'_> {
    /// Runs blocks until a look decides, all blocks are run, an error occurs, or a
    /// stop is requested.
    fn run(&self, rule: &Rule, seed: u64, style: Style) -> Result<Gate, RunError> {
        let mut coin = ChaCha8Rng::seed_from_u64(seed);
        let (metrics, decision) = rule.judge(&[]);
        let mut gate = Gate {
            blocks: Vec::new(),
            metrics,
            decision,
            problems: Recorder::default(),
            complaints: Vec::new(),
        };
        let most = rule.looks.last().copied().unwrap_or_default();
        for number in 1..=most {
            if self.stop.requested() {
                break;
            }
            let order = if coin.next_u32().is_multiple_of(2) {
                Order::BaseOutside
            } else {
                Order::HeadOutside
            };
            let ended = match self.block(order) {
                // Blocks measured before the interruption remain valid.
                Err(error) if error.is_interruption() && !self.stop.aborted() => break,
                ended => ended?,
            };
            gate.problems.merge(&ended.problems);
            gate.complaints.extend(ended.complaints);
            let Some(block) = ended.block else {
                break;
            };
            gate.blocks.push(block);
            let (metrics, decision) = rule.judge(&gate.blocks);
            style.say(&format!(
                "Block {number} of at most {most}: {} {}",
                Metric::CpuPerPod.name(),
                table::signed(metrics[0].change)
            ));
            gate.metrics = metrics;
            if rule.looks_after(gate.blocks.len()) {
                gate.decision = decision;
            }
            if gate.decision != Decision::Undecided {
                break;
            }
        }
        Ok(gate)
    }
}

impl Gate {
    /// Returns the reasons for an undecided gate; empty for a decision.
    fn reasons(&self, rule: &Rule) -> Vec<String> {
        if self.decision != Decision::Undecided {
            return Vec::new();
        }
        let most = rule.looks.last().copied().unwrap_or_default();
        if self.blocks.len() < most as usize {
            return vec![format!(
                "only {} of {most} blocks were run",
                self.blocks.len()
            )];
        }
        let open = self.metrics.iter().filter(|m| m.standing == Standing::Open);
        open.map(|metric| {
            let most = metric.at_most.map_or_else(|| "?".to_owned(), table::signed);
            let change = table::signed(metric.change);
            format!(
                "{} changed by {change}, with an upper bound of {most}: too noisy for this \
                 number of rounds, or too close to the minimum effect",
                metric.metric.name()
            )
        })
        .collect()
    }
}

fn load(args: &GateArgs) -> Load {
    let connections = args.concurrency.min(CONNECTIONS);
    Load {
        timeout: args.requests.timeout,
        plan: args.plan(),
        shape: closed(args, args.pods),
        connections: usize::try_from(connections).unwrap_or(1),
        threads: 1,
        stages: Vec::new(),
        speed: 1.0,
    }
}

/// Returns a closed loop of `pods` pods, one after the other on each worker.
fn closed(args: &GateArgs, pods: u64) -> Shape {
    Shape::Closed(Closed {
        concurrency: args.concurrency,
        pods,
        warm_up_pods: 0,
        duration: None,
    })
}

/// Returns the directory for files of the sandboxers: by default in memory, so that
/// no disk affects the figures.
fn files(args: &GateArgs) -> PathBuf {
    args.files
        .clone()
        .unwrap_or_else(crate::drive::bundle::roomy)
}

fn scenario(args: &GateArgs, experiment: &Experiment<'_>) -> GateScenario {
    let words = |args: &[std::ffi::OsString]| {
        args.iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect()
    };
    GateScenario {
        target: args.target.to_string(),
        sandboxer_args: words(&args.sandboxer_args),
        head_args: words(&args.head_args),
        files_on: environment::file_system(experiment.files),
        seed: args.requests.seed,
        pods: experiment.load.pods(),
        warm_up_pods: experiment.warm_up.pods(),
        containers_min: *args.containers.0.start(),
        containers_max: *args.containers.0.end(),
        signal: args.requests.signal_name(),
        concurrency: args.concurrency,
        connections: experiment.load.connections,
        timeout_s: args.requests.timeout.as_secs_f64(),
        max_rounds: args.max_rounds,
    }
}

fn save(args: &GateArgs, result: &GateResult, logs: &Path) -> Result<PathBuf, GateError> {
    let dir = save_document(args, result).map_err(RunError::from)?;
    let logs = fs::read_dir(logs).map_err(GateError::Directory)?;
    let logs: Vec<PathBuf> = logs.flatten().map(|entry| entry.path()).collect();
    directory::copy(&logs, &dir).map_err(RunError::from)?;
    Ok(dir)
}

fn save_document(args: &GateArgs, result: &GateResult) -> Result<PathBuf, SaveError> {
    let (results, seed) = (&args.output.results, args.requests.seed);
    let dir = directory::create(results, "gate", &result.header.started_at, seed)?;
    directory::document(&dir, result)?;
    directory::text(&dir, TABLE_FILE, &table::text(result))?;
    Ok(dir)
}

/// Appends to the file, after text that other programs may have written.
fn append(file: &Path, text: &str) -> Result<(), RunError> {
    if file == Path::new(STDOUT) {
        return Ok(print::to_stdout(text)?);
    }
    File::options()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut out| out.write_all(text.as_bytes()))
        .map_err(|source| {
            RunError::Save(SaveError {
                path: file.to_owned(),
                source,
            })
        })
}

fn verdict(result: &GateResult) -> Verdict {
    match result.decision {
        _ if table::is_wrong(result) => Verdict::WrongAnswers,
        Decision::Pass => Verdict::Good,
        Decision::Fail => Verdict::Missed,
        Decision::Undecided => Verdict::Incomplete,
    }
}
