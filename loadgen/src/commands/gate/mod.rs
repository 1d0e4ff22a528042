//! `loadgen gate`: test for a slower sandboxer, containerd or runtime.
//!
//! ```text
//! program    files, revisions to build, or running servers
//! block      rounds of both programs in turns of a few pods; round, the figures of one
//! sequence   blocks until a look decides or the time is over
//! decide     after each look: pass, fail, or go on
//! forecast   the increases that the gate can find, and the time that they take
//! result     the saved document; table, its printed form
//! ```
//!
//! The cost of a pod decides first, the CPU time or the cycles of the program: of the measured
//! figures, a shared machine disturbs it least. The median latency of a pod decides as
//! well, with a larger minimum effect, because waiting for a lock or a disk costs no
//! CPU time.

pub mod block;
pub mod decide;
mod error;
pub mod forecast;
pub mod page;
pub mod program;
pub mod result;
pub mod round;
pub mod sequence;
#[cfg(test)]
mod simulated;
pub mod table;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub use self::error::GateError;

use self::block::Experiment;
use self::decide::{Decision, Metric, Terms};
use self::program::Programs;
use self::result::{GateResult, GateScenario};
use self::sequence::{Cpus, Length};
use crate::commands::cli::{GateArgs, is_stdout};
use crate::commands::error::RunError;
use crate::commands::exit::Verdict;
use crate::commands::print::{self, Text};
use crate::drive::driver::DriverKind;
use crate::drive::engine::{Load, Shape};
use crate::measure::session::{self, Prepared};
use crate::process::counters::Counted;
use crate::process::{affinity, counters};
use crate::result::calibration::GateFinds;
use crate::result::directory::{self, REPORT_FILE, SaveError};
use crate::result::environment::{self, Environment};
use crate::result::header::Header;
use crate::scratch::Scratch;
use crate::server::Target;
use crate::server::subject::Subject;
use crate::show::progress::Style;
use crate::stop::Stop;
use crate::workload::scenario::Closed;

/// Turns of each program in the warm-up of a block, for connections, caches and pools.
const WARM_UP_TURNS: u64 = 12;

/// Number of connections that the pods under way share.
const CONNECTIONS: u32 = 4;

/// File name of the table.
const TABLE_FILE: &str = "gate.txt";

/// Compares two programs and saves the result.
///
/// # Errors
/// If there is no result; see [`GateError::is_interruption`].
pub fn run(args: &GateArgs, command_line: Vec<String>) -> Result<Verdict, GateError> {
    let style = args.output.style();
    let counted = counted(args);
    let (terms, length) = (terms(args, &counted), length(args));
    // Refuses too few blocks before anything is built.
    sequence::rule(terms, length.most_blocks, 0).map_err(|needed| GateError::TooFewBlocks {
        needed,
        alpha: args.alpha,
    })?;
    let cpus = cpus(args)?;
    directory::check(&args.output.results).map_err(RunError::from)?;
    let stop = style.stop_on_signals().map_err(RunError::from)?;
    let parts = Parts::prepare(args, &stop, style)?;
    let (programs, logs) = (&parts.programs, &parts.logs);
    let experiment = parts.experiment(args, &counted, &stop);
    let started = SystemTime::now();
    let gate = experiment.sequence(terms, length, &cpus, args.requests.seed, style)?;
    let result = GateResult {
        header: Header::of::<GateResult>(command_line, started).with_build(),
        wall_s: gate.took.as_secs_f64(),
        decision: gate.decision,
        reasons: gate.reasons(length),
        scenario: scenario(args, &experiment),
        base: programs.base.clone(),
        head: programs.head.clone(),
        plan_hash: parts.prepared.summary.hash.to_string(),
        rule: gate.rule,
        counters: result::Counters::of(&counted),
        forecast: gate.forecast,
        metrics: gate.metrics,
        blocks: gate.blocks,
        errors: crate::result::errors(&gate.problems),
        complaints: gate.complaints,
        environment: Environment::of_this_machine(&parts.targets[0].files),
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

/// Runs the first blocks of a gate, and returns the increases that a gate of the same length finds
/// on this machine; `None` if a block had errors or a stop was requested.
///
/// # Errors
/// As [`run`].
pub fn finds(args: &GateArgs, stop: &Stop) -> Result<Option<GateFinds>, GateError> {
    let counted = counted(args);
    let terms = terms(args, &counted);
    let parts = Parts::prepare(args, stop, Style::Silent)?;
    let experiment = parts.experiment(args, &counted, stop);
    let first_look = Length {
        time: Duration::ZERO,
        most_blocks: None,
    };
    let seed = args.requests.seed;
    let gate = experiment.sequence(terms, first_look, &cpus(args)?, seed, Style::Silent)?;
    Ok(gate.finds(terms, length(args)))
}

/// Programs and files of a gate.
struct Parts {
    programs: Programs,
    targets: [Target; 2],
    prepared: Prepared,
    logs: Scratch,
}

impl Parts {
    /// Finds or builds the programs, and prepares the load.
    fn prepare(args: &GateArgs, stop: &Stop, style: Style) -> Result<Self, GateError> {
        if args.drivers()[0] != args.drivers()[1] {
            return Err(GateError::Unlike {
                drivers: args.drivers(),
            });
        }
        let programs = Programs::of(&args.base, &args.head, stop, style)?;
        let [base, head] = &programs.subjects;
        let targets = [target(args, base, &[]), target(args, head, &args.head_args)];
        let prepared = session::prepare(&targets[0], &load(args), stop, style);
        Ok(Self {
            programs,
            targets,
            prepared: prepared.map_err(RunError::from)?,
            logs: Scratch::new("gate-logs").map_err(GateError::Directory)?,
        })
    }

    fn experiment<'a>(
        &'a self,
        args: &'a GateArgs,
        counted: &io::Result<Counted>,
        stop: &'a Stop,
    ) -> Experiment<'a> {
        let load = load(args);
        let at_once = u64::from(args.concurrency());
        let warm_up = WARM_UP_TURNS * at_once;
        Experiment {
            targets: &self.targets,
            prepared: &self.prepared,
            logs: self.logs.path(),
            warm_up: Load {
                shape: closed(args, args.pods().min(warm_up)),
                ..load.clone()
            },
            at_once,
            load,
            counted: counted.as_ref().ok().copied(),
            stop,
        }
    }
}

/// Returns the target of the load on a subject, with arguments of its sandboxer alone.
fn target(args: &GateArgs, subject: &Subject, own: &[OsString]) -> Target {
    subject.target(Target {
        sandboxer_args: [&args.sandboxer_args, own].concat(),
        ..Target::new(args.target, args.files.directory())
    })
}

/// Finds out what the machine counts of both programs, which are sandboxers: they run no other
/// processes.
fn counted(args: &GateArgs) -> io::Result<Counted> {
    if args.drivers().contains(&DriverKind::Cri) {
        return Err(io::Error::other("the subjects run several processes"));
    }
    counters::available()
}

fn terms(args: &GateArgs, counted: &io::Result<Counted>) -> Terms {
    let share = |percent: f64| percent / 100.0;
    Terms {
        min_effect: share(args.min_effect),
        min_latency_effect: share(args.min_latency_effect),
        alpha: args.alpha,
        cost: Metric::of_cost(counted.as_ref().ok().copied()),
    }
}

fn length(args: &GateArgs) -> Length {
    Length {
        time: Duration::from_secs_f64(args.max_minutes * 60.0),
        most_blocks: args.max_blocks,
    }
}

/// Returns the CPUs from which the blocks draw theirs: none if a subject was running before and
/// cannot be confined.
///
/// # Errors
/// If the machine has fewer CPUs than the option asks for, or the kernel does not tell.
fn cpus(args: &GateArgs) -> Result<Cpus, GateError> {
    let is_running = |subject: &Subject| matches!(subject, Subject::Endpoint { .. });
    let confined = !is_running(&args.base) && !is_running(&args.head);
    let Some(per_block) = args.cpus.number().filter(|_| confined) else {
        return Ok(Cpus {
            allowed: Vec::new(),
            per_block: 0,
        });
    };
    let allowed = affinity::allowed().map_err(GateError::Cpus)?;
    if allowed.len() < per_block {
        return Err(GateError::TooFewCpus {
            asked: per_block,
            allowed: allowed.len(),
        });
    }
    Ok(Cpus { allowed, per_block })
}

fn load(args: &GateArgs) -> Load {
    let connections = args.concurrency().min(CONNECTIONS);
    Load {
        timeout: args.requests.timeout,
        plan: args.plan(),
        shape: closed(args, args.pods()),
        connections: usize::try_from(connections).unwrap_or(1),
        threads: 1,
        stages: Vec::new(),
        turns: None,
        part: None,
        spans: None,
        speed: 1.0,
    }
}

/// Returns a closed loop of `pods` pods, one after the other on each worker.
fn closed(args: &GateArgs, pods: u64) -> Shape {
    Shape::Closed(Closed {
        concurrency: args.concurrency(),
        pods,
        warm_up_pods: 0,
        duration: None,
    })
}

fn scenario(args: &GateArgs, experiment: &Experiment<'_>) -> GateScenario {
    let words = |args: &[OsString]| {
        args.iter()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect()
    };
    GateScenario {
        target: args.drivers()[0].to_string(),
        sandboxer_args: words(&args.sandboxer_args),
        head_args: words(&args.head_args),
        files_on: environment::file_system(&args.files.directory()),
        seed: args.requests.seed,
        pods: experiment.load.pods(),
        warm_up_pods: experiment.warm_up.pods(),
        containers_min: *args.containers().0.start(),
        containers_max: *args.containers().0.end(),
        signal: args.requests.signal_name(),
        concurrency: args.concurrency(),
        connections: experiment.load.connections,
        timeout_s: args.requests.timeout.as_secs_f64(),
        cpus: match cpus(args) {
            Ok(cpus) if cpus.per_block == 0 => "all".to_owned(),
            _ => args.cpus.to_string(),
        },
        max_minutes: args.max_minutes,
        max_blocks: args.max_blocks,
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
    directory::text(&dir, REPORT_FILE, &page::render(result))?;
    Ok(dir)
}

/// Appends to the file, after text that other programs may have written.
fn append(file: &Path, text: &str) -> Result<(), RunError> {
    if is_stdout(file) {
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
