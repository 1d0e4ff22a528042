//! Reads the resource usage of a process from procfs (proc(5)).
//!
//! [`exposition::ProcessStat`] reads `/proc/PID/stat`, here and for this program's own
//! metrics. The crate `procfs` could read all of it, but costs 22 s of CPU time in each
//! cold build.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use exposition::ProcessStat;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cpu_time::CpuClock;

/// Resource usage of a process since its start, or between two points in time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessUsage {
    /// CPU time in user mode, in seconds. The sum of both times is exact, and their division
    /// to 10 ms.
    pub cpu_user_s: f64,
    /// CPU time in the kernel, in seconds, to 10 ms.
    pub cpu_system_s: f64,
    /// Maximum of resident memory, in bytes.
    pub max_rss_bytes: u64,
    /// Number of times that threads gave up the CPU to wait. For a process other than
    /// loadgen only its present threads count; those that have ended do not.
    pub voluntary_ctx_switches: u64,
    /// Number of times that threads lost the CPU to another thread. For a process other than
    /// loadgen only its present threads count; those that have ended do not.
    pub involuntary_ctx_switches: u64,
}

impl ProcessUsage {
    /// Reads the usage of a process since its start; `None` if it cannot be read.
    pub fn of(pid: u32) -> Option<Self> {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let status = fs::read_to_string(process.join("status")).ok()?;
        Self::read(pid, &process, &status)
    }

    /// Reads the usage of this process since its start, with that of ended threads
    /// (`getrusage(2)`); `None` if it cannot be read.
    pub fn of_self() -> Option<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
        let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Some(Self {
            cpu_user_s: seconds(usage.user_time()),
            cpu_system_s: seconds(usage.system_time()),
            voluntary_ctx_switches: count(usage.voluntary_context_switches()),
            involuntary_ctx_switches: count(usage.involuntary_context_switches()),
            // `ru_maxrss` is not used: it includes the program that ran before exec(2).
            ..Self::of(std::process::id())?
        })
    }

    /// Returns the usage of several processes of which only the CPU time is known, in seconds.
    pub fn of_cpu(cpu_s: f64) -> Self {
        Self {
            cpu_user_s: cpu_s,
            cpu_system_s: 0.0,
            max_rss_bytes: 0,
            voluntary_ctx_switches: 0,
            involuntary_ctx_switches: 0,
        }
    }

    /// Returns the difference from an earlier usage of the process; the maximum of memory
    /// is that of `self`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let switches = |now: u64, then: u64| now.saturating_sub(then);
        Self {
            cpu_user_s: (self.cpu_user_s - earlier.cpu_user_s).max(0.0),
            cpu_system_s: (self.cpu_system_s - earlier.cpu_system_s).max(0.0),
            max_rss_bytes: self.max_rss_bytes,
            voluntary_ctx_switches: switches(
                self.voluntary_ctx_switches,
                earlier.voluntary_ctx_switches,
            ),
            involuntary_ctx_switches: switches(
                self.involuntary_ctx_switches,
                earlier.involuntary_ctx_switches,
            ),
        }
    }

    /// Reads the usage of the process `pid`. `process` is its directory below `/proc`, and
    /// `status` is the text of the file `status` in it.
    fn read(pid: u32, process: &Path, status: &str) -> Option<Self> {
        let stat = ProcessStat::of(pid)?;
        let (mut voluntary, mut involuntary) = (0, 0);
        // The status file of the process describes its main thread only.
        for thread in fs::read_dir(process.join("task")).ok()?.flatten() {
            let Ok(status) = fs::read_to_string(thread.path().join("status")) else {
                continue;
            };
            voluntary += field(&status, "voluntary_ctxt_switches").unwrap_or(0);
            involuntary += field(&status, "nonvoluntary_ctxt_switches").unwrap_or(0);
        }
        // The kernel counts both times in ticks, and drops the rest.
        let all = CpuClock::of(pid).and_then(CpuClock::now);
        let ticks = stat.user + stat.system;
        let rest = all.unwrap_or_default().saturating_sub(ticks);
        Some(Self {
            cpu_user_s: (stat.user + rest).as_secs_f64(),
            cpu_system_s: stat.system.as_secs_f64(),
            max_rss_bytes: field(status, "VmHWM")?.saturating_mul(1024),
            voluntary_ctx_switches: voluntary,
            involuntary_ctx_switches: involuntary,
        })
    }
}

/// A sample of a process (proc(5)). Values that the kernel does not report are absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// Time of the sample, in seconds from the beginning of the load.
    pub at_s: f64,
    /// CPU time since the start of the process, in seconds.
    pub cpu_s: f64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Proportional share of resident memory, in bytes.
    pub pss_bytes: Option<u64>,
    /// Number of threads.
    pub threads: u64,
    /// Number of open file descriptors.
    pub fds: Option<u64>,
    /// Number of context switches of the present threads.
    pub ctx_switches: u64,
    /// Data that the process caused to be read from storage, in bytes.
    pub read_bytes: Option<u64>,
    /// Data that the process caused to be written to storage, in bytes.
    pub write_bytes: Option<u64>,
}

/// Extent of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Values that the kernel has at hand.
    Brief,
    /// The share of memory, too. For it the kernel iterates over all pages of the
    /// process, and blocks changes of its mappings in the meantime.
    Thorough,
}

/// Takes a sample of a process; `at` is the time since the beginning of the load. `None`
/// if the process cannot be read.
pub fn sample(pid: u32, at: Duration, look: Look) -> Option<Sample> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let read = |name: &str| fs::read_to_string(process.join(name));
    let status = read("status").ok()?;
    let usage = ProcessUsage::read(pid, &process, &status)?;
    let io = read("io").unwrap_or_default();
    let rollup = match look {
        Look::Brief => String::new(),
        Look::Thorough => read("smaps_rollup").unwrap_or_default(),
    };
    let kib = |text: &str, name: &str| field(text, name).map(|kib| kib.saturating_mul(1024));
    Some(Sample {
        at_s: at.as_secs_f64(),
        cpu_s: usage.cpu_user_s + usage.cpu_system_s,
        rss_bytes: kib(&status, "VmRSS")?,
        pss_bytes: kib(&rollup, "Pss"),
        threads: field(&status, "Threads")?,
        fds: fs::read_dir(process.join("fd"))
            .ok()
            .map(|fds| fds.count() as u64),
        ctx_switches: usage.voluntary_ctx_switches + usage.involuntary_ctx_switches,
        read_bytes: field(&io, "read_bytes"),
        write_bytes: field(&io, "write_bytes"),
    })
}

/// Returns the number in the line `name:  number …`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status =
            "VmHWM:\t    2048 kB\nnonvoluntary_ctxt_switches:\t3\nvoluntary_ctxt_switches:\t9\n";
        assert_eq!(field(status, "VmHWM"), Some(2048));
        assert_eq!(field(status, "voluntary_ctxt_switches"), Some(9));
        assert_eq!(field(status, "Vm"), None);
    }

    #[test]
    fn the_sum_of_both_cpu_times_is_that_of_the_clock() {
        let clock = CpuClock::of(std::process::id()).unwrap();
        let before = clock.now().unwrap().as_secs_f64();
        let usage = ProcessUsage::of(std::process::id()).unwrap();
        let after = clock.now().unwrap().as_secs_f64();
        let sum = usage.cpu_user_s + usage.cpu_system_s;
        // To the rounding errors of a sum of seconds.
        assert!(
            before - 1e-9 <= sum && sum <= after + 1e-9,
            "{before} {sum} {after}"
        );
    }

    #[test]
    fn this_process_uses_something_and_an_unknown_one_nothing() {
        let own = ProcessUsage::of_self().unwrap();
        let usage = ProcessUsage::of(std::process::id()).unwrap();
        assert!(own.max_rss_bytes > 100_000 && usage.max_rss_bytes >= own.max_rss_bytes);
        let none = usage.since(usage);
        assert!(none.cpu_user_s.abs() < f64::EPSILON);
        assert_eq!(none.max_rss_bytes, usage.max_rss_bytes);
        assert_eq!(ProcessUsage::of(u32::MAX), None);
    }
}
