//! CPU time of a load thread, and the time for which it waited for a CPU.

use std::fs;
use std::ops::Add;
use std::time::Duration;

/// Statistics of the scheduler for a thread: nanoseconds on a CPU, nanoseconds in the queue for
/// one, and the number of turns (sched-stats in the documentation of Linux).
const SCHEDSTAT: &str = "/proc/thread-self/schedstat";

/// Times of threads since they were started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// Time on a CPU.
    pub ran: Duration,
    /// Time in the queue for a CPU.
    pub waited: Duration,
}

impl CpuTime {
    /// Reads the times of the calling thread; `None` if the kernel does not count them.
    pub(super) fn of_this_thread() -> Option<Self> {
        parse(&fs::read_to_string(SCHEDSTAT).ok()?)
    }
}

impl Add for CpuTime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            ran: self.ran + other.ran,
            waited: self.waited + other.waited,
        }
    }
}

fn parse(text: &str) -> Option<CpuTime> {
    let mut fields = text.split_whitespace();
    let mut next = || fields.next()?.parse().ok().map(Duration::from_nanos);
    let (ran, waited) = (next()?, next()?);
    // A kernel without these statistics shows zeros.
    (!ran.is_zero()).then_some(CpuTime { ran, waited })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_two_fields_are_nanoseconds() {
        let read = parse("1500000 250000 7\n").unwrap();
        assert_eq!(read.ran, Duration::from_micros(1500));
        assert_eq!(read.waited, Duration::from_micros(250));
        assert_eq!(parse("0 0 0\n"), None);
        assert_eq!(parse("a lot\n"), None);
    }
}
