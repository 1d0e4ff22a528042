//! Progress on standard error: a bar on a terminal, plain lines elsewhere.
//!
//! The reporter reads counters on a thread of its own; the threads that make calls never
//! wait for it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::record::tape::Counters;
use crate::show::terminal;
use crate::stop::{SignalError, Stop};
use display::human;

/// Time between two drawings of the bar, and between two lines.
const BAR_PERIOD: Duration = Duration::from_millis(100);
const LINE_PERIOD: Duration = Duration::from_secs(2);

/// Form of the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// A bar that is redrawn.
    Bar {
        /// Whether colours are used.
        colour: bool,
    },
    /// A line at regular times.
    Lines,
    /// No output.
    Silent,
}

impl Style {
    /// Returns the form that fits standard error, or [`Style::Silent`] unless progress is
    /// `wanted`: a bar where it can be drawn, else lines. Respects `NO_COLOR` (<https://no-color.org>).
    pub fn of_stderr(wanted: bool) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::choose(wanted, terminal::can_be_drawn_on(), no_colour)
    }

    fn choose(wanted: bool, drawable: bool, no_colour: bool) -> Self {
        match (wanted, drawable) {
            (false, _) => Self::Silent,
            (true, true) => Self::Bar { colour: !no_colour },
            (true, false) => Self::Lines,
        }
    }

    /// Prints a line that is not progress.
    pub fn say(self, line: &str) {
        if self != Self::Silent {
            terminal::say(line);
        }
    }

    /// Handles signals from now on, and prints the effect of each.
    ///
    /// # Errors
    /// Signals that cannot be handled.
    pub fn stop_on_signals(self) -> Result<Stop, SignalError> {
        Stop::on_signals(move |stop| {
            if !stop.aborted() {
                self.say(
                    "Interrupted: waiting for the pods in progress; a second signal drops them",
                );
            }
        })
    }

    fn bar(self, length: u64) -> ProgressBar {
        let target = match self {
            Self::Bar { .. } => ProgressDrawTarget::stderr(),
            Self::Lines | Self::Silent => ProgressDrawTarget::hidden(),
        };
        let bar = match self {
            Self::Bar { colour: true } => "{bar:30.cyan/blue}",
            _ => "{bar:30}",
        };
        let template = format!("{{prefix}} [{{elapsed}}] {bar} {{percent:>3}}% {{wide_msg}}");
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        ProgressBar::with_draw_target(Some(length), target).with_style(style)
    }
}

/// Progress of the preparations, updated by the code that makes them.
#[derive(Debug)]
pub struct Preparing {
    bar: ProgressBar,
}

impl Preparing {
    /// Begins with no pod prepared.
    pub fn new(style: Style, pods: u64) -> Self {
        style.say(&format!(
            "Writing the bundles of {} pods",
            human::count(pods)
        ));
        let bar = style.bar(pods);
        bar.set_prefix("prepare");
        Self { bar }
    }

    /// Shows this number of prepared pods.
    pub fn done(&self, pods: u64) {
        self.bar.set_position(pods);
    }
}

impl Drop for Preparing {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Shows the progress of a load until it is dropped.
#[derive(Debug)]
pub struct Reporter(Option<(Sender<()>, JoinHandle<()>)>);

impl Reporter {
    /// Shows `counters` until dropped. Shows nothing if no thread can be started.
    pub fn start(style: Style, pods: u64, counters: Vec<Arc<Counters>>) -> Self {
        if style == Style::Silent {
            return Self(None);
        }
        let (done, told) = mpsc::channel();
        let period = match style {
            Style::Bar { .. } => BAR_PERIOD,
            Style::Lines | Style::Silent => LINE_PERIOD,
        };
        let bar = style.bar(pods);
        bar.set_prefix("run");
        let report = move || {
            let mut rates = Rates::new(Instant::now());
            while told.recv_timeout(period) == Err(RecvTimeoutError::Timeout) {
                let line = rates.line(Seen::of(&counters), pods, Instant::now());
                if style == Style::Lines {
                    // The write fails if standard error has been closed, and then has no
                    // reader.
                    let _ = writeln!(io::stderr(), "{line}");
                }
                bar.set_position(rates.last.pods);
                bar.set_message(line);
            }
            bar.finish_and_clear();
        };
        let thread = std::thread::Builder::new()
            .name("progress".to_owned())
            .spawn(report);
        Self(thread.ok().map(|thread| (done, thread)))
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.0.take() {
            drop(done);
            // A panic of this thread concerns the drawing only; the measurements are
            // intact.
            let _ = thread.join();
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    pods: u64,
    rpcs: u64,
    errors: u64,
}

impl Seen {
    fn of(counters: &[Arc<Counters>]) -> Self {
        counters.iter().fold(Self::default(), |sum, one| Self {
            pods: sum.pods + one.pods.load(Ordering::Relaxed),
            rpcs: sum.rpcs + one.rpcs.load(Ordering::Relaxed),
            errors: sum.errors + one.errors.load(Ordering::Relaxed),
        })
    }
}

/// Rates over about the last second.
struct Rates {
    begin: (Instant, Seen),
    per_second: (f64, f64),
    last: Seen,
}

impl Rates {
    const WINDOW: Duration = Duration::from_secs(1);

    fn new(now: Instant) -> Self {
        Self {
            begin: (now, Seen::default()),
            per_second: (0.0, 0.0),
            last: Seen::default(),
        }
    }

    fn line(&mut self, seen: Seen, of: u64, now: Instant) -> String {
        let (since, before) = self.begin;
        let window = now.saturating_duration_since(since);
        let first = self.per_second == (0.0, 0.0) && !window.is_zero();
        if first || window >= Self::WINDOW {
            let per_second = |now: u64, then: u64| (now - then) as f64 / window.as_secs_f64();
            self.per_second = (
                per_second(seen.pods, before.pods),
                per_second(seen.rpcs, before.rpcs),
            );
        }
        if window >= Self::WINDOW {
            self.begin = (now, seen);
        }
        self.last = seen;
        format!(
            "{}/{} pods, {} pods, {} RPCs, {} errors",
            human::count(seen.pods),
            human::count(of),
            human::rate(self.per_second.0),
            human::rate(self.per_second.1),
            human::count(seen.errors),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_a_bar_and_a_file_gets_lines() {
        assert_eq!(
            Style::choose(true, true, false),
            Style::Bar { colour: true }
        );
        assert_eq!(
            Style::choose(true, true, true),
            Style::Bar { colour: false }
        );
        assert_eq!(Style::choose(true, false, false), Style::Lines);
        assert_eq!(Style::choose(false, true, false), Style::Silent);
    }

    #[test]
    fn a_line_shows_rates_over_the_last_second() {
        let begin = Instant::now();
        let mut rates = Rates::new(begin);
        let seen = |pods, rpcs, errors| Seen { pods, rpcs, errors };
        let second = Duration::from_secs(1);
        assert_eq!(
            rates.line(seen(1000, 20_000, 0), 5000, begin + second),
            "1,000/5,000 pods, 1,000/s pods, 20,000/s RPCs, 0 errors"
        );
        assert_eq!(
            rates.line(seen(1500, 24_000, 3), 5000, begin + 3 * second),
            "1,500/5,000 pods, 250/s pods, 2,000/s RPCs, 3 errors"
        );
    }

    #[test]
    fn the_counters_of_all_threads_are_added() {
        let counters = vec![Arc::new(Counters::default()), Arc::new(Counters::default())];
        counters[0].pods.store(2, Ordering::Relaxed);
        counters[1].pods.store(3, Ordering::Relaxed);
        counters[1].errors.store(1, Ordering::Relaxed);
        let seen = Seen::of(&counters);
        assert_eq!((seen.pods, seen.rpcs, seen.errors), (5, 0, 1));
    }
}
