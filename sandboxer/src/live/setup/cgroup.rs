//! Files of a container's control group, as its limits state them.

use std::path::Path;
use std::sync::LazyLock;

use pod_resources::{ResourceInfo, WeightFormula};
use slot::Container;

/// Directory of control groups in a container.
const ROOT: &str = "/sys/fs/cgroup";
/// File that exists with version 2 only, cgroups(7).
const CONTROLLERS: &str = "cgroup.controllers";
/// Period of a CPU quota that states none, in microseconds.
const PERIOD: u64 = 100_000;
/// Number by which version 1 states that there is no memory limit: the largest one that is a
/// multiple of a page of 4 KiB.
const NO_LIMIT: u64 = 0x7fff_ffff_ffff_f000;
/// CPU shares of one core.
const SHARES_PER_CORE: f64 = 1024.0;
/// Least and greatest number of CPU shares, Linux's `kernel/sched/core.c`.
const SHARES: std::ops::RangeInclusive<f64> = 2.0..=262_144.0;

/// Returns whether the machine has version 2 of control groups. A container of another runtime on
/// it would have the same.
fn is_unified() -> bool {
    static UNIFIED: LazyLock<bool> =
        LazyLock::new(|| Path::new(ROOT).join(CONTROLLERS).exists() || !Path::new(ROOT).exists());
    *UNIFIED
}

/// Returns the files of a container's control group.
pub(in crate::live) fn files(container: &Container) -> Vec<(String, Vec<u8>)> {
    let limits = Limits::of(container);
    let files = if is_unified() {
        limits.unified()
    } else {
        limits.separate()
    };
    let file =
        |(name, text): (&str, String)| (format!("{ROOT}/{name}"), format!("{text}\n").into());
    files.into_iter().map(file).collect()
}

/// Limits in the terms of control groups.
struct Limits {
    /// CPU time in a period, in microseconds; `None` without a limit.
    quota: Option<u64>,
    /// Period in microseconds.
    period: u64,
    shares: u64,
    /// Memory in bytes; `None` without a limit.
    memory: Option<u64>,
    /// Processes; `None` without a limit.
    pids: Option<u64>,
}

impl Limits {
    fn of(container: &Container) -> Self {
        let ResourceInfo {
            cpu_limit,
            cpu_request,
            memory_limit,
            pid_limit,
            ..
        } = container.info;
        let stated = container.cpu_quota.filter(|stated| stated.period > 0);
        let period = stated.map_or(PERIOD, |stated| stated.period);
        Self {
            quota: cpu_limit.map(|cores| rounded(cores * precise(period))),
            period,
            shares: cpu_request.map_or(1024, |cores| {
                let shares = (cores * SHARES_PER_CORE).clamp(*SHARES.start(), *SHARES.end());
                rounded(shares)
            }),
            memory: memory_limit,
            pids: pid_limit,
        }
    }

    /// Returns the files of version 2, Linux's `admin-guide/cgroup-v2.rst`.
    fn unified(&self) -> Vec<(&'static str, String)> {
        let or_max = |limit: Option<u64>| limit.map_or("max".to_owned(), |limit| limit.to_string());
        vec![
            (CONTROLLERS, "cpuset cpu io memory hugetlb pids".to_owned()),
            ("cgroup.type", "domain".to_owned()),
            ("cpu.max", format!("{} {}", or_max(self.quota), self.period)),
            (
                "cpu.weight",
                WeightFormula::Quadratic.weight(self.shares).to_string(),
            ),
            ("memory.max", or_max(self.memory)),
            ("memory.swap.max", "0".to_owned()),
            ("pids.max", or_max(self.pids)),
        ]
    }

    /// Returns the files of version 1, Linux's `admin-guide/cgroup-v1`.
    fn separate(&self) -> Vec<(&'static str, String)> {
        let quota = self
            .quota
            .map_or("-1".to_owned(), |quota| quota.to_string());
        let memory = self.memory.unwrap_or(NO_LIMIT).to_string();
        let pids = self.pids.map_or("max".to_owned(), |pids| pids.to_string());
        vec![
            ("cpu/cpu.cfs_quota_us", quota),
            ("cpu/cpu.cfs_period_us", self.period.to_string()),
            ("cpu/cpu.shares", self.shares.to_string()),
            ("memory/memory.limit_in_bytes", memory),
            ("pids/pids.max", pids),
        ]
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a period is at most a second, in microseconds"
)]
fn precise(period: u64) -> f64 {
    period as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of CPU are not negative, and at most 1e6 cores of 1e6 microseconds"
)]
fn rounded(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_shown_in_the_files_of_either_version() {
        let limits = Limits {
            quota: Some(50_000),
            period: 100_000,
            shares: 512,
            memory: Some(1 << 20),
            pids: None,
        };
        let unified = limits.unified();
        for file in [
            ("cpu.max", "50000 100000"),
            ("cpu.weight", "59"),
            ("memory.max", "1048576"),
            ("pids.max", "max"),
        ] {
            assert!(
                unified.contains(&(file.0, file.1.to_owned())),
                "{unified:?}"
            );
        }
        let none = Limits {
            quota: None,
            memory: None,
            ..limits
        };
        let separate = none.separate();
        for file in [
            ("cpu/cpu.cfs_quota_us", "-1"),
            ("cpu/cpu.shares", "512"),
            ("memory/memory.limit_in_bytes", "9223372036854771712"),
        ] {
            assert!(
                separate.contains(&(file.0, file.1.to_owned())),
                "{separate:?}"
            );
        }
    }
}
