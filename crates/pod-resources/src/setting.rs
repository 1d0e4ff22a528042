//! Statement of a source about one field, and the readings of the kernel's numbers.

use super::cores;

/// Period of a CPU quota that comes without one, in microseconds: the kernel's default
/// (`Documentation/scheduler/sched-bwc.rst`).
pub(super) const DEFAULT_PERIOD: u64 = 100_000;

/// CPU shares of one core (`SharesPerCPU` in kubelet).
const SHARES_PER_CORE: u64 = 1024;

/// Lower bound of `cpu.shares` (`kernel/sched/sched.h`), which kubelet writes for "no
/// request".
pub(super) const MIN_SHARES: u64 = 2;
/// Upper bound of `cpu.shares` (`kernel/sched/sched.h`).
pub(super) const MAX_SHARES: u64 = 1 << 18;

/// Smallest number that `memory.limit_in_bytes` shows for "no limit": the kernel rounds 2^63 -
/// 1 down to its page size, which is at most 64 KiB.
const PAGE_COUNTER_MAX: i128 = 0x7fff_ffff_ffff_0000;

/// Description of a valid CPU quota.
pub(super) const EXPECTED_QUOTA: &str = "a quota of at most 1000000 times its period";

/// Statement of a source about one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Setting<T> {
    /// The source does not state the field.
    Unset,
    /// The source states a value that cannot be read.
    Unreadable,
    /// The source states that there is no limit, or no request.
    NoLimit,
    /// The source states this value.
    Value(T),
}

impl<T: Copy> Setting<T> {
    /// Returns `self`, unless it is unset, or unreadable while `other` can be read.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unset, _) | (Self::Unreadable, Self::NoLimit | Self::Value(_)) => other,
            _ => self,
        }
    }

    /// Returns the first of two settings with a value, else the first that is set.
    pub(super) fn or_value(self, other: Self) -> Self {
        match (self, other) {
            (Self::Value(value), _) | (_, Self::Value(value)) => Self::Value(value),
            (first, other) => first.or(other),
        }
    }

    /// Returns the value of the field after this setting replaced `old`.
    pub(super) fn over(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Unset => old,
            Self::Unreadable | Self::NoLimit => None,
            Self::Value(value) => Some(value),
        }
    }
}

/// Reads `shares` as a CPU request in cores; 0 means "not specified".
///
/// A kubelet makes shares of whole millicores and rounds down, so its own inverse rounds up to
/// the millicore (`MilliCPUToShares` and `SharesToMilliCPU` in
/// `pkg/kubelet/cm/helpers_linux.go`): 409 shares are 0.4 cores.
pub(super) fn request(shares: u64) -> Setting<f64> {
    match shares {
        0 => Setting::Unset,
        1..=MIN_SHARES => Setting::NoLimit,
        shares => {
            let millicores = (shares.min(MAX_SHARES) * 1000).div_ceil(SHARES_PER_CORE);
            cores::ratio(millicores, 1000).map_or(Setting::NoLimit, Setting::Value)
        }
    }
}

/// Reads a memory limit or request of `bytes`.
pub(super) fn memory(bytes: i128) -> Setting<u64> {
    match u64::try_from(bytes) {
        Ok(limit @ 1..) if bytes < PAGE_COUNTER_MAX => Setting::Value(limit),
        _ => Setting::NoLimit,
    }
}

/// Reads a limit of `number` processes. A negative number means no limit. 0 is a limit, as in
/// the kernel (OCI runtime spec 1.3, `config-linux.md`, part `pids`).
pub(super) fn pids(number: i128) -> Setting<u64> {
    u64::try_from(number).map_or(Setting::NoLimit, Setting::Value)
}

#[cfg(test)]
mod tests {
    use super::Setting::{NoLimit, Unreadable, Unset, Value};
    use super::*;

    #[test]
    fn page_counter_maxima_of_all_page_sizes_are_no_limit() {
        for page in [4096, 16_384, 65_536] {
            let maximum = i64::MAX / page * page;
            assert_eq!(memory(maximum.into()), NoLimit, "{maximum}");
        }
        assert_eq!(memory(1 << 62), Value(1 << 62));
    }

    #[test]
    fn a_setting_over_an_old_value_is_a_table() {
        for (setting, old, left) in [
            (Unset, None, None),
            (Unset, Some(1), Some(1)),
            (Unreadable, None, None),
            (Unreadable, Some(1), None),
            (NoLimit, None, None),
            (NoLimit, Some(1), None),
            (Value(2), None, Some(2)),
            (Value(2), Some(1), Some(2)),
        ] {
            assert_eq!(setting.over(old), left, "{setting:?} over {old:?}");
        }
    }

    #[test]
    fn a_setting_or_another_is_a_table() {
        let every = [Unset, Unreadable, NoLimit, Value(1)];
        for (first, or) in [
            (Unset, every),
            (Unreadable, [Unreadable, Unreadable, NoLimit, Value(1)]),
            (NoLimit, [NoLimit; 4]),
            (Value(2), [Value(2); 4]),
        ] {
            assert_eq!(every.map(|second| first.or(second)), or, "{first:?}");
        }
    }
}
