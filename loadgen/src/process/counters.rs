//! Counts the instructions and cycles of a process, where the machine has counters.
//!
//! `perf_event_open(2)` counts by thread. The threads that exist are observed one by one, and
//! the threads that they start inherit the counters. Many virtual machines have no hardware
//! counters, and `/proc/sys/kernel/perf_event_paranoid` may allow user space alone, or nothing.

use std::fs;
use std::io;

use nix::libc::pid_t;
use perf_event::events::{Event, Hardware};
use perf_event::{Builder, Counter};
use serde::{Deserialize, Serialize};

/// Part of a process that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Work in user space and in the kernel.
    UserAndKernel,
    /// Work in user space alone, as the kernel allows no more.
    User,
}

/// Instructions and cycles of a process since its counters were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work {
    /// Completed instructions.
    pub instructions: u64,
    /// Cycles of the CPU while the process ran.
    pub cycles: u64,
}

/// Open counters of a process.
#[derive(Debug)]
pub struct Counters {
    instructions: Vec<Counter>,
    cycles: Vec<Counter>,
}

/// Finds out whether this machine counts instructions and cycles of another process, and
/// which part of its work.
///
/// # Errors
/// The error of `perf_event_open(2)`: `ENOENT` without hardware counters, `EACCES` or `EPERM`
/// if the kernel allows no counters.
pub fn available() -> io::Result<Counted> {
    let of = |counted| Counters::of(std::process::id(), counted).map(|_| counted);
    of(Counted::UserAndKernel).or_else(|_| of(Counted::User))
}

impl Counters {
    /// Opens the counters of all threads of a process.
    ///
    /// # Errors
    /// As [`available`]; or if the process has ended.
    pub fn of(pid: u32, counted: Counted) -> io::Result<Self> {
        Ok(Self {
            instructions: open(pid, &Hardware::INSTRUCTIONS, counted)?,
            cycles: open(pid, &Hardware::CPU_CYCLES, counted)?,
        })
    }

    /// Returns the work until now.
    ///
    /// # Errors
    /// If a counter cannot be read.
    pub fn now(&mut self) -> io::Result<Work> {
        Ok(Work {
            instructions: sum(&mut self.instructions)?,
            cycles: sum(&mut self.cycles)?,
        })
    }
}

fn open<E: Event + Clone>(pid: u32, event: &E, counted: Counted) -> io::Result<Vec<Counter>> {
    let mut counters = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?.file_name();
        let thread = thread.to_string_lossy().parse::<pid_t>();
        let thread = thread.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut builder = Builder::new(event.clone());
        builder
            .observe_pid(thread)
            .any_cpu()
            .inherit(true)
            .enabled(true)
            .exclude_kernel(counted == Counted::User);
        match builder.build() {
            Ok(counter) => counters.push(counter),
            // The thread ended after the list was read.
            Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(counters)
}

fn sum(counters: &mut [Counter]) -> io::Result<u64> {
    counters.iter_mut().map(Counter::read).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::cpu_time::CpuClock;
    use perf_event::events::Software;
    use std::thread;
    use std::time::Duration;

    /// Uses CPU time on this thread until its process has used this much more.
    fn burn(clock: CpuClock, time: Duration) {
        let end = clock.now().unwrap() + time;
        while clock.now().unwrap() < end {
            std::hint::spin_loop();
        }
    }

    /// The kernel's own clock of a task stands in for hardware counters, which a virtual
    /// machine may lack.
    #[test]
    fn counters_count_the_threads_that_exist_and_those_that_they_start() {
        let mut child = std::process::Command::new("sh")
            .args([
                "-c",
                "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; read end",
            ])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let clock = CpuClock::of(child.id()).unwrap();
        let Ok(mut counters) = open(child.id(), &Software::TASK_CLOCK, Counted::UserAndKernel)
            .or_else(|_| open(child.id(), &Software::TASK_CLOCK, Counted::User))
        else {
            child.kill().unwrap();
            child.wait().unwrap();
            return;
        };
        let before = clock.now().unwrap();
        let from = sum(&mut counters).unwrap();
        while clock.now().unwrap() < before + Duration::from_millis(20) {
            thread::yield_now();
        }
        let counted = Duration::from_nanos(sum(&mut counters).unwrap() - from);
        let used = clock.now().unwrap().checked_sub(before).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // The counter was read a little earlier than the clock, and includes no work before it
        // was opened.
        let tick = Duration::from_millis(4);
        assert!(counted <= used + tick, "{counted:?} of {used:?}");
        assert!(
            counted >= Duration::from_millis(10),
            "{counted:?} of {used:?}"
        );
    }

    #[test]
    fn a_thread_started_later_is_counted() {
        let clock = CpuClock::of(std::process::id()).unwrap();
        let (ready, opened) = std::sync::mpsc::channel();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let worker = thread::spawn(move || {
            ready.send(rustix::thread::gettid()).unwrap();
            wait.recv().unwrap();
            thread::spawn(move || burn(clock, Duration::from_millis(20)))
                .join()
                .unwrap();
        });
        opened.recv().unwrap();
        let counters = open(std::process::id(), &Software::TASK_CLOCK, Counted::User);
        go.send(()).unwrap();
        worker.join().unwrap();
        if let Ok(mut counters) = counters {
            let counted = Duration::from_nanos(sum(&mut counters).unwrap());
            assert!(counted >= Duration::from_millis(10), "{counted:?}");
        }
    }

    #[test]
    fn a_process_that_is_not_there_has_no_counters() {
        assert!(Counters::of((1 << 22) + 1, Counted::User).is_err());
    }
}
