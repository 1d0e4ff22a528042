//! CPU quota and period, of which an update may state only one.

use serde::{Deserialize, Serialize};

use super::{cores, setting};

/// CPU quota and period of a container.
///
/// [`ResourceInfo`](super::ResourceInfo) keeps only their quotient, the CPU limit. An update that
/// states one of the two numbers changes the limit by the other one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuQuota {
    /// CPU time in a period, in microseconds; 0 if none was stated, negative for no limit.
    pub quota: i64,
    /// Period, in microseconds; 0 if none was stated, which stands for 100 ms.
    pub period: u64,
}

impl CpuQuota {
    /// Returns the quota that a CPU limit in cores is, in the default period.
    fn of_limit(cpu_limit: Option<f64>) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a limit has at most 1e6 cores, so its quota has at most 1e11 us"
        )]
        let quota = cpu_limit.map_or(0, |cores| {
            (cores * setting::DEFAULT_PERIOD as f64).round() as i64
        });
        Self { quota, period: 0 }
    }

    /// Returns the quota of a container with this CPU limit. `recorded` has precedence.
    pub(super) fn present(recorded: Option<Self>, cpu_limit: Option<f64>) -> Self {
        recorded.unwrap_or_else(|| Self::of_limit(cpu_limit))
    }

    /// Returns `None` if the quota follows from the CPU limit, as it does for a quota in the
    /// default period. Nothing need be recorded then.
    pub(super) fn unless_implied(self, cpu_limit: Option<f64>) -> Option<Self> {
        let is_default = [0, setting::DEFAULT_PERIOD].contains(&self.period);
        let limit = u64::try_from(self.quota).ok().filter(|quota| *quota > 0);
        let limit = limit.and_then(|quota| cores::ratio(quota, setting::DEFAULT_PERIOD));
        (!is_default || limit != cpu_limit).then_some(self)
    }
}
