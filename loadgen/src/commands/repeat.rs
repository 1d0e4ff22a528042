//! `loadgen run --repeat`: several runs of one load, each with a newly started server.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::cli::OutputArgs;
use super::error::RunError;
use super::execution::{Execution, Made, Place};
use super::exit::Verdict;
use super::print::{self, Text};
use crate::measure::metrics::Monitor;
use crate::result::baseline::BaselineName;
use crate::result::calibration::Calibration;
use crate::result::directory::{self, SaveError};
use crate::result::environment::Environment;
use crate::result::header::rfc3339;
use crate::result::machine_spread::MachineSpread;
use crate::result::repeated::{self, RepeatedResult};
use crate::result::slo::{self, Outcome, Slo};
use crate::result::{self, RunResult};
use crate::show::repeated as table;
use display::output::Form;

/// Number, outputs and thresholds of repeated runs.
#[derive(Debug, Clone, Copy)]
pub struct Repeated<'a> {
    /// Number of runs.
    pub repeat: u32,
    /// Form and place of the results.
    pub output: &'a OutputArgs,
    /// Thresholds for each run.
    pub slo: &'a [Slo],
    /// Name of a baseline to keep.
    pub save_baseline: Option<&'a BaselineName>,
}

/// Makes the runs one after another, saves each of them when it ends, and then their summary.
/// Thresholds are judged on each run, and every run must meet them.
///
/// # Errors
/// If there is no result; see [`RunError::is_interruption`].
pub fn run(
    execution: &Execution<'_>,
    asked: Repeated<'_>,
    monitor: &Monitor,
) -> Result<Verdict, RunError> {
    let Repeated {
        repeat,
        output,
        slo,
        save_baseline,
    } = asked;
    let started = rfc3339(SystemTime::now());
    let dir = directory::create(&output.results, "runs", &started, execution.workload.seed)?;
    let mut runs = Runs::default();
    let failed = runs.make(execution, repeat, &dir, slo, monitor).err();
    let command_line = execution.command_line.to_vec();
    let Some(summary) = RepeatedResult::of(command_line, repeat, &runs.results) else {
        // Without a run the directory is empty.
        let _ = fs::remove_dir(&dir);
        return Err(failed.unwrap_or(RunError::NoRun));
    };
    let text = Text {
        whole: table::render(&summary, Form::Text) + &runs.outcomes,
        problems: table::problems(&summary) + &runs.missed,
    };
    let saved = runs.saved.and(directory::document(&dir, &summary));
    let baseline = save_baseline.map(|name| name.save(&dir, &output.results));
    let saved = saved.and(baseline.transpose().map(|_| ()));
    let saved = saved.map(|()| dir).map_err(RunError::from);
    print::result(output, text, saved, &summary)?;
    let whole = if summary.valid {
        Verdict::Good
    } else {
        Verdict::Incomplete
    };
    match failed {
        Some(failed) if !failed.is_interruption() => Err(failed),
        _ => Ok(worse(runs.verdict, whole)),
    }
}

/// Runs that were made.
struct Runs {
    results: Vec<RunResult>,
    /// Worst verdict of them.
    verdict: Verdict,
    /// Lines of all thresholds, and of the missed ones.
    outcomes: String,
    missed: String,
    /// First failure to save one.
    saved: Result<(), SaveError>,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            results: Vec::new(),
            verdict: Verdict::Good,
            outcomes: String::new(),
            missed: String::new(),
            saved: Ok(()),
        }
    }
}

impl Runs {
    /// Makes the runs until all are made, a stop is requested, or one cannot be made.
    fn make(
        &mut self,
        execution: &Execution<'_>,
        repeat: u32,
        dir: &Path,
        slo: &[Slo],
        monitor: &Monitor,
    ) -> Result<(), RunError> {
        for number in 1..=repeat {
            if execution.stop.requested() {
                break;
            }
            execution.style.say(&format!("Run {number} of {repeat}"));
            let made = execution.run(monitor)?;
            let place = dir.join(repeated::directory_of(number));
            self.add(number, made, &place, slo);
        }
        Ok(())
    }

    fn add(&mut self, number: u32, made: Made, place: &Path, slo: &[Slo]) {
        let held = slo::check(slo, &made.result);
        for outcome in &held {
            let line = format!("run {number}: {outcome}\n");
            self.outcomes += &line;
            if !outcome.met {
                self.missed += &line;
            }
        }
        self.verdict = worse(self.verdict, of_run(&made, &held));
        let (result, saved) = made.save(Place::New(place));
        self.saved = std::mem::replace(&mut self.saved, Ok(())).and(saved.map(drop));
        self.results.push(result);
    }
}

fn of_run(made: &Made, held: &[Outcome]) -> Verdict {
    if made.is_wrong() {
        Verdict::WrongAnswers
    } else if held.iter().any(|outcome| !outcome.met) {
        Verdict::Missed
    } else {
        Verdict::Good
    }
}

/// Returns the verdict that counts of two runs: wrong answers before an incomplete
/// measurement, and that before a missed threshold.
fn worse(one: Verdict, other: Verdict) -> Verdict {
    let rank = |verdict: Verdict| match verdict {
        Verdict::Good => 0,
        Verdict::Missed => 1,
        Verdict::Incomplete => 2,
        Verdict::WrongAnswers => 3,
        Verdict::Environment => 4,
    };
    if rank(other) > rank(one) { other } else { one }
}

/// Reads the calibration of this machine, with the files of started servers below `files`,
/// from a file.
///
/// # Errors
/// If the file cannot be read, or the calibration is that of another machine.
pub fn calibration(path: &Path, files: &Path) -> Result<MachineSpread, RunError> {
    let calibration: Calibration = result::load_as(path, result::parse_as)?;
    let here = Environment::of_this_machine(files);
    let differences = calibration.environment.differences(&here);
    if differences.is_empty() {
        Ok(calibration.spread())
    } else {
        Err(RunError::OtherMachine {
            path: path.to_owned(),
            differences,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_answers_count_before_all_else() {
        for (one, other, counts) in [
            (Verdict::Good, Verdict::Missed, Verdict::Missed),
            (Verdict::Incomplete, Verdict::Missed, Verdict::Incomplete),
            (
                Verdict::WrongAnswers,
                Verdict::Incomplete,
                Verdict::WrongAnswers,
            ),
        ] {
            assert_eq!(worse(one, other), counts);
            assert_eq!(worse(other, one), counts);
        }
    }
}
