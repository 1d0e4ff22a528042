//! `loadgen calibrate`: the variation of one program from run to run on this machine.
//!
//! ```text
//! finds   the slowdowns that a comparison finds with this variation
//! table   the printed calibration
//! ```
//!
//! The document has a part for each command that finds slowdowns: `compare` and `gate`. A
//! further command adds a field to [`Calibration`] and its lines to `table`.

pub mod finds;
pub mod table;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::cli::{CalibrateArgs, GateArgs, TargetArgs};
use super::error::RunError;
use super::execution::Execution;
use super::exit::Verdict;
use super::gate::{self, GateError};
use super::print::{self, Text};
use crate::drive::engine::Load;
use crate::measure::metrics::Monitor;
use crate::measure::session::{self, Workload};
use crate::result::calibration::{Calibration, GateFinds, LEAST_RUNS};
use crate::result::directory;
use crate::result::header::Header;
use crate::result::{RunResult, spread};
use crate::server::Source;
use crate::server::embedded;
use crate::show::progress::Style;
use crate::show::table as of_run;
use crate::stop::Stop;
use display::human;
use display::output::Form;

/// Scenario without a name on the command line.
const SCENARIO: &str = "churn";

/// Highest number of runs.
const MOST_RUNS: u32 = 1000;

/// Makes the runs, each with a newly started server, and saves their spread.
///
/// # Errors
/// If there is no calibration; see [`RunError::is_interruption`].
pub fn run(args: &CalibrateArgs, command_line: &[String]) -> Result<Verdict, RunError> {
    let scenario = args.scenario().resolve(SCENARIO)?;
    let (workload, load) = (Workload::from(&scenario), Load::of(&scenario));
    let (target, output) = (args.target.of(&scenario)?, &args.output);
    let style = output.style();
    let source = Source::of(&target)?;
    directory::check(&output.results)?;
    let stop = style.stop_on_signals()?;
    let prepared = session::prepare(&target, &load, &stop, style)?;
    style.say(&format!(
        "Running {} pods again and again, plan {}",
        human::count(load.pods()),
        prepared.summary.hash,
    ));
    let execution = Execution {
        workload: &workload,
        load: &load,
        target: &target,
        source: source.clone(),
        prepared: &prepared,
        start_at: None,
        collector: None,
        cpu_profile: false,
        calibration: None,
        command_line,
        stop: &stop,
        style,
    };
    let (started, since) = (SystemTime::now(), Instant::now());
    let mut runs: Vec<RunResult> = Vec::new();
    while is_due(args, runs.len(), since.elapsed()) {
        if stop.requested() {
            return Err(RunError::NoRun);
        }
        let made = execution.run(&Monitor::default())?;
        if !made.result.valid {
            return refuse(args, &made.result, made.is_wrong());
        }
        runs.push(made.result);
    }
    let wall = since.elapsed();
    let gate = match (&source, args.no_gate) {
        (Source::Sandboxer(program), false)
            if embedded::stated_directory(&target.sandboxer_args).is_none() =>
        {
            Some(gate_finds(program, &args.target, &stop, style)?)
        }
        _ => None,
    };
    let header = Header::of::<Calibration>(command_line.to_vec(), started).with_build();
    let calibration = Calibration {
        gate,
        ..document(header, wall, &runs)?
    };
    let text = Text {
        whole: table::render(&calibration, Form::Text),
        problems: String::new(),
    };
    let saved = directory::calibration(&output.results, &calibration);
    let saved: Result<PathBuf, RunError> = saved.map_err(RunError::from);
    print::result(output, text, saved, &calibration)?;
    Ok(Verdict::Good)
}

/// Runs the first blocks of a gate of the program with itself. Two programs of a gate cannot
/// share the directory that an argument may state.
fn gate_finds(
    program: &Path,
    target: &TargetArgs,
    stop: &Stop,
    style: Style,
) -> Result<GateFinds, RunError> {
    let not_calibrated = |reason: String| RunError::NotCalibrated { reason };
    style.say("Running the first blocks of a gate, in turns on one CPU");
    let gate = GateArgs::of_one(&program.to_string_lossy());
    let gate = GateArgs {
        sandboxer_args: target.sandboxer_args.clone(),
        files: target.files.clone(),
        ..gate.map_err(|error| not_calibrated(error.to_string()))?
    };
    let finds = gate::finds(&gate, stop).map_err(|error| match error {
        GateError::Run(error) => error,
        other => not_calibrated(other.to_string()),
    })?;
    finds.ok_or_else(|| not_calibrated("a block of the gate had errors".to_owned()))
}

/// Returns whether another run is to be made.
fn is_due(args: &CalibrateArgs, made: usize, elapsed: Duration) -> bool {
    let made = u32::try_from(made).unwrap_or(u32::MAX);
    match args.runs {
        Some(runs) => made < runs,
        None => made < LEAST_RUNS || elapsed < args.time() && made < MOST_RUNS,
    }
}

/// Prints the problems of a run that is not valid; its machine is not calibrated by it.
fn refuse(args: &CalibrateArgs, run: &RunResult, is_wrong: bool) -> Result<Verdict, RunError> {
    let problems = of_run::problems(run);
    let text = Text {
        whole: problems.clone(),
        problems,
    };
    let unsaved = Err(RunError::NotCalibrated {
        reason: "a run was not valid".to_owned(),
    });
    match print::result(&args.output, text, unsaved, run) {
        Err(RunError::NotCalibrated { .. }) if is_wrong => Ok(Verdict::WrongAnswers),
        Err(RunError::NotCalibrated { .. }) => Ok(Verdict::Incomplete),
        printed => printed.map(|()| Verdict::Incomplete),
    }
}

/// Returns the calibration from the runs.
///
/// # Errors
/// [`RunError::NotCalibrated`] without a run.
fn document(header: Header, wall: Duration, runs: &[RunResult]) -> Result<Calibration, RunError> {
    let first = runs.first().ok_or_else(|| RunError::NotCalibrated {
        reason: "there is no run".to_owned(),
    })?;
    let figures = spread::of(runs);
    Ok(Calibration {
        header,
        wall_s: wall.as_secs_f64(),
        scenario: first.scenario.clone(),
        plan_hash: first.plan_hash.clone(),
        environment: first.environment.clone(),
        runs: runs.len(),
        compare: finds::compare(&figures, runs.len()),
        gate: None,
        figures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    #[test]
    fn a_calibration_carries_its_spread_and_survives_json() {
        let runs: Vec<RunResult> = [1.0, 1.02, 0.97, 1.01, 1.0]
            .map(|factor| {
                let mut run = example();
                run.processes[0].usage.cpu_user_s *= factor;
                run
            })
            .to_vec();
        let header = Header::of::<Calibration>(Vec::new(), SystemTime::UNIX_EPOCH);
        let calibration = document(header, Duration::from_secs(9), &runs).unwrap();
        assert_eq!(calibration.runs, 5);
        let counts: Vec<usize> = calibration.compare.iter().map(|finds| finds.runs).collect();
        assert_eq!(counts, finds::RUNS_A_SIDE);
        let json = serde_json::to_string(&calibration).unwrap();
        let read: Calibration = crate::result::parse_as(&json).unwrap();
        assert_eq!(read, calibration);
        let carried = read.spread();
        let cpu = carried
            .figures
            .iter()
            .find(|f| f.figure.is_cpu_under_test())
            .unwrap();
        assert!(cpu.spread > 0.005 && cpu.spread < 0.03, "{cpu:?}");
        assert!(cpu.values.is_empty());
        let text = table::render(&calibration, Form::Text);
        assert!(text.contains("sandboxer CPU per pod"), "{text}");
    }

    #[test]
    fn no_run_calibrates_nothing() {
        let header = Header::of::<Calibration>(Vec::new(), SystemTime::UNIX_EPOCH);
        assert!(document(header, Duration::ZERO, &[]).is_err());
    }
}
