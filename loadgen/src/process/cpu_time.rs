//! CPU time of a process, to the nanosecond.
//!
//! The other sources are not precise enough. `/proc/PID/stat` counts ticks of 10 ms,
//! which is more than the difference between two runs of a few hundred pods.
//! `/proc/PID/task/*/schedstat` counts nanoseconds, but loses those of threads that have
//! ended, and async runtimes end idle threads. The CPU clock of a process
//! (`clock_getcpuclockid(3)`) counts the nanoseconds of all threads, including ended
//! ones, and any process may read it.

use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// CPU clock of another process.
#[derive(Debug, Clone, Copy)]
pub struct CpuClock(ClockId);

impl CpuClock {
    /// Returns the clock of the process with this id; `None` if there is none.
    pub fn of(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(pid.try_into().ok()?);
        clock_getcpuclockid(pid).ok().map(Self)
    }

    /// Returns the CPU time of the process so far, in user mode and in the kernel; `None`
    /// if the process has ended.
    pub fn now(self) -> Option<Duration> {
        self.0.now().ok().map(Duration::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_processs_clock_goes_on() {
        let clock = CpuClock::of(std::process::id()).unwrap();
        let before = clock.now().unwrap();
        while clock.now().unwrap() == before {
            std::hint::spin_loop();
        }
        assert!(clock.now().unwrap() > before);
    }

    #[test]
    fn an_unknown_process_has_no_clock() {
        assert!(CpuClock::of(u32::MAX).is_none());
        assert!(CpuClock::of((1 << 22) + 1).is_none_or(|clock| clock.now().is_none()));
    }
}
