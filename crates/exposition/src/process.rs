//! Metrics of this process, from `/proc/self` and `/proc/stat`, under the names that all
//! Prometheus client libraries use.

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::proc_stat::ProcessStat;
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

/// A collector of this process's metrics: CPU time, memory, start, threads, descriptors. A metric
/// whose file cannot be read is missing.
#[derive(Debug)]
pub struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let boot = fs::read_to_string("/proc/stat").ok();
        let boot_s = boot.as_deref().and_then(boot_time);
        if let Some(stat) = ProcessStat::of(std::process::id()) {
            let cpu = stat.user.saturating_add(stat.system);
            CPU.counter(&mut encoder, |s| s.sum(cpu.as_secs_f64()))?;
            if let Some(boot_s) = boot_s {
                let started = boot_s as f64 + stat.started.as_secs_f64();
                STARTED.gauge(&mut encoder, |s| s.value(started))?;
            }
            RESIDENT.gauge(&mut encoder, |s| s.value(stat.resident_bytes as f64))?;
            VIRTUAL.gauge(&mut encoder, |s| s.value(stat.virtual_bytes as f64))?;
            THREADS.gauge(&mut encoder, |s| s.value(stat.threads as f64))?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is the descriptor of the directory during this read.
            let open = open.count().saturating_sub(1);
            OPEN_FDS.gauge(&mut encoder, |s| s.value(open as f64))?;
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let limit = limit.current.map_or(f64::INFINITY, |limit| limit as f64);
        MAX_FDS.gauge(&mut encoder, |s| s.value(limit))
    }
}

/// Parses the boot time of the machine from `/proc/stat`, in seconds of Unix time.
fn boot_time(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("btime "));
    line?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Registry};

    #[test]
    fn the_boot_time_is_found_in_its_line() {
        assert_eq!(
            boot_time("cpu 1\nbtime 1700000000\nx 2"),
            Some(1_700_000_000)
        );
    }

    #[test]
    fn all_metrics_of_this_process_are_written() {
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
