//! Simulated lines of containers' logs: how many are due, and the thread that writes them.
//!
//! The lines of all containers together can be 70 MB in a second, so they are made and written on
//! a thread of their own, which yields the processor to the APIs and writes a bounded number of
//! bytes in a second. Beyond them containers lose lines, as those of a log that is too slow.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::scripts::be_nice;

/// Most bytes of all simulated lines in a second.
const BYTES_PER_SECOND: u64 = 16 << 20;
/// Number of writes that wait for the thread.
const WAITING_WRITES: usize = 1024;
/// Most lines of one write.
const LINES_PER_WRITE: u64 = 1000;
/// Time by whose lines a container can be behind. It loses those before.
const BEHIND: Duration = Duration::from_secs(5);

/// The simulated lines of one running process. The time comes from a clock that never steps back.
#[derive(Debug)]
pub(super) struct Lines {
    per_second: f64,
    /// Lines that the process wrote before this daemon started; set by the first write.
    before: OnceLock<u64>,
    /// Running time of the process before this daemon started.
    ran_before: Duration,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    /// Running time since the daemon or the process started, without pauses.
    ran: Duration,
    since: Instant,
    /// Lines since then that are written, or lost.
    written: u64,
}

impl Lines {
    /// Goes on with the lines of a process that has run for `ran_before` under an earlier daemon;
    /// this time is zero for a process that starts now.
    pub(super) fn after(per_second: f64, ran_before: Duration) -> Arc<Self> {
        Arc::new(Self {
            per_second,
            before: OnceLock::new(),
            ran_before,
            progress: Mutex::new(Progress {
                ran: Duration::ZERO,
                since: Instant::now(),
                written: 0,
            }),
        })
    }

    fn by(&self, time: Duration) -> u64 {
        // Rates and running times are far below 2^52, and never negative.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let lines = (self.per_second * time.as_secs_f64()) as u64;
        lines
    }

    /// Returns the lines that are due, counted from the start of the daemon or the process. The
    /// process has run since the last call if `is_running`.
    pub(super) fn due(&self, now: Instant, is_running: bool) -> Range<u64> {
        let mut progress = self.progress.lock();
        let passed = now.saturating_duration_since(progress.since);
        progress.since = now;
        if is_running {
            progress.ran += passed;
        }
        let due = self.by(progress.ran);
        let kept = due.saturating_sub(self.by(BEHIND).max(1));
        progress.written = progress.written.max(kept);
        progress.written..due.min(progress.written + LINES_PER_WRITE)
    }

    /// Takes note that the lines before this one are handed to the thread.
    pub(super) fn handed_over(&self, end: u64) {
        self.progress.lock().written = end;
    }

    /// Returns the text of lines, which are counted as [`Self::due`] does. `last` returns the
    /// number of the last line of a process that ran before, if it is known; otherwise the
    /// number follows from the running time.
    pub(super) fn text(&self, lines: Range<u64>, last: impl FnOnce() -> Option<u64>) -> String {
        use std::fmt::Write as _;

        let before = *self.before.get_or_init(|| match self.ran_before {
            Duration::ZERO => 0,
            ran => last().unwrap_or_else(|| self.by(ran)),
        });
        lines.fold(String::new(), |mut text, line| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{PREFIX}{}", before + line + 1);
            text
        })
    }
}

/// Start of each simulated line, before its number.
const PREFIX: &str = "simulated line ";

/// Returns the number of a simulated line.
pub(super) fn number_of(line: &str) -> Option<u64> {
    line.strip_prefix(PREFIX)?.parse().ok()
}

/// Makes and writes lines, and returns their bytes.
type Write = Box<dyn FnOnce() -> usize + Send>;

/// The thread that writes simulated lines.
#[derive(Debug, Clone)]
pub(super) struct LineWriter(mpsc::Sender<Write>);

impl LineWriter {
    /// Starts the thread, which ends with the last handle.
    ///
    /// # Errors
    /// The system's error if it has no thread left.
    pub(super) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel(WAITING_WRITES);
        std::thread::Builder::new()
            .name("log-lines".to_owned())
            .spawn(move || write_all(receiver))?;
        Ok(Self(sender))
    }

    /// Hands over a write, and returns whether there was room for it.
    pub(super) fn try_write(&self, write: impl FnOnce() -> usize + Send + 'static) -> bool {
        match self.0.try_reserve() {
            Ok(room) => {
                room.send(Box::new(write));
                true
            }
            Err(_) => false,
        }
    }
}

fn write_all(mut writes: mpsc::Receiver<Write>) {
    be_nice();
    let mut next = std::time::Instant::now();
    while let Some(write) = writes.blocking_recv() {
        let bytes = u64::try_from(write()).unwrap_or(u64::MAX);
        let now = std::time::Instant::now();
        next = next.max(now) + time_of(bytes);
        // A short sleep costs more than it spares.
        let ahead = next.saturating_duration_since(now);
        if ahead > Duration::from_millis(20) {
            std::thread::sleep(ahead);
        }
    }
}

/// Returns the time in which so many bytes may be written.
fn time_of(bytes: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / BYTES_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lines_come_at_their_rate_even_if_the_timer_is_late() {
        let lines = Lines::after(3.7, Duration::ZERO);
        let begun = Instant::now();
        let mut all = Vec::new();
        for at in [7, 480_000_001, 999_999_999, 3_000_000_000] {
            let due = lines.due(begun + Duration::from_nanos(at), true);
            lines.handed_over(due.end);
            all.extend(due);
        }
        assert_eq!(all, (0..11).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_process_writes_nothing_and_catches_nothing_up() {
        let lines = Lines::after(10.0, Duration::ZERO);
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let due = lines.due(at(1), true);
        assert_eq!(due, 0..10);
        lines.handed_over(due.end);
        assert!(lines.due(at(100), false).is_empty());
        assert_eq!(lines.due(at(101), true), 10..20);
        // A clock that were to step back would change nothing.
        assert_eq!(lines.due(at(50), true), 10..20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_that_is_too_slow_loses_lines() {
        let lines = Lines::after(100.0, Duration::ZERO);
        let begun = Instant::now();
        assert_eq!(lines.due(begun + Duration::from_secs(4), true), 0..400);
        // Nothing was handed over.
        assert_eq!(lines.due(begun + Duration::from_secs(60), true), 5500..6000);
        let fast = Lines::after(1000.0, Duration::ZERO);
        assert_eq!(fast.due(begun + Duration::from_secs(4), true), 0..1000);
    }

    #[tokio::test(start_paused = true)]
    async fn the_lines_of_a_recovered_process_go_on_from_its_last_one() {
        let ran = Duration::from_secs(1000);
        let lines = Lines::after(1.0, ran);
        let text = lines.text(0..2, || Some(41));
        assert_eq!(text, "simulated line 42\nsimulated line 43\n");
        assert_eq!(lines.text(2..3, || Some(7)), "simulated line 44\n");
        let unknown = Lines::after(1.0, ran);
        assert_eq!(unknown.text(0..1, || None), "simulated line 1001\n");
        let new = Lines::after(1.0, Duration::ZERO);
        assert_eq!(new.text(0..1, || Some(41)), "simulated line 1\n");
        assert_eq!(number_of("simulated line 44"), Some(44));
        assert_eq!(number_of("simulated line x"), None);
    }

    #[test]
    fn writes_take_the_time_of_their_bytes_and_do_not_pile_up() {
        assert_eq!(time_of(BYTES_PER_SECOND), Duration::from_secs(1));
        let writer = LineWriter::start().unwrap();
        let (release, hold) = std::sync::mpsc::channel::<()>();
        let held = move || {
            let _ = hold.recv();
            0
        };
        assert!(writer.try_write(held));
        let accepted = (0..2 * WAITING_WRITES).filter(|_| writer.try_write(|| 0));
        assert!(accepted.count() <= WAITING_WRITES + 1);
        drop(release);
    }
}
