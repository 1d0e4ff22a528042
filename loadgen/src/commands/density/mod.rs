//! `loadgen density`: cost of a living pod for each process.
//!
//! The pods of the scenario are started and stay, and the processes are sampled at
//! several densities. The cost of a pod is the slope of a line through the densities,
//! so the needs of a process without pods are not part of it.

pub mod table;

use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, SystemTime};

use crate::commands::cli::DensityArgs;
use crate::commands::error::RunError;
use crate::commands::exit::Verdict;
use crate::commands::print::{self, Text};
use crate::drive::engine::{Load, Shape};
use crate::measure::session::{self, Session};
use crate::process::sampler::Process;
use crate::process::{self, Look};
use crate::record::tape::{Listener, Part};
use crate::result as run_result;
use crate::result::density::{self as result, DensityResult, Point, ProcessPoint};
use crate::result::directory::{self, SaveError};
use crate::result::environment::Environment;
use crate::result::header::Header;
use crate::server::Source;
use crate::show::progress::{Reporter, Style};
use crate::show::report;
use crate::workload::scenario::{Lifecycle, LoadShape, Scenario};
use display::human;
use display::output::Form;

/// Time between the start of the last pod and the sample: longer than any delayed
/// work of a sandboxer (views at most 100 ms).
const SETTLE: Duration = Duration::from_millis(500);

/// Scenario without a name on the command line.
const DEFAULT: &str = "density";

/// File name of the table.
const TABLE_FILE: &str = "density.txt";

/// Listener that samples the processes at each density.
struct AtHold {
    processes: Vec<Process>,
    style: Style,
    seen: Sender<Point>,
}

impl Listener for AtHold {
    fn interval(&mut self, _number: u32, _part: &Part) {}

    fn held(&mut self, pods: u64) {
        self.style
            .say(&format!("Looking at {} pods", human::count(pods)));
        std::thread::sleep(SETTLE);
        let processes = look(&self.processes);
        // A send fails only if the receiver no longer needs the point.
        let _ = self.seen.send(Point { pods, processes });
    }
}

fn look(processes: &[Process]) -> Vec<ProcessPoint> {
    let of = |(role, pid): &Process| {
        let sample = process::sample(*pid, Duration::ZERO, Look::Thorough)?;
        Some(ProcessPoint {
            role: (*role).to_owned(),
            rss_bytes: sample.rss_bytes,
            pss_bytes: sample.pss_bytes,
            threads: sample.threads,
            fds: sample.fds,
        })
    };
    processes.iter().filter_map(of).collect()
}

/// Measures and saves the result.
///
/// # Errors
/// If there is no result; see [`RunError::is_interruption`].
pub fn run(args: &DensityArgs, command_line: Vec<String>) -> Result<Verdict, RunError> {
    let output = &args.output;
    let style = output.style();
    let scenario = held(args.scenario.resolve(DEFAULT)?)?;
    let target = args.target.of(&scenario)?;
    let mut load = Load::of(&scenario);
    load.stages = args.densities(load.pods());
    if let Shape::Closed(closed) = &mut load.shape {
        closed.pods = load.stages.last().copied().unwrap_or(closed.pods);
    }
    directory::check(&output.results)?;
    let stop = style.stop_on_signals()?;
    let source = Source::of(&target)?;
    let prepared = session::prepare(&target, &load, &stop, style)?;
    let session = Session::open(source, &target, &load, &stop)?;
    let setup = session.setup(&(&scenario).into(), &load);
    let started = SystemTime::now();
    let (seen, points) = channel();
    let measured = {
        let observer = AtHold {
            processes: session.processes(),
            style,
            seen,
        };
        let counters = load.counters();
        let _reporter = Reporter::start(style, load.pods(), counters.clone());
        session.run(&load, &prepared, &counters, observer)?
    };
    let emptied = !measured.lost && measured.recorder.left_behind() == 0;
    let complaints = session.close(emptied).map(|stopped| stopped.complaints);
    let complaints = complaints.unwrap_or_default();
    let points: Vec<Point> = points.try_iter().collect();

    let mut reasons = Vec::new();
    let errors = measured.recorder.errors_in_all();
    if errors > 0 {
        reasons.push(format!("{} errors", human::count(errors)));
    }
    if points.len() < load.stages.len() {
        let (done, wanted) = (points.len(), load.stages.len());
        reasons.push(format!("only {done} of {wanted} densities were measured"));
    }
    reasons.extend(complaints.iter().cloned());
    let result = DensityResult {
        header: Header::of::<DensityResult>(command_line, started),
        valid: reasons.is_empty(),
        reasons,
        scenario: setup,
        plan_hash: prepared.summary.hash.to_string(),
        per_pod: result::per_pod(&points),
        points,
        errors: run_result::errors(&measured.recorder),
        environment: Environment::of_this_machine(&target.files),
    };
    let text = Text {
        whole: table::render(&result, Form::Text),
        problems: table::problems(&result),
    };
    let saved = save(args, &result).map_err(RunError::from);
    print::result(output, text, saved, &result)?;
    Ok(if !result.errors.is_empty() || !complaints.is_empty() {
        Verdict::WrongAnswers
    } else if result.valid {
        Verdict::Good
    } else {
        Verdict::Incomplete
    })
}

/// Returns the scenario with held pods and without a warm-up, started by a closed
/// loop.
fn held(mut scenario: Scenario) -> Result<Scenario, RunError> {
    scenario.pods.lifecycle = Lifecycle::Held;
    match &mut scenario.load {
        LoadShape::Closed(closed) => {
            closed.warm_up_pods = 0;
            closed.duration = None;
            Ok(scenario)
        }
        LoadShape::Open { .. } => Err(RunError::NotClosed {
            scenario: scenario.name,
        }),
    }
}

fn save(args: &DensityArgs, result: &DensityResult) -> Result<PathBuf, SaveError> {
    let seed = result.scenario.seed;
    let dir = directory::create(
        &args.output.results,
        "density",
        &result.header.started_at,
        seed,
    )?;
    directory::document(&dir, result)?;
    directory::text(&dir, TABLE_FILE, &table::render(result, Form::Text))?;
    directory::text(&dir, directory::REPORT_FILE, &report::of_density(result))?;
    Ok(dir)
}
