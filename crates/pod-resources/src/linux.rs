//! Source 1: Linux resources, the limits that a kernel would enforce.
//!
//! OCI's `linux.resources` and CRI's `LinuxContainerResources` both carry the values of cgroup
//! v1 files as numbers and cgroup v2 files as text in `unified`. If both state a field, the v2
//! file wins, because runtimes write it last.

use std::collections::HashMap;

use cri_api::v1::LinuxContainerResources;
use oci_config::{Field, LinuxResources};

use super::cpu_quota::CpuQuota;
use super::error::{InvalidResource, Origin, Reader};
use super::setting::{self, Setting};
use super::{ResourceInfo, cores, unified};

/// A number of Linux resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Number<'a> {
    /// The number is not stated.
    #[default]
    Absent,
    /// The number.
    Stated(i128),
    /// Another value than a number, given as JSON.
    Unreadable(&'a str),
}

impl From<i64> for Number<'_> {
    /// Reads 0 as "not specified", as CRI defines it, and as runc reads most numbers of OCI.
    fn from(number: i64) -> Self {
        match number {
            0 => Self::Absent,
            number => Self::Stated(number.into()),
        }
    }
}

impl<'a> Number<'a> {
    /// Returns the number in a field of OCI.
    fn of(field: Option<&'a Field<i128>>) -> Self {
        match field {
            None | Some(Field::Absent) => Self::Absent,
            Some(Field::Value(number)) => Self::Stated(*number),
            Some(Field::Unreadable(text)) => Self::Unreadable(text),
        }
    }

    /// Returns the number in a field of OCI whose 0 means "not specified".
    fn unless_zero(field: Option<&'a Field<i128>>) -> Self {
        match Self::of(field) {
            Self::Stated(0) => Self::Absent,
            number => number,
        }
    }

    fn is_stated(self) -> bool {
        self != Self::Absent
    }
}

/// A section of Linux resources that is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unreadable<'a> {
    key: &'static str,
    text: &'a str,
    expected: &'static str,
}

/// Linux resources of OCI or CRI.
#[derive(Debug, Default)]
pub(super) struct Linux<'a> {
    pub(super) quota: Number<'a>,
    pub(super) period: Number<'a>,
    pub(super) shares: Number<'a>,
    pub(super) memory_limit: Number<'a>,
    pub(super) memory_reservation: Number<'a>,
    pub(super) pids: Number<'a>,
    pub(super) unified: Option<&'a HashMap<String, String>>,
    /// Quota and period that apply where the resources, as an update, do not state them.
    pub(super) present: CpuQuota,
    pub(super) unreadable: Vec<Unreadable<'a>>,
}

/// Description of a valid section.
const OBJECT: &str = "an object";

impl<'a> From<&'a LinuxResources> for Linux<'a> {
    fn from(oci: &'a LinuxResources) -> Self {
        let mut linux = Self::default();
        let cpu = linux.section("cpu", &oci.cpu, OBJECT);
        let memory = linux.section("memory", &oci.memory, OBJECT);
        let pids = linux.section("pids", &oci.pids, OBJECT);
        let unified = linux.section("unified", &oci.unified, "an object of texts");
        Self {
            quota: Number::unless_zero(cpu.map(|cpu| &cpu.quota)),
            period: Number::unless_zero(cpu.map(|cpu| &cpu.period)),
            shares: Number::unless_zero(cpu.map(|cpu| &cpu.shares)),
            memory_limit: Number::unless_zero(memory.map(|memory| &memory.limit)),
            memory_reservation: Number::unless_zero(memory.map(|memory| &memory.reservation)),
            pids: Number::of(pids.map(|pids| &pids.limit)),
            unified,
            ..linux
        }
    }
}

impl<'a> From<&'a Field<oci_config::Linux>> for Linux<'a> {
    fn from(section: &'a Field<oci_config::Linux>) -> Self {
        let mut none = Self::default();
        let resources = none
            .section("linux", section, OBJECT)
            .and_then(|linux| none.section("linux.resources", &linux.resources, OBJECT));
        resources.map_or(none, Self::from)
    }
}

impl<'a> From<&'a LinuxContainerResources> for Linux<'a> {
    fn from(cri: &'a LinuxContainerResources) -> Self {
        Self {
            quota: cri.cpu_quota.into(),
            period: cri.cpu_period.into(),
            shares: cri.cpu_shares.into(),
            memory_limit: cri.memory_limit_in_bytes.into(),
            unified: Some(&cri.unified),
            // CRI states the reservation and the number of processes only in `unified`.
            ..Self::default()
        }
    }
}

impl<'a> Linux<'a> {
    /// Returns a section; notes one that is not of its type.
    fn section<T>(
        &mut self,
        key: &'static str,
        field: &'a Field<T>,
        expected: &'static str,
    ) -> Option<&'a T> {
        if let Field::Unreadable(text) = field {
            self.unreadable.push(Unreadable {
                key,
                text,
                expected,
            });
        }
        field.value()
    }

    /// Reads the settings of all fields.
    pub(super) fn read(
        &self,
        origin: Origin,
        reader: &mut Reader,
    ) -> Result<Statement, InvalidResource> {
        for section in &self.unreadable {
            let Unreadable {
                key,
                text,
                expected,
            } = *section;
            reader.accept::<()>(Err(InvalidResource::new(origin, key, text, expected)))?;
        }
        let mut v1 = Numbers {
            origin,
            reader: &mut *reader,
        };
        let (quota, mut cpu_quota) = v1.quota(self)?;
        let shares = v1.read("cpu shares", self.shares, shares)?;
        let limit = v1.read("memory limit", self.memory_limit, memory)?;
        let reservation = v1.read("memory reservation", self.memory_reservation, memory)?;
        let pids = v1.read("pids limit", self.pids, |number| Ok(setting::pids(number)))?;

        let formula = reader.weight_formula();
        let mut v2 = Files {
            unified: self.unified.filter(|files| !files.is_empty()),
            origin,
            reader,
        };
        let cpu_max = v2.read("cpu.max", |content| {
            let stated = unified::cpu_max(content, cpu_quota.period)?;
            let setting = quota_setting(stated).ok_or(setting::EXPECTED_QUOTA)?;
            cpu_quota = stated;
            Ok(setting)
        })?;
        Ok(Statement {
            cpu_limit: cpu_max.or(quota),
            cpu_request: v2
                .read("cpu.weight", |content| {
                    unified::cpu_weight(content, formula)
                })?
                .or(shares),
            memory_limit: v2.read("memory.max", unified::bytes)?.or(limit),
            memory_request: v2
                .read("memory.min", unified::bytes)?
                .or_value(v2.read("memory.low", unified::bytes)?)
                .or_value(reservation),
            pid_limit: v2.read("pids.max", unified::pids)?.or(pids),
            cpu_quota,
        })
    }
}

impl CpuQuota {
    /// Returns the quota that CRI's resources state, in `cpu.max` or else in numbers.
    pub fn of_cri(resources: &LinuxContainerResources) -> Self {
        let numbers = Self {
            quota: resources.cpu_quota,
            period: u64::try_from(resources.cpu_period).unwrap_or(0),
        };
        let file = resources.unified.get("cpu.max");
        file.and_then(|content| unified::cpu_max(content, 0).ok())
            .unwrap_or(numbers)
    }
}

/// Reads a quota in its period; `None` for one above the range of a CPU limit.
fn quota_setting(stated: CpuQuota) -> Option<Setting<f64>> {
    let period = match stated.period {
        0 => setting::DEFAULT_PERIOD,
        period => period,
    };
    match u64::try_from(stated.quota) {
        Ok(0) => Some(Setting::Unset),
        Err(_) => Some(Setting::NoLimit),
        Ok(quota) => cores::ratio(quota, period).map(Setting::Value),
    }
}

/// Description of a valid number of bytes.
const EXPECTED_BYTES: &str = "a whole number of bytes, or -1 for no limit";

#[expect(clippy::unnecessary_wraps, reason = "one signature for all readings")]
fn memory(bytes: i128) -> Result<Setting<u64>, &'static str> {
    Ok(setting::memory(bytes))
}

fn shares(number: i128) -> Result<Setting<f64>, &'static str> {
    u64::try_from(number)
        .map(setting::request)
        .map_err(|_| expected_of("cpu shares"))
}

/// Describes a valid number of this name.
fn expected_of(key: &str) -> &'static str {
    match key {
        "cpu shares" => "shares from 2 to 262144",
        "cpu period" => "a period of microseconds above 0",
        "cpu quota" => "a whole number of microseconds, or -1 for no limit",
        "pids limit" => "a whole number of processes, or -1 for no limit",
        _ => EXPECTED_BYTES,
    }
}

/// The numbers of cgroup v1.
struct Numbers<'r> {
    origin: Origin,
    reader: &'r mut Reader,
}

impl Numbers<'_> {
    fn read<T>(
        &mut self,
        key: &'static str,
        number: Number<'_>,
        parse: impl FnOnce(i128) -> Result<Setting<T>, &'static str>,
    ) -> Result<Setting<T>, InvalidResource> {
        let invalid =
            |value: &str, expected| Err(InvalidResource::new(self.origin, key, value, expected));
        let stated = match number {
            Number::Absent => return Ok(Setting::Unset),
            Number::Unreadable(text) => invalid(text, expected_of(key)),
            Number::Stated(number) => match parse(number) {
                Ok(setting) => Ok(setting),
                Err(expected) => invalid(&number.to_string(), expected),
            },
        };
        Ok(self.reader.accept(stated)?.unwrap_or(Setting::Unreadable))
    }

    /// Reads quota and period. The one that is not stated is the present one.
    fn quota(&mut self, linux: &Linux<'_>) -> Result<(Setting<f64>, CpuQuota), InvalidResource> {
        if !linux.quota.is_stated() && !linux.period.is_stated() {
            return Ok((Setting::Unset, linux.present));
        }
        let mut stated = linux.present;
        let period = self.read("cpu period", linux.period, |number| {
            let period = u64::try_from(number).ok().filter(|us| *us > 0);
            stated.period = period.ok_or(expected_of("cpu period"))?;
            Ok(Setting::Value(()))
        })?;
        let quota = self.read("cpu quota", linux.quota, |number| {
            // No period makes more than the greatest CPU limit of the greatest number.
            stated.quota = i64::try_from(number).map_err(|_| setting::EXPECTED_QUOTA)?;
            Ok(Setting::Value(()))
        })?;
        if [period, quota].contains(&Setting::Unreadable) {
            return Ok((Setting::Unreadable, CpuQuota::default()));
        }
        if !linux.quota.is_stated() && stated.quota <= 0 {
            // A period alone limits nothing.
            return Ok((Setting::Unset, stated));
        }
        let setting = quota_setting(stated).ok_or_else(|| {
            let value = format!("{} {}", stated.quota, stated.period);
            let key = "cpu quota and period";
            InvalidResource::new(self.origin, key, &value, setting::EXPECTED_QUOTA)
        });
        Ok(match self.reader.accept(setting)? {
            Some(setting) => (setting, stated),
            None => (Setting::Unreadable, CpuQuota::default()),
        })
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
        parse: impl FnOnce(&str) -> Result<Setting<T>, &'static str>,
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
    /// Quota and period after the statement.
    pub(super) cpu_quota: CpuQuota,
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
            cpu_quota: self.cpu_quota,
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
        linux.read(
            Origin::OciResources,
            &mut Reader::new(OnInvalid::Reject.into()),
        )
    }

    #[test]
    fn quota_over_period_is_the_cpu_limit() {
        for (quota, period, stated) in [
            (0_i64, 0_i64, Unset),
            (0, 100_000, Unset),
            (-1, 100_000, NoLimit),
            (i64::MIN, 1, NoLimit),
            (50_000, 100_000, Value(0.5)),
            (50_000, 0, Value(0.5)),
            (30_000, 20_000, Value(1.5)),
            (1, i64::MAX, Value(1e-9)),
        ] {
            let linux = Linux {
                quota: quota.into(),
                period: period.into(),
                ..Linux::default()
            };
            assert_eq!(read(&linux).unwrap().cpu_limit, stated, "{quota} {period}");
        }
    }

    #[test]
    fn shares_are_the_cpu_request() {
        for (shares, stated) in [
            (0_i64, Unset),
            (1, NoLimit),
            (2, NoLimit),
            (3, Value(0.003)),
            (102, Value(0.1)),
            (409, Value(0.4)),
            (511, Value(0.5)),
            (512, Value(0.5)),
            (1024, Value(1.0)),
            (262_144, Value(256.0)),
            (i64::MAX, Value(256.0)),
        ] {
            let linux = Linux {
                shares: shares.into(),
                ..Linux::default()
            };
            assert_eq!(read(&linux).unwrap().cpu_request, stated, "{shares}");
        }
    }

    #[test]
    fn a_value_outside_every_interface_is_refused() {
        let period = Linux {
            period: (-5).into(),
            ..Linux::default()
        };
        assert_eq!(read(&period).unwrap_err().value, "-5");
        let shares = Linux {
            shares: (-1).into(),
            ..Linux::default()
        };
        assert_eq!(read(&shares).unwrap_err().key, "cpu shares");
        let quota = Linux {
            quota: i64::MAX.into(),
            period: 1.into(),
            ..Linux::default()
        };
        assert_eq!(read(&quota).unwrap_err().value, "9223372036854775807 1");
    }

    #[test]
    fn an_update_of_a_quota_or_a_period_alone_keeps_the_other() {
        let file = |content: &str| HashMap::from([("cpu.max".to_owned(), content.to_owned())]);
        let present = CpuQuota {
            quota: 50_000,
            period: 200_000,
        };
        for (quota, period, unified, limit, after) in [
            (0_i64, 0_i64, None, Unset, (50_000, 200_000)),
            (0, 100_000, None, Value(0.5), (50_000, 100_000)),
            (100_000, 0, None, Value(0.5), (100_000, 200_000)),
            (-1, 0, None, NoLimit, (-1, 200_000)),
            (20_000, 10_000, None, Value(2.0), (20_000, 10_000)),
            (0, 0, Some("100000"), Value(0.5), (100_000, 200_000)),
            (0, 0, Some("max"), NoLimit, (-1, 200_000)),
            (0, 0, Some("1 2"), Value(0.5), (1, 2)),
            (7, 7, Some("1 2"), Value(0.5), (1, 2)),
        ] {
            let unified = unified.map(file);
            let linux = Linux {
                quota: quota.into(),
                period: period.into(),
                unified: unified.as_ref(),
                present,
                ..Linux::default()
            };
            let stated = read(&linux).unwrap();
            let cpu_quota = (stated.cpu_quota.quota, stated.cpu_quota.period);
            assert_eq!((stated.cpu_limit, cpu_quota), (limit, after), "{linux:?}");
        }
        let unlimited = Linux {
            period: 100_000.into(),
            ..Linux::default()
        };
        assert_eq!(read(&unlimited).unwrap().cpu_limit, Unset);
    }

    #[test]
    fn a_memory_request_is_the_first_file_that_holds_one() {
        for (min, low, reservation, stated) in [
            ("1", "2", 3_i64, Value(1)),
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
                memory_reservation: reservation.into(),
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
