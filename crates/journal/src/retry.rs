//! Decides when a failed compaction is tried again.

use std::time::{Duration, Instant};

use super::error::JournalError;
use threads::mpsc::{Receiver, RecvTimeoutError};

/// First wait, and the wait for as long as only space is missing.
const SHORTEST: Duration = Duration::from_secs(5);
/// Longest wait. Each attempt reads everything that was appended since the last snapshot.
const LONGEST: Duration = Duration::from_secs(600);

/// Returns the wait after a failure, given the wait before that failure.
pub(super) fn after(before: Option<Duration>, failure: &JournalError) -> Duration {
    match before {
        Some(before) if !failure.is_out_of_space() => (before * 2).min(LONGEST),
        _ => SHORTEST,
    }
}

/// Waits, and returns the last request that arrived meanwhile, or `first`; `None` if no
/// request can come any more.
///
/// A request changes the record of the next attempt. It ends the wait only if `is_full`, that is
/// if space is missing: on a full disk, snapshots are requested when objects were removed.
pub(super) fn sleep(
    wait: Duration,
    requests: &Receiver<u64>,
    first: u64,
    is_full: bool,
) -> Option<u64> {
    let deadline = Instant::now() + wait;
    let mut last = first;
    loop {
        match requests.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(later) if is_full => return Some(later),
            Ok(later) => last = later,
            Err(RecvTimeoutError::Timeout) => return Some(last),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;
    use std::path::Path;
    use std::sync::mpsc;

    #[test]
    fn a_failure_other_than_lack_of_space_is_retried_ever_less_often() {
        let failure = |errno| JournalError::io("write", Path::new("/x"), errno);
        let (full, broken) = (failure(Errno::NOSPC), failure(Errno::IO));
        let mut waits = vec![after(None, &broken)];
        while waits.len() < 9 {
            waits.push(after(waits.last().copied(), &broken));
        }
        let seconds: Vec<u64> = waits.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(after(Some(LONGEST), &full), SHORTEST);
        assert_eq!(after(Some(SHORTEST), &full), SHORTEST);
    }

    #[test]
    fn the_last_request_counts_and_a_closed_channel_ends_the_wait() {
        let (sender, requests) = mpsc::channel();
        assert_eq!(sleep(Duration::ZERO, &requests, 3, false), Some(3));
        sender.send(7).unwrap();
        sender.send(9).unwrap();
        let millisecond = Duration::from_millis(1);
        assert_eq!(sleep(millisecond, &requests, 3, false), Some(9));
        sender.send(11).unwrap();
        assert_eq!(sleep(LONGEST, &requests, 3, true), Some(11));
        drop(sender);
        assert_eq!(sleep(LONGEST, &requests, 3, false), None);
    }
}
