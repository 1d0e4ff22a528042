//! `loadgen search`: highest rate that meets the thresholds.
//!
//! Each run at a rate is an open loop with a warm-up. `tries` judges the runs of a rate,
//! `ascent` chooses the next rate, and [`crate::result::conclusion`] draws the conclusion from
//! all of them.

mod ascent;
pub mod table;
mod tries;

use std::path::PathBuf;
use std::time::SystemTime;

pub use self::ascent::{Ascent, Steps, knee};
use self::tries::{Step, Tries};
use crate::commands::cli::SearchArgs;
use crate::commands::error::RunError;
use crate::commands::exit::Verdict;
use crate::commands::print::{self, Text};
use crate::drive::engine::Load;
use crate::measure::metrics::Monitor;
use crate::measure::observation::{self, Context};
use crate::measure::session::{self, Session};
use crate::result::directory::{self, SaveError};
use crate::result::environment::Environment;
use crate::result::header::Header;
use crate::result::search::{self as result, Point, SearchResult};
use crate::server::Source;
use crate::show::progress::Style;
use crate::show::report;
use crate::stop::Stop;
use crate::workload::scenario::Scenario;
use display::human;
use display::output::Form;

/// Scenario without a name on the command line.
const DEFAULT: &str = "steady";

/// File names of the table and the curve.
const TABLE_FILE: &str = "search.txt";
const CSV_FILE: &str = "search.csv";

/// Measurements of a search and their problems.
#[derive(Default)]
struct Found {
    points: Vec<Point>,
    hash: String,
    reasons: Vec<String>,
    wrong: bool,
}

/// Searches and saves the result.
///
/// # Errors
/// If there is no result; see [`RunError::is_interruption`].
pub fn run(args: &SearchArgs, command_line: Vec<String>) -> Result<Verdict, RunError> {
    let output = &args.output;
    let style = output.style();
    let steps = steps(args);
    // An invalid option is invalid at every rate, so the first rate reveals it.
    let first = args.at(DEFAULT, steps.first)?;
    let target = args.target.of(&first)?;
    directory::check(&output.results)?;
    let stop = style.stop_on_signals()?;
    let source = Source::of(&target)?;
    let load = Load::of(&first);
    let session = Session::open(source, &target, &load, &stop)?;
    let setup = session.setup(&(&first).into(), &load);
    let started = SystemTime::now();

    let mut ascent = Ascent::new(steps);
    let mut found = Found::default();
    while let Some(rate) = ascent.next().filter(|_| !stop.requested()) {
        let scenario = args.at(DEFAULT, rate)?;
        let Some(higher) = found.try_rate(rate, args, &scenario, &session, &stop, style)? else {
            break;
        };
        ascent.tell(rate, higher);
    }
    if stop.requested() {
        found.reasons.push("interrupted".to_owned());
    }
    let lost = found.wrong;
    let complaints = session.close(!lost).map(|stopped| stopped.complaints);
    let complaints = complaints.unwrap_or_default();
    let wrong = found.wrong || !complaints.is_empty();
    found.reasons.extend(complaints);

    found.points.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let best = result::best(&found.points).into_iter();
    let curve: Vec<(f64, f64)> = best.map(|point| (point.rate, point.p99_ms())).collect();
    let slo: Vec<String> = args.slo.iter().map(ToString::to_string).collect();
    let conclusion = result::conclude(&slo, &found.points);
    // After an interruption or an error, that is the reason.
    if found.reasons.is_empty() {
        found.reasons.extend(conclusion.open_end());
    }
    let result = SearchResult {
        header: Header::of::<SearchResult>(command_line, started),
        valid: found.reasons.is_empty(),
        reasons: found.reasons,
        scenario: setup,
        plan_hash: found.hash,
        slo,
        met: conclusion.met,
        missed: conclusion.missed,
        conclusion: conclusion.sentences(),
        knee: knee(&curve).map(|place| curve[place].0),
        points: found.points,
        environment: Environment::of_this_machine(&target.files),
    };
    let text = Text {
        whole: table::render(&result, Form::Text),
        problems: table::problems(&result),
    };
    let saved = save(args, &result).map_err(RunError::from);
    print::result(output, text, saved, &result)?;
    Ok(verdict(&result, wrong))
}

/// Returns the parameters of the search.
fn steps(args: &SearchArgs) -> Steps {
    Steps {
        first: args.from.min(args.up_to),
        factor: args.factor,
        highest: args.up_to,
        // At a lower rate, ten seconds contain too few pods.
        lowest: (args.from / 100.0).max(0.5).min(args.from),
        precision: args.precision / 100.0,
    }
}

impl Found {
    /// Runs the load at a rate until its outcome is known, or would take too many runs.
    /// Returns whether the search goes on above the rate; `None` if it ends.
    fn try_rate(
        &mut self,
        rate: f64,
        args: &SearchArgs,
        scenario: &Scenario,
        session: &Session<'_>,
        stop: &Stop,
        style: Style,
    ) -> Result<Option<bool>, RunError> {
        let load = Load::of(scenario);
        let prepared = session::prepare(session.target(), &load, stop, style)?;
        if self.hash.is_empty() {
            self.hash = prepared.summary.hash.to_string();
        }
        let operations = session.target().driver.operations();
        let mut tries = Tries::new(rate, &args.slo, operations);
        loop {
            style.say(&format!("Offering {} pods", human::rate(rate)));
            let observed = observation::observe(
                session,
                &load,
                &prepared,
                operations,
                style,
                &Monitor::default(),
            )?;
            if stop.requested() {
                return Ok(None);
            }
            let setup = session.setup(&scenario.into(), &load);
            let result = observed.result(Context {
                command_line: Vec::new(),
                setup,
                load: &load,
                prepared: &prepared,
                operations,
                files: &session.target().files,
                complaints: &[],
            });
            let (step, points) = tries.add(&observed.measured, &result);
            for point in &points {
                style.say(&format!("  {}", table::line(point)));
            }
            self.points.extend(points);
            if result.totals.errors > 0 || observed.measured.lost {
                self.wrong = true;
                self.reasons.push(format!(
                    "{} errors at {}",
                    human::count(result.totals.errors),
                    human::rate(rate)
                ));
                return Ok(None);
            }
            if let Step::Done(higher) = step {
                return Ok(Some(higher));
            }
        }
    }
}

fn save(args: &SearchArgs, result: &SearchResult) -> Result<PathBuf, SaveError> {
    let seed = result.scenario.seed;
    let dir = directory::create(
        &args.output.results,
        "search",
        &result.header.started_at,
        seed,
    )?;
    directory::document(&dir, result)?;
    directory::text(&dir, TABLE_FILE, &table::render(result, Form::Text))?;
    directory::text(&dir, directory::REPORT_FILE, &report::of_search(result))?;
    directory::text(&dir, CSV_FILE, &table::csv(result))?;
    Ok(dir)
}

fn verdict(result: &SearchResult, wrong: bool) -> Verdict {
    if wrong {
        Verdict::WrongAnswers
    } else if !result.valid {
        Verdict::Incomplete
    } else if result.met.is_none() {
        Verdict::Missed
    } else {
        Verdict::Good
    }
}
