//! Live view of a run on a terminal: rates, latencies and processes.
//!
//! The view reads data that the run records in any case, on a thread of its own, so the
//! threads that make calls neither wait for it nor know it. It draws a few lines at the
//! cursor and removes them at the end; see [`terminal`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Row, Sparkline, Table, Widget};

use crate::process::Sample;
use crate::process::sampler::Latest;
use crate::record::operation::Operation;
use crate::record::tape::Counters;
use crate::result::Interval;
use crate::result::timeline::Timeline;
use crate::show::terminal;
use display::human;

/// Time between two drawings.
const PERIOD: Duration = Duration::from_millis(250);

/// Maximum number of seconds that the curve of the rate shows.
const CURVE_SECONDS: usize = 120;

/// Shown operations: whole pods, and the operations that take most of a pod's time.
const SHOWN: [Operation; 8] = [
    Operation::PodStart,
    Operation::Pod,
    Operation::SandboxCreate,
    Operation::TaskCreate,
    Operation::TaskStart,
    Operation::RunPodSandbox,
    Operation::CreateContainer,
    Operation::StartContainer,
];

/// Number of lines: progress, rates, curve, head of the table, operations, processes.
const HEIGHT: u16 = 1 + 1 + 2 + 1 + 6 + 3;

/// Sources of the shown data.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Number of pods of the run.
    pub pods: u64,
    /// Names of the phases of an open loop, each with its end from the beginning of the load; empty
    /// for a closed loop.
    pub phases: Vec<(String, Duration)>,
    /// Counters of the threads.
    pub counters: Vec<Arc<Counters>>,
    /// Completed seconds of the run.
    pub timeline: Timeline,
    /// Latest samples of the processes.
    pub processes: Latest,
    /// Whether colours are used.
    pub colour: bool,
}

/// Thread that draws until this is dropped.
#[derive(Debug)]
pub struct Live(Option<(Sender<()>, JoinHandle<()>)>);

impl Live {
    /// Draws on standard error until dropped. Draws nothing if no thread can be started.
    pub fn start(sources: Sources) -> Self {
        let (done, told) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("live".to_owned())
            .spawn(move || draw_until(&told, &sources));
        Self(thread.ok().map(|thread| (done, thread)))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.0.take() {
            drop(done);
            // A panic of this thread concerns the drawing only; the measurements are
            // intact.
            let _ = thread.join();
        }
    }
}

fn draw_until(told: &mpsc::Receiver<()>, sources: &Sources) {
    let begun = Instant::now();
    loop {
        let (columns, lines) = terminal::size();
        // The cursor stays on the line below the view.
        let area = Rect::new(0, 0, columns, HEIGHT.min(lines.saturating_sub(1)));
        terminal::draw(&Screen::of(sources, begun.elapsed()).drawn(area));
        if told.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    terminal::wipe();
}

/// Data of one drawing.
#[derive(Debug)]
struct Screen {
    progress: String,
    head: String,
    errors: u64,
    rates: Vec<u64>,
    operations: Vec<[String; 4]>,
    processes: Vec<String>,
    colour: bool,
}

impl Screen {
    fn of(sources: &Sources, elapsed: Duration) -> Self {
        let sum = |of: fn(&Counters) -> u64| sources.counters.iter().map(|c| of(c)).sum::<u64>();
        let ended = sum(|counters| counters.pods.load(Ordering::Relaxed));
        let errors = sum(|counters| counters.errors.load(Ordering::Relaxed));
        let in_flight = sum(Counters::in_flight);
        let seconds = sources.timeline.latest(CURVE_SECONDS);
        let last = seconds.last();
        let per_second = |number: Option<u64>| human::rate(number.unwrap_or(0) as f64);
        Self {
            progress: progress(sources, ended, elapsed),
            head: format!(
                "{}s  {}/{} pods  {} pods  {} RPCs  {in_flight} in flight",
                elapsed.as_secs(),
                human::count(ended),
                human::count(sources.pods),
                per_second(last.map(|second| second.pods)),
                per_second(last.map(|second| second.rpcs)),
            ),
            errors,
            rates: seconds.iter().map(|second| second.pods).collect(),
            operations: last.map(operations).unwrap_or_default(),
            processes: sources.processes.each(process),
            colour: sources.colour,
        }
    }

    fn drawn(&self, area: Rect) -> Buffer {
        let mut screen = Buffer::empty(area);
        let coloured = |colour: Color| {
            if self.colour {
                Style::new().fg(colour)
            } else {
                Style::new()
            }
        };
        let [progress, head, curve, table, processes] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Length(2),
            Constraint::Length(7),
            Constraint::Min(0),
        ])
        .areas(area);
        Line::from(self.progress.as_str()).render(progress, &mut screen);
        let errors = format!("  {} errors", human::count(self.errors));
        let errors = match self.errors {
            0 => errors.into(),
            _ => errors.bold().style(coloured(Color::Red)),
        };
        let line = Line::from(vec![self.head.as_str().into(), errors]);
        line.render(head, &mut screen);
        let width = usize::from(curve.width);
        let rates = &self.rates[self.rates.len().saturating_sub(width)..];
        Sparkline::default()
            .data(rates.iter().copied())
            .style(coloured(Color::Cyan))
            .render(curve, &mut screen);
        let rows = self.operations.iter().map(|row| Row::new(row.clone()));
        let widths = [20, 10, 10, 10].map(Constraint::Length);
        let head = Row::new(["last second", "count", "p50", "p99"]).bold();
        Widget::render(Table::new(rows, widths).header(head), table, &mut screen);
        let lines: Vec<Line<'_>> = self.processes.iter().map(|p| p.as_str().into()).collect();
        Text::from(lines).render(processes, &mut screen);
        screen
    }
}

/// Number of characters of the bar.
const BAR: usize = 30;

/// Describes how much of a run is over: a bar, the phase of an open loop, and the time left. That of
/// a closed loop is known once a pod has ended, and supposes that it goes on at the same rate.
fn progress(sources: &Sources, ended: u64, elapsed: Duration) -> String {
    let whole = sources.phases.last().map(|(_, end)| *end);
    let (done, left) = match whole {
        Some(whole) => {
            let whole_s = whole.as_secs_f64().max(f64::MIN_POSITIVE);
            (
                elapsed.as_secs_f64() / whole_s,
                Some(whole.saturating_sub(elapsed)),
            )
        }
        None => {
            let done = ended as f64 / sources.pods.max(1) as f64;
            let left = elapsed.as_secs_f64() * (1.0 - done) / done;
            (done, Duration::try_from_secs_f64(left).ok())
        }
    };
    let done = done.clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the number of characters"
    )]
    let filled = (done * BAR as f64) as usize;
    let mut text = format!(
        "[{}{}] {:>3.0} %",
        "=".repeat(filled),
        " ".repeat(BAR - filled),
        done * 100.0
    );
    let mut phases = sources.phases.iter();
    if let Some((phase, _)) = phases.find(|(_, end)| elapsed < *end) {
        text.extend(["  phase ", phase]);
    }
    if let Some(left) = left {
        text.extend(["  ", &left.as_secs().to_string(), " s left"]);
    }
    text
}

fn operations(second: &Interval) -> Vec<[String; 4]> {
    let shown = second.operations.iter();
    shown
        .filter(|figures| SHOWN.contains(&figures.operation))
        .map(|figures| {
            [
                figures.operation.name().replace('_', " "),
                human::count(figures.count),
                human::nanoseconds(figures.p50_ns),
                human::nanoseconds(figures.p99_ns),
            ]
        })
        .collect()
}

/// Describes a process between two of its samples.
fn process(role: &str, before: &Sample, now: &Sample) -> String {
    let seconds = now.at_s - before.at_s;
    let cpu = if seconds > 0.0 {
        (now.cpu_s - before.cpu_s) / seconds * 100.0
    } else {
        0.0
    };
    let fds = now.fds.map_or_else(|| "-".to_owned(), human::count);
    format!(
        "{role:<10} {cpu:>3.0} % CPU  {} resident  {} threads  {fds} fds",
        human::bytes(now.rss_bytes),
        now.threads
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::buffer::Cell;

    fn sample(at_s: f64, cpu_s: f64) -> Sample {
        Sample {
            at_s,
            cpu_s,
            rss_bytes: 24 << 20,
            pss_bytes: None,
            threads: 3,
            fds: Some(21),
            ctx_switches: 0,
            read_bytes: None,
            write_bytes: None,
        }
    }

    fn drawn(screen: &Screen, width: u16, height: u16) -> String {
        let screen = screen.drawn(Rect::new(0, 0, width, height));
        screen.content.iter().map(Cell::symbol).collect()
    }

    fn screen() -> Screen {
        Screen {
            progress: "[==] 6 %".to_owned(),
            head: "3s  120/2,000 pods".to_owned(),
            errors: 2,
            rates: vec![10, 40, 80, 40],
            operations: vec![[
                "pod".to_owned(),
                "40".to_owned(),
                "2.10ms".to_owned(),
                "9.00ms".to_owned(),
            ]],
            processes: vec![process("sandboxer", &sample(1.0, 0.5), &sample(2.0, 0.95))],
            colour: false,
        }
    }

    #[test]
    fn everything_is_on_the_screen() {
        let text = drawn(&screen(), 80, HEIGHT);
        for part in [
            "3s  120/2,000 pods  2 errors",
            "last second",
            "2.10ms",
            "sandboxer   45 % CPU  24.0 MiB resident  3 threads  21 fds",
            "█",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }

    fn sources(phases: &[(&str, u64)]) -> Sources {
        let phase = |(name, end): &(&str, u64)| ((*name).to_owned(), Duration::from_secs(*end));
        Sources {
            pods: 200,
            phases: phases.iter().map(phase).collect(),
            counters: Vec::new(),
            timeline: Timeline::default(),
            processes: Latest::default(),
            colour: false,
        }
    }

    #[test]
    fn the_time_left_is_that_of_the_phases_or_of_the_rate() {
        let second = Duration::from_secs(1);
        let closed = progress(&sources(&[]), 50, 10 * second);
        assert!(closed.ends_with("]  25 %  30 s left"), "{closed}");
        assert!(closed.starts_with("[=======  "), "{closed}");
        let begun = progress(&sources(&[]), 0, second);
        assert!(begun.ends_with("]   0 %"), "{begun}");
        let phases = sources(&[("warm-up", 5), ("steady", 20)]);
        let open = progress(&phases, 0, 10 * second);
        assert!(open.ends_with("]  50 %  phase steady  10 s left"), "{open}");
        let over = progress(&phases, 0, 30 * second);
        assert!(over.ends_with("] 100 %  0 s left"), "{over}");
    }

    #[test]
    fn a_narrow_or_low_terminal_is_no_trouble() {
        for width in [0, 1, 5, 20] {
            for height in [0, 1, 3, HEIGHT] {
                drawn(&screen(), width, height);
            }
        }
    }
}
