//! Source 1: Linux resources, the limits that a kernel would enforce.
//!
//! OCI's `linux.resources` and CRI's `LinuxContainerResources` both carry the values of cgroup
//! v1 files as numbers and cgroup v2 files as text in `unified`. If both state a field, the v2
//! file wins, because runtimes write it last.

use std::collections::HashMap;

use k8s_cri::v1::LinuxContainerResources;
use oci_spec::runtime::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources};

use super::error::{InvalidResource, Origin, Reader};
use super::setting::{self, Setting};
use super::{ResourceInfo, cores, unified};

/// Linux resources of OCI or CRI. A number of 0 means "not specified": by definition in CRI,
/// and as runc reads it in OCI.
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
        // `i64::MAX` is above every valid value, too.
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
            // CRI states these two only in `unified`.
            memory_reservation: 0,
            pids: 0,
            unified: Some(&cri.unified),
        }
    }
}

impl Linux<'_> {
    /// Reads the settings of all fields.
    pub(super) fn read(
        &self,
        origin: Origin,
        reader: &mut Reader,
    ) -> Result<Statement, InvalidResource> {
        let mut v1 = |stated: Result<Setting<f64>, InvalidResource>| {
            Ok(reader.accept(stated)?.unwrap_or(Setting::Unreadable))
        };
        let quota = v1(self.quota(origin))?;
        let shares = v1(self.shares(origin))?;
        let limit = unless_zero(self.memory_limit, |bytes| setting::memory(bytes.into()));
        let reservation = unless_zero(self.memory_reservation, |bytes| {
            setting::memory(bytes.into())
        });
        let pids = unless_zero(self.pids, setting::pids);

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

    fn quota(&self, origin: Origin) -> Result<Setting<f64>, InvalidResource> {
        let period = match u64::try_from(self.period) {
            Ok(0) => setting::DEFAULT_PERIOD,
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
            Ok(0) => Ok(Setting::Unset),
            Err(_) => Ok(Setting::NoLimit),
            Ok(quota) => cores::ratio(quota, period)
                .map(Setting::Value)
                .ok_or_else(|| {
                    let value = format!("{quota} {period}");
                    InvalidResource::new(
                        origin,
                        "cpu quota and period",
                        &value,
                        setting::EXPECTED_QUOTA,
                    )
                }),
        }
    }

    fn shares(&self, origin: Origin) -> Result<Setting<f64>, InvalidResource> {
        u64::try_from(self.shares)
            .map(setting::request)
            .map_err(|_| {
                let shares = self.shares.to_string();
                InvalidResource::new(origin, "cpu shares", &shares, "shares from 2 to 262144")
            })
    }
}

fn unless_zero<T>(number: i64, stated: impl Fn(i64) -> Setting<T>) -> Setting<T> {
    match number {
        0 => Setting::Unset,
        number => stated(number),
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
        parse: fn(&str) -> Result<Setting<T>, &'static str>,
    ) -> Result<Setting<T>, InvalidResource> {
        let Some(content) = self.unified.and_then(|files| files.get(file)) else {
            return Ok(Setting::Unset);
        };
        let stated = parse(content)
            .map_err(|expected| InvalidResource::new(self.origin, file, content, expected));
        Ok(self.reader.accept(stated)?.unwrap_or(Setting::Unreadable))
    }
}

/// Settings of all fields that Linux resources can state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    cpu_limit: Setting<f64>,
    cpu_request: Setting<f64>,
    memory_limit: Setting<u64>,
    memory_request: Setting<u64>,
    pid_limit: Setting<u64>,
}

impl Statement {
    /// Returns `old` with the stated fields replaced.
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

    /// Adds a pod's overhead by the rules of Kubernetes' own sums (`PodLimits` and
    /// `PodRequests` in `k8s.io/component-helpers/resource`).
    ///
    /// A limit grows only if there is one: overhead does not limit an unlimited pod. A request
    /// also grows from "none", because a pod that requests nothing still costs its overhead. A
    /// field that the pod does not state stays unstated: the pod's containers are counted
    /// later, and the overhead alone would look like the pod's total. The request of the
    /// overhead is its limit: kubelet treats overhead as guaranteed.
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

fn grown<T: Copy>(base: Setting<T>, overhead: Setting<T>, sum: fn(T, T) -> T) -> Setting<T> {
    match (base, overhead) {
        (Setting::Value(base), Setting::Value(overhead)) => Setting::Value(sum(base, overhead)),
        _ => base,
    }
}

fn grown_from_none<T: Copy>(
    base: Setting<T>,
    overhead: Setting<T>,
    sum: fn(T, T) -> T,
) -> Setting<T> {
    match (base, overhead) {
        (Setting::NoLimit, Setting::Value(_)) => overhead,
        _ => grown(base, overhead, sum),
    }
}

#[cfg(test)]
mod tests {
    use super::Setting::{NoLimit, Unreadable, Unset, Value};
    use super::*;
    use crate::OnInvalid;

    fn read(linux: &Linux<'_>) -> Result<Statement, InvalidResource> {
        linux.read(Origin::OciResources, &mut Reader::new(OnInvalid::Reject))
    }

    #[test]
    fn quota_over_period_is_the_cpu_limit() {
        for (quota, period, stated) in [
            (0, 0, Unset),
            (0, 100_000, Unset),
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
            assert_eq!(read(&linux).unwrap().cpu_limit, stated, "{quota} {period}");
        }
    }

    #[test]
    fn shares_are_the_cpu_request() {
        for (shares, stated) in [
            (0, Unset),
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
            assert_eq!(read(&linux).unwrap().cpu_request, stated, "{shares}");
        }
    }

    #[test]
    fn a_value_outside_every_interface_is_refused() {
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
        for (min, low, reservation, stated) in [
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
            assert_eq!(read(&linux).unwrap().memory_request, stated);
        }
    }

    #[test]
    fn overhead_is_a_table() {
        let sum = |a, b| a + b;
        for (base, overhead, limit, request) in [
            (Unset, Value(1), Unset, Unset),
            (Unreadable, Value(1), Unreadable, Unreadable),
            (Value(2), Unreadable, Value(2), Value(2)),
            (NoLimit, Value(1), NoLimit, Value(1)),
            (Value(2), Value(1), Value(3), Value(3)),
            (Value(2), NoLimit, Value(2), Value(2)),
            (Value(2), Unset, Value(2), Value(2)),
            (NoLimit, NoLimit, NoLimit, NoLimit),
        ] {
            assert_eq!(grown(base, overhead, sum), limit);
            assert_eq!(grown_from_none(base, overhead, sum), request);
        }
    }
}
