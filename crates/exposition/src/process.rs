//! What the kernel says of this process, under the names that all Prometheus clients use.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use rustix::param::{clock_ticks_per_second, page_size};

use crate::sample::Descriptor;

const CPU: Descriptor = Descriptor {
    name: "process_cpu",
    help: "CPU time of the process, user and system",
    unit: "seconds",
};
const RESIDENT: Descriptor = Descriptor {
    name: "process_resident_memory",
    help: "Resident memory of the process",
    unit: "bytes",
};
const VIRTUAL: Descriptor = Descriptor {
    name: "process_virtual_memory",
    help: "Virtual memory of the process",
    unit: "bytes",
};
const STARTED: Descriptor = Descriptor {
    name: "process_start_time",
    help: "When the process started, in Unix time",
    unit: "seconds",
};
const THREADS: Descriptor = Descriptor {
    name: "process_threads",
    help: "Threads of the process",
    unit: "",
};
const OPEN_FDS: Descriptor = Descriptor {
    name: "process_open_fds",
    help: "Open file descriptors of the process",
    unit: "",
};
const MAX_FDS: Descriptor = Descriptor {
    name: "process_max_fds",
    help: "How many file descriptors the process may have open",
    unit: "",
};

/// Collects what `/proc/self` says. What cannot be read is left out.
#[derive(Debug)]
pub struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stat = fs::read_to_string("/proc/self/stat").ok();
        let stat = stat.as_deref().and_then(Stat::parse);
        let boot = fs::read_to_string("/proc/stat").ok();
        let boot_s = boot.as_deref().and_then(boot_time);
        if let Some(stat) = stat {
            let ticks_per_second = clock_ticks_per_second() as f64;
            let seconds = |ticks: u64| ticks as f64 / ticks_per_second;
            CPU.counter(&mut encoder, |s| s.sum(seconds(stat.cpu_ticks)))?;
            if let Some(boot_s) = boot_s {
                let started = boot_s as f64 + seconds(stat.start_ticks);
                STARTED.gauge(&mut encoder, |s| s.value(started))?;
            }
            let resident = stat.resident_pages.saturating_mul(page_size() as u64);
            RESIDENT.gauge(&mut encoder, |s| s.value(resident as f64))?;
            VIRTUAL.gauge(&mut encoder, |s| s.value(stat.virtual_bytes as f64))?;
            THREADS.gauge(&mut encoder, |s| s.value(stat.threads as f64))?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // The directory itself is open meanwhile.
            let open = open.count().saturating_sub(1);
            OPEN_FDS.gauge(&mut encoder, |s| s.value(open as f64))?;
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let limit = limit.current.map_or(f64::INFINITY, |limit| limit as f64);
        MAX_FDS.gauge(&mut encoder, |s| s.value(limit))
    }
}

/// What is used of `/proc/self/stat`, proc_pid_stat(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    cpu_ticks: u64,
    threads: u64,
    start_ticks: u64,
    virtual_bytes: u64,
    resident_pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The program's name, in brackets, may hold anything.
        let (_, after_name) = text.rsplit_once(')')?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // The manual counts from 1, and the first one here is the third.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_ticks: field(14)?.saturating_add(field(15)?),
            threads: field(20)?,
            start_ticks: field(22)?,
            virtual_bytes: field(23)?,
            resident_pages: field(24)?,
        })
    }
}

/// When the machine was booted, in seconds of Unix time, by `/proc/stat`.
fn boot_time(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    line?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Registry};

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let text = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 140 150 16 17 18 19 20 21 220 230 240 25";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(stat.cpu_ticks, 140 + 150);
        assert_eq!((stat.threads, stat.start_ticks), (20, 220));
        assert_eq!((stat.virtual_bytes, stat.resident_pages), (230, 240));
        assert_eq!(Stat::parse("7 (a) S 1 2"), None);
        assert_eq!(Stat::parse(""), None);
        assert_eq!(
            boot_time("cpu 1\nbtime 1700000000\nx 2"),
            Some(1_700_000_000)
        );
    }

    #[test]
    fn this_process_is_described() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        let text = Format::OpenMetrics.encode(&registry).unwrap();
        for name in [
            "process_cpu_seconds_total ",
            "process_resident_memory_bytes ",
            "process_virtual_memory_bytes ",
            "process_start_time_seconds ",
            "process_threads ",
            "process_open_fds ",
            "process_max_fds ",
        ] {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let value: f64 = line
                .unwrap_or_else(|| panic!("{name}: {text}"))
                .parse()
                .unwrap();
            assert!(
                value > 0.0 || name.starts_with("process_cpu"),
                "{name}{value}"
            );
        }
    }
}
