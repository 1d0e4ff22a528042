//! `loadgen search`: highest rate that meets the thresholds.
//!
//! Each try of a rate is a run of its own, an open loop with a warm-up. A rate that
//! misses is tried once more, because one disturbance must not end the ascent. If the
//! generator itself was late by more than a tenth of the time in the threshold, the run
//! gives no information about the server and does not count.

mod ascent;
pub mod table;

use std::path::PathBuf;
use std::time::SystemTime;

pub use self::ascent::{Ascent, Steps, knee};
use crate::commands::cli::SearchArgs;
use crate::commands::error::RunError;
use crate::commands::exit::Verdict;
use crate::commands::print::{self, Text};
use crate::drive::engine::Load;
use crate::measure::metrics::Monitor;
use crate::measure::observation::{self, Context};
use crate::measure::session::{self, Session};
use crate::result::RunResult;
use crate::result::directory::{self, SaveError};
use crate::result::environment::Environment;
use crate::result::header::Header;
use crate::result::search::{self as result, Point, SearchResult};
use crate::result::slo;
use crate::result::validity;
use crate::server::{Source, Target};
use crate::show::progress::Style;
use crate::show::report;
use crate::stop::Stop;
use crate::workload::scenario::Scenario;
use display::human;

/// Scenario without a name on the command line.
const DEFAULT: &str = "steady";

/// Misses of a rate until the rate counts as missed.
const MISSES: usize = 2;

/// Tries of a rate until the rate counts as beyond the generator.
const TRIES: usize = 4;

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
    let target = Target::from(&args.target);
    let steps = steps(args);
    // An invalid option is invalid at every rate, so the first rate reveals it.
    let first = args.at(DEFAULT, steps.first)?;
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
        let Some(met) = found.try_rate(rate, args, &scenario, &session, &stop, style)? else {
            break;
        };
        ascent.tell(rate, met);
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
    let result = SearchResult {
        header: Header::of::<SearchResult>(command_line, started),
        valid: found.reasons.is_empty(),
        reasons: found.reasons,
        scenario: setup,
        plan_hash: found.hash,
        slo: args.slo.iter().map(ToString::to_string).collect(),
        met: ascent.met,
        missed: ascent.missed,
        knee: knee(&curve).map(|place| curve[place].0),
        points: found.points,
        environment: Environment::of_this_machine(),
    };
    let text = Text {
        whole: table::render(&result),
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
    /// Tries a rate; returns whether the rate meets the thresholds, or `None` if that
    /// remains unknown.
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
        let mut misses = 0;
        for _ in 0..TRIES {
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
                complaints: &[],
            });
            let point = point(rate, args, &result);
            style.say(&format!("  {}", table::line(&point)));
            let (met, missed) = (point.met, point.counts && !point.met);
            self.points.push(point);
            if result.totals.errors > 0 || observed.measured.lost {
                self.wrong = true;
                self.reasons.push(format!(
                    "{} errors at {}",
                    human::count(result.totals.errors),
                    human::rate(rate)
                ));
                return Ok(None);
            }
            misses += usize::from(missed);
            if met || misses == MISSES {
                return Ok(Some(met));
            }
        }
        self.reasons.push(format!(
            "at {} the generator was late: the limit may be the generator's, not the server's",
            human::rate(rate)
        ));
        Ok(None)
    }
}

fn point(rate: f64, args: &SearchArgs, result: &RunResult) -> Point {
    let outcomes = slo::check(&args.slo, result);
    // A rate at which the server prevented starts is missed, not unknown.
    let kept_up = !validity::too_few(&result.load);
    // Lag matters in relation to the lowest time threshold, because it could change
    // that outcome.
    let time_ns = slo::least_time_ns(&args.slo).unwrap_or(result.pod_p50_ns() as f64);
    let counts = !kept_up || !validity::too_late(&result.load, time_ns);
    let met = counts && kept_up && outcomes.iter().all(|outcome| outcome.met);
    Point {
        rate,
        met,
        counts,
        slo: outcomes.iter().map(ToString::to_string).collect(),
        load: result.load.clone(),
        pods_per_s: result.totals.pods_per_s,
        pod: result.pod().cloned(),
        processes: result.processes.clone(),
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
    directory::text(&dir, TABLE_FILE, &table::render(result))?;
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
