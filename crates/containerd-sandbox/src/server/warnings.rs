//! Warnings that peers provoke, of which few are logged.

use std::fmt::Arguments;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

/// Time in which [`BURST`] warnings of one kind are logged at most.
const PAUSE: Duration = Duration::from_secs(10);
/// Number of warnings of one kind that are logged in one [`PAUSE`].
const BURST: u32 = 5;

/// Logs warnings of one kind, at most [`BURST`] in [`PAUSE`], and the rest at level debug. The
/// next warning that is logged tells how many were not.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<Logged>);

#[derive(Debug, Default)]
struct Logged {
    /// The begin of the present pause.
    since: Option<Instant>,
    count: u32,
    unlogged: u64,
}

impl Logged {
    /// Counts a warning. Returns the number of warnings that were not logged before it, if it is
    /// to be logged.
    fn next(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now >= since + PAUSE) {
            self.since = Some(now);
            self.count = 0;
        }
        if self.count == BURST {
            self.unlogged += 1;
            return None;
        }
        self.count += 1;
        Some(std::mem::take(&mut self.unlogged))
    }
}

impl Warnings {
    /// Logs a warning, or leaves it out.
    pub(super) fn warn(&self, warning: Arguments<'_>) {
        let counted = self.0.lock().map(|mut logged| logged.next(Instant::now()));
        match counted.unwrap_or_default() {
            Some(0) => warn!("{warning}"),
            Some(unlogged) => {
                warn!("{warning}; {unlogged} such warnings before went unlogged");
            }
            None => debug!("{warning}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_warnings_are_logged_in_a_pause_and_the_next_one_tells_the_number_of_others() {
        let mut logged = Logged::default();
        let begun = Instant::now();
        for _ in 0..BURST {
            assert_eq!(logged.next(begun), Some(0));
        }
        assert_eq!(logged.next(begun + PAUSE / 2), None);
        assert_eq!(logged.next(begun + PAUSE / 2), None);
        assert_eq!(logged.next(begun + PAUSE), Some(2));
        assert_eq!(logged.next(begun + PAUSE), Some(0));
    }
}
