//! `loadgen run`: prepare, load, look, tell.

use crate::cli::RunArgs;
use crate::engine::Load;
use crate::error::RunError;
use crate::exit::Verdict;
use crate::human;
use crate::measure::{self, About};
use crate::print::{self, Output};
use crate::progress::Style;
use crate::result::RunResult;
use crate::save::{self, Saved};
use crate::server::Source;
use crate::session::{self, Session};
use crate::slo::{self, Outcome};
use crate::stop::Stop;
use crate::table;

/// The scenario that is run if none is named.
pub const DEFAULT: &str = "churn";

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
    let session = Session::open(source, &args.target, &load, &stop)?;
    let setup = session.setup(&scenario, &load);
    let operations = args.target.target.operations();
    let observed = measure::observe(&session, &load, &prepared, operations, style)?;
    let measured = &observed.measured;
    let emptied = !measured.lost && measured.recorder.left_behind() == 0;
    let stopped = session.close(emptied);
    let complaints = stopped.as_ref().map_or(&[][..], |s| &s.complaints);
    let result = observed.result(About {
        command_line,
        setup,
        load: &load,
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
    let held = slo::check(&args.slo, &result);
    // The table is worth having even if the result could not be saved.
    let mut text = if output.quiet {
        table::problems(&result)
    } else {
        table::render(&result)
    };
    let shown = held.iter().filter(|held| !output.quiet || !held.met);
    text.extend(shown.map(|outcome| format!("{outcome}\n")));
    let how = Output {
        json: output.json,
        quiet: output.quiet,
    };
    let printed = print::print(how, text, saved.as_deref().ok(), &result);
    saved?;
    printed?;
    Ok(verdict(&result, complaints, &held))
}

fn verdict(result: &RunResult, complaints: &[String], held: &[Outcome]) -> Verdict {
    if result.totals.errors > 0 || !complaints.is_empty() {
        Verdict::WrongAnswers
    } else if !result.valid {
        Verdict::Incomplete
    } else if held.iter().any(|outcome| !outcome.met) {
        Verdict::Missed
    } else {
        Verdict::Good
    }
}
