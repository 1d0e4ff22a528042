//! Source 1: Linux resources, what a kernel would enforce.
//!
//! OCI's `linux.resources` and CRI's `LinuxContainerResources` both carry the
//! values of cgroup v1 files as numbers and cgroup v2 files as text in
//! `unified`. Where both are given the v2 file wins, as runtimes write it last.

use std::collections::HashMap;

use k8s_cri::v1::LinuxContainerResources;
use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};

use super::error::{InvalidResource, Origin, Reader};
use super::{ResourceInfo, cores, unified};

/// The period of a CPU quota that comes without one, in microseconds: the
/// kernel's default (`Documentation/scheduler/sched-bwc.rst`).
pub(super) const DEFAULT_PERIOD: u64 = 100_000;

/// The CPU shares that stand for one core (`SharesPerCPU` in kubelet).
const SHARES_PER_CORE: u64 = 1024;

/// The kernel's bounds of `cpu.shares` (`kernel/sched/sched.h`). kubelet writes
/// the lower one for "no request".
const MIN_SHARES: u64 = 2;
const MAX_SHARES: u64 = 1 << 18;

/// The smallest number that `memory.limit_in_bytes` shows for "no limit": the
/// kernel rounds 2^63 - 1 down to its page size, and 64 KiB is the largest.
const PAGE_COUNTER_MAX: i128 = 0x7fff_ffff_ffff_0000;

pub(super) const EXPECTED_QUOTA: &str = "a quota of at most 1000000 times its period";

/// What a source says about one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Said<T> {
    /// Nothing at all.
    Nothing,
    /// Something that cannot be read.
    Unreadable,
    /// That there is none: no limit, or no request.
    NoLimit,
    /// This much.
    Value(T),
}

impl<T: Copy> Said<T> {
    /// This one, unless it says nothing, or nothing that can be read where the
    /// other does.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, _) | (Self::Unreadable, Self::NoLimit | Self::Value(_)) => other,
            _ => self,
        }
    }

    /// The first of two that has a value; else the first that says anything.
    fn or_value(self, other: Self) -> Self {
        match (self, other) {
            (Self::Value(value), _) | (_, Self::Value(value)) => Self::Value(value),
            (said, other) => said.or(other),
        }
    }

    /// What is left of `old` once this was said.
    fn over(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Nothing => old,
            Self::Unreadable | Self::NoLimit => None,
            Self::Value(value) => Some(value),
        }
    }
}

/// The CPU request that `shares` stands for, in cores; 0 is "not specified".
pub(super) fn request(shares: u64) -> Said<f64> {
    match shares {
        0 => Said::Nothing,
        1..=MIN_SHARES => Said::NoLimit,
        shares => {
            cores::ratio(shares.min(MAX_SHARES), SHARES_PER_CORE).map_or(Said::NoLimit, Said::Value)
        }
    }
}

/// A memory limit or request of `bytes`.
pub(super) fn memory(bytes: i128) -> Said<u64> {
    match u64::try_from(bytes) {
        Ok(limit @ 1..) if bytes < PAGE_COUNTER_MAX => Said::Value(limit),
        _ => Said::NoLimit,
    }
}

/// A limit of `number` processes.
pub(super) fn pids(number: i64) -> Said<u64> {
    match u64::try_from(number) {
        Ok(limit @ 1..) => Said::Value(limit),
        _ => Said::NoLimit,
    }
}

/// The Linux resources of either interface. In the numbers 0 is "not
/// specified": by definition in CRI, by runc's reading in OCI.
#[derive(Debug, Default)]
pub(super) struct Linux<'a> {
    pub(super) quota: i64,
    pub(super) period: i64,
    pub(super) shares: i64,
    pub(super) memory_limit: i64,
    pub(super) memory_reservation: i64,
    pub(super) pids: i64,
    pub(super) unified: Option<&'a HashMap<String, String>>,
}

impl<'a> From<&'a LinuxResources> for Linux<'a> {
    fn from(oci: &'a LinuxResources) -> Self {
        // Far above every bound either way.
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let (cpu, memory) = (oci.cpu().as_ref(), oci.memory().as_ref());
        Self {
            quota: cpu.and_then(LinuxCpu::quota).unwrap_or(0),
            period: cpu.and_then(LinuxCpu::period).map_or(0, signed),
            shares: cpu.and_then(LinuxCpu::shares).map_or(0, signed),
            memory_limit: memory.and_then(LinuxMemory::limit).unwrap_or(0),
            memory_reservation: memory.and_then(LinuxMemory::reservation).unwrap_or(0),
            pids: oci.pids().as_ref().map_or(0, LinuxPids::limit),
            unified: oci.unified().as_ref(),
        }
    }
}

impl<'a> From<&'a LinuxContainerResources> for Linux<'a> {
    fn from(cri: &'a LinuxContainerResources) -> Self {
        Self {
            quota: cri.cpu_quota,
            period: cri.cpu_period,
            shares: cri.cpu_shares,
            memory_limit: cri.memory_limit_in_bytes,
            // CRI has neither of them outside `unified`.
            memory_reservation: 0,
            pids: 0,
            unified: Some(&cri.unified),
        }
    }
}

impl Linux<'_> {
    /// What these resources say.
    pub(super) fn read(
        &self,
        origin: Origin,
        reader: &mut Reader,
    ) -> Result<Statement, InvalidResource> {
        let mut v1 = |said: Result<Said<f64>, InvalidResource>| {
            Ok(reader.accept(said)?.unwrap_or(Said::Unreadable))
        };
        let quota = v1(self.quota(origin))?;
        let shares = v1(self.shares(origin))?;
        let limit = unless_zero(self.memory_limit, |bytes| memory(bytes.into()));
        let reservation = unless_zero(self.memory_reservation, |bytes| memory(bytes.into()));
        let pids = unless_zero(self.pids, pids);

        let mut v2 = Files {
            unified: self.unified.filter(|files| !files.is_empty()),
            origin,
            reader,
        };
        Ok(Statement {
            cpu_limit: v2.read("cpu.max", unified::cpu_max)?.or(quota),
            cpu_request: v2.read("cpu.weight", unified::cpu_weight)?.or(shares),
            memory_limit: v2.read("memory.max", unified::bytes)?.or(limit),
            memory_request: v2
                .read("memory.min", unified::bytes)?
                .or_value(v2.read("memory.low", unified::bytes)?)
                .or_value(reservation),
            pid_limit: v2.read("pids.max", unified::pids)?.or(pids),
        })
    }

    fn quota(&self, origin: Origin) -> Result<Said<f64>, InvalidResource> {
        let period = match u64::try_from(self.period) {
            Ok(0) => DEFAULT_PERIOD,
            Ok(period) => period,
            Err(_) => {
                let period = self.period.to_string();
                let expected = "a period of microseconds above 0";
                return Err(InvalidResource::new(
                    origin,
                    "cpu period",
                    &period,
                    expected,
                ));
            }
        };
        match u64::try_from(self.quota) {
            Ok(0) => Ok(Said::Nothing),
            Err(_) => Ok(Said::NoLimit),
            Ok(quota) => cores::ratio(quota, period).map(Said::Value).ok_or_else(|| {
                let value = format!("{quota} {period}");
                InvalidResource::new(origin, "cpu quota and period", &value, EXPECTED_QUOTA)
            }),
        }
    }

    fn shares(&self, origin: Origin) -> Result<Said<f64>, InvalidResource> {
        u64::try_from(self.shares).map(request).map_err(|_| {
            let shares = self.shares.to_string();
            InvalidResource::new(origin, "cpu shares", &shares, "shares from 2 to 262144")
        })
    }
}

fn unless_zero<T>(number: i64, said: impl Fn(i64) -> Said<T>) -> Said<T> {
    match number {
        0 => Said::Nothing,
        number => said(number),
    }
}

/// The cgroup v2 files of one `unified` map.
struct Files<'a, 'r> {
    unified: Option<&'a HashMap<String, String>>,
    origin: Origin,
    reader: &'r mut Reader,
}

impl Files<'_, '_> {
    fn read<T>(
        &mut self,
        file: &'static str,
        parse: fn(&str) -> Result<Said<T>, &'static str>,
    ) -> Result<Said<T>, InvalidResource> {
        let Some(content) = self.unified.and_then(|files| files.get(file)) else {
            return Ok(Said::Nothing);
        };
        let said = parse(content)
            .map_err(|expected| InvalidResource::new(self.origin, file, content, expected));
        Ok(self.reader.accept(said)?.unwrap_or(Said::Unreadable))
    }
}

/// What Linux resources say about each field they can speak of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    cpu_limit: Said<f64>,
    cpu_request: Said<f64>,
    memory_limit: Said<u64>,
    memory_request: Said<u64>,
    pid_limit: Said<u64>,
}

impl Statement {
    /// `old` with everything this speaks of replaced.
    pub(super) fn over(self, old: ResourceInfo) -> ResourceInfo {
        ResourceInfo {
            cpu_limit: self.cpu_limit.over(old.cpu_limit),
            cpu_request: self.cpu_request.over(old.cpu_request),
            memory_limit: self.memory_limit.over(old.memory_limit),
            memory_request: self.memory_request.over(old.memory_request),
            pid_limit: self.pid_limit.over(old.pid_limit),
            storage_limit: old.storage_limit,
            network_bandwidth: old.network_bandwidth,
        }
    }

    /// With a pod's overhead on top, by the rules of Kubernetes' own sums
    /// (`PodLimits` and `PodRequests` in `k8s.io/component-helpers/resource`).
    ///
    /// A limit grows only where there is one: overhead does not limit what is
    /// unlimited. A request also grows from "none", since a pod that asks for
    /// nothing still costs its overhead. A field the pod says nothing about
    /// stays so: the pod's containers have yet to be counted, and its overhead
    /// alone would pass for its total. Overhead's request is its limit: kubelet
    /// treats it as guaranteed.
    pub(super) fn with_overhead(self, overhead: Self) -> Self {
        let memory = overhead.memory_request.or_value(overhead.memory_limit);
        Self {
            cpu_limit: grown(self.cpu_limit, overhead.cpu_limit, cores::sum),
            cpu_request: grown_from_none(self.cpu_request, overhead.cpu_request, cores::sum),
            memory_limit: grown(
                self.memory_limit,
                overhead.memory_limit,
                u64::saturating_add,
            ),
            memory_request: grown_from_none(self.memory_request, memory, u64::saturating_add),
            pid_limit: grown(self.pid_limit, overhead.pid_limit, u64::saturating_add),
        }
    }
}

fn grown<T: Copy>(base: Said<T>, overhead: Said<T>, sum: fn(T, T) -> T) -> Said<T> {
    match (base, overhead) {
        (Said::Value(base), Said::Value(overhead)) => Said::Value(sum(base, overhead)),
        _ => base,
    }
}

fn grown_from_none<T: Copy>(base: Said<T>, overhead: Said<T>, sum: fn(T, T) -> T) -> Said<T> {
    match (base, overhead) {
        (Said::NoLimit, Said::Value(_)) => overhead,
        _ => grown(base, overhead, sum),
    }
}

#[cfg(test)]
mod tests {
    use super::Said::{NoLimit, Nothing, Unreadable, Value};
    use super::*;
    use crate::OnInvalid;

    fn read(linux: &Linux<'_>) -> Result<Statement, InvalidResource> {
        linux.read(Origin::OciResources, &mut Reader::new(OnInvalid::Reject))
    }

    #[test]
    fn quota_over_period_is_the_cpu_limit() {
        for (quota, period, said) in [
            (0, 0, Nothing),
            (0, 100_000, Nothing),
            (-1, 100_000, NoLimit),
            (i64::MIN, 1, NoLimit),
            (50_000, 100_000, Value(0.5)),
            (50_000, 0, Value(0.5)),
            (30_000, 20_000, Value(1.5)),
            (1, i64::MAX, Value(1e-9)),
        ] {
            let linux = Linux {
                quota,
                period,
                ..Linux::default()
            };
            assert_eq!(read(&linux).unwrap().cpu_limit, said, "{quota} {period}");
        }
    }

    #[test]
    fn shares_are_the_cpu_request() {
        for (shares, said) in [
            (0, Nothing),
            (1, NoLimit),
            (2, NoLimit),
            (3, Value(0.002_929_688)),
            (102, Value(0.099_609_375)),
            (512, Value(0.5)),
            (1024, Value(1.0)),
            (262_144, Value(256.0)),
            (i64::MAX, Value(256.0)),
        ] {
            let linux = Linux {
                shares,
                ..Linux::default()
            };
            assert_eq!(read(&linux).unwrap().cpu_request, said, "{shares}");
        }
    }

    #[test]
    fn page_counter_maxima_of_all_page_sizes_are_no_limit() {
        for page in [4096, 16_384, 65_536] {
            let maximum = i64::MAX / page * page;
            assert_eq!(memory(maximum.into()), NoLimit, "{maximum}");
        }
        assert_eq!(memory(1 << 62), Value(1 << 62));
    }

    #[test]
    fn what_no_interface_allows_is_refused() {
        let period = Linux {
            period: -5,
            ..Linux::default()
        };
        assert_eq!(read(&period).unwrap_err().value, "-5");
        let shares = Linux {
            shares: -1,
            ..Linux::default()
        };
        assert_eq!(read(&shares).unwrap_err().key, "cpu shares");
        let quota = Linux {
            quota: i64::MAX,
            period: 1,
            ..Linux::default()
        };
        assert_eq!(read(&quota).unwrap_err().value, "9223372036854775807 1");
    }

    #[test]
    fn a_memory_request_is_the_first_file_that_holds_one() {
        for (min, low, reservation, said) in [
            ("1", "2", 3, Value(1)),
            ("0", "2", 3, Value(2)),
            ("0", "0", 3, Value(3)),
            ("max", "0", 0, NoLimit),
            ("0", "0", -1, NoLimit),
        ] {
            let files = HashMap::from([
                ("memory.min".to_owned(), min.to_owned()),
                ("memory.low".to_owned(), low.to_owned()),
            ]);
            let linux = Linux {
                memory_reservation: reservation,
                unified: Some(&files),
                ..Linux::default()
            };
            assert_eq!(read(&linux).unwrap().memory_request, said);
        }
    }

    #[test]
    fn said_over_old_is_a_table() {
        for (said, old, left) in [
            (Nothing, None, None),
            (Nothing, Some(1), Some(1)),
            (Unreadable, None, None),
            (Unreadable, Some(1), None),
            (NoLimit, None, None),
            (NoLimit, Some(1), None),
            (Value(2), None, Some(2)),
            (Value(2), Some(1), Some(2)),
        ] {
            assert_eq!(said.over(old), left, "{said:?} over {old:?}");
        }
    }

    #[test]
    fn said_or_said_is_a_table() {
        let every = [Nothing, Unreadable, NoLimit, Value(1)];
        for (first, or) in [
            (Nothing, every),
            (Unreadable, [Unreadable, Unreadable, NoLimit, Value(1)]),
            (NoLimit, [NoLimit; 4]),
            (Value(2), [Value(2); 4]),
        ] {
            assert_eq!(every.map(|second| first.or(second)), or, "{first:?}");
        }
    }

    #[test]
    fn overhead_is_a_table() {
        let sum = |a, b| a + b;
        for (base, overhead, limit, request) in [
            (Nothing, Value(1), Nothing, Nothing),
            (Unreadable, Value(1), Unreadable, Unreadable),
            (Value(2), Unreadable, Value(2), Value(2)),
            (NoLimit, Value(1), NoLimit, Value(1)),
            (Value(2), Value(1), Value(3), Value(3)),
            (Value(2), NoLimit, Value(2), Value(2)),
            (Value(2), Nothing, Value(2), Value(2)),
            (NoLimit, NoLimit, NoLimit, NoLimit),
        ] {
            assert_eq!(grown(base, overhead, sum), limit);
            assert_eq!(grown_from_none(base, overhead, sum), request);
        }
    }
}
