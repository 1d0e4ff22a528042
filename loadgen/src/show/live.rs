//! Live view of a run on a terminal: rates, latencies and processes.
//!
//! The view reads data that the run records in any case, on a thread of its own, so the
//! threads that make calls neither wait for it nor know it. It draws a few lines at the
//! cursor and removes them at the end.

use std::io::{self, Stderr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::backend::{Backend, ClearType, CrosstermBackend};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Row, Sparkline, Table};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use crate::human;
use crate::process::Sample;
use crate::process::sampler::Latest;
use crate::record::operation::Operation;
use crate::record::tape::Counters;
use crate::result::Interval;
use crate::result::timeline::Timeline;

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

/// Number of lines: rates, curve, head of the table, operations, processes.
const HEIGHT: u16 = 1 + 2 + 1 + 6 + 3;

/// Sources of the shown data.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Number of pods of the run.
    pub pods: u64,
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
    /// Draws on standard error until dropped. Draws nothing if standard error is no
    /// terminal.
    pub fn start(sources: Sources) -> Self {
        let options = TerminalOptions {
            viewport: Viewport::Inline(HEIGHT),
        };
        let backend = CrosstermBackend::new(io::stderr());
        let Ok(terminal) = Terminal::with_options(backend, options) else {
            return Self(None);
        };
        let (done, told) = mpsc::channel();
        let draw = move || draw_until(&told, terminal, &sources);
        let thread = std::thread::Builder::new()
            .name("live".to_owned())
            .spawn(draw);
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

fn draw_until(
    told: &mpsc::Receiver<()>,
    mut terminal: Terminal<CrosstermBackend<Stderr>>,
    sources: &Sources,
) {
    let begun = Instant::now();
    loop {
        let screen = Screen::of(sources, begun.elapsed());
        // A drawing fails if the terminal has been closed, and then has no reader.
        let _ = terminal.draw(|frame| screen.draw(frame));
        if told.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    let _ = wipe(&mut terminal);
}

/// Removes the view from the screen. The cursor returns to the beginning of the view at
/// the first column, so that the text that follows starts a line. `Terminal::clear` would
/// restore the cursor of the last drawing.
fn wipe<B: Backend>(terminal: &mut Terminal<B>) -> Result<(), B::Error> {
    let begin = terminal.get_frame().area().as_position();
    terminal.set_cursor_position(begin)?;
    terminal
        .backend_mut()
        .clear_region(ClearType::AfterCursor)?;
    terminal.show_cursor()
}

/// Data of one drawing.
#[derive(Debug)]
struct Screen {
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

    fn draw(&self, frame: &mut Frame<'_>) {
        let coloured = |colour: Color| {
            if self.colour {
                Style::new().fg(colour)
            } else {
                Style::new()
            }
        };
        let [head, curve, table, processes] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(2),
            Constraint::Length(7),
            Constraint::Min(0),
        ])
        .areas(frame.area());
        let errors = format!("  {} errors", human::count(self.errors));
        let errors = match self.errors {
            0 => errors.into(),
            _ => errors.bold().style(coloured(Color::Red)),
        };
        let line = Line::from(vec![self.head.as_str().into(), errors]);
        frame.render_widget(line, head);
        let width = usize::from(curve.width);
        let rates = &self.rates[self.rates.len().saturating_sub(width)..];
        let curve_widget = Sparkline::default()
            .data(rates.iter().copied())
            .style(coloured(Color::Cyan));
        frame.render_widget(curve_widget, curve);
        let rows = self.operations.iter().map(|row| Row::new(row.clone()));
        let widths = [20, 10, 10, 10].map(Constraint::Length);
        let head = Row::new(["last second", "count", "p50", "p99"]).bold();
        frame.render_widget(Table::new(rows, widths).header(head), table);
        let lines: Vec<Line<'_>> = self.processes.iter().map(|p| p.as_str().into()).collect();
        frame.render_widget(ratatui::text::Text::from(lines), processes);
    }
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
    use ratatui::backend::TestBackend;
    use ratatui::layout::Position;

    use super::*;

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

    fn drawn(screen: &Screen, width: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, HEIGHT)).unwrap();
        terminal.draw(|frame| screen.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    fn screen() -> Screen {
        Screen {
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
        let text = drawn(&screen(), 80);
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

    #[test]
    fn text_after_the_view_begins_at_its_first_column() {
        let mut backend = TestBackend::new(40, 20);
        let begin = Position::new(0, 4);
        backend.set_cursor_position(begin).unwrap();
        let options = TerminalOptions {
            viewport: Viewport::Inline(HEIGHT),
        };
        let mut terminal = Terminal::with_options(backend, options).unwrap();
        terminal.draw(|frame| screen().draw(frame)).unwrap();
        let cursor = terminal.backend_mut().get_cursor_position().unwrap();
        assert_ne!(cursor.x, 0, "a drawing ends within a line");
        wipe(&mut terminal).unwrap();
        terminal.backend_mut().assert_cursor_position(begin);
        terminal
            .backend()
            .assert_buffer_lines(vec![" ".repeat(40); 20]);
    }

    #[test]
    fn a_narrow_terminal_is_no_trouble() {
        for width in [1, 5, 20] {
            drawn(&screen(), width);
        }
    }
}
