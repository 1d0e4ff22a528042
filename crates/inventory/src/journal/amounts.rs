//! Resources as the journal states them, and as integers.

use serde::{Deserialize, Deserializer};

/// Resources that a pod or container states; `None` where it states none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub(super) struct Info {
    /// In millicores.
    #[serde(deserialize_with = "millicores")]
    pub(super) cpu_limit: Option<u64>,
    /// In millicores.
    #[serde(deserialize_with = "millicores")]
    pub(super) cpu_request: Option<u64>,
    /// In bytes.
    pub(super) memory_limit: Option<u64>,
    /// In bytes.
    pub(super) memory_request: Option<u64>,
    /// Local ephemeral storage, in bytes.
    pub(super) storage_limit: Option<u64>,
}

impl Info {
    /// Returns what is left without an overhead that these resources contain.
    pub(super) fn without(self, overhead: Self) -> Self {
        let minus = |all: Option<u64>, part: Option<u64>| {
            all.map(|all| all.saturating_sub(part.unwrap_or(0)))
        };
        Self {
            cpu_limit: minus(self.cpu_limit, overhead.cpu_request),
            cpu_request: minus(self.cpu_request, overhead.cpu_request),
            memory_limit: minus(self.memory_limit, overhead.memory_limit),
            memory_request: minus(self.memory_request, overhead.memory_limit),
            ..self
        }
    }
}

fn millicores<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.map(of_cores))
}

/// Converts cores to millicores, rounded up at the billionth of a core.
///
/// A journal of an earlier version has the 102 shares of a request of 100 millicores as 102/1024
/// cores. Rounding up is the inverse of a kubelet's rounding of shares down
/// (`CPURequestsFromConfig` in `pkg/kubelet/cm/helpers_linux.go`), and changes no whole number.
fn of_cores(cores: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates; a journal has no negative cores"
    )]
    let nanos = (cores * 1e9).round() as u64;
    nanos.div_ceil(1_000_000)
}

/// Returns the request that CPU shares stand for, in millicores; `None` for 2 shares and less,
/// which a kubelet sends for no request (`MilliCPUToShares` and its inverse, in the same file).
pub(crate) fn of_shares(shares: i64) -> Option<u64> {
    let shares = u64::try_from(shares).ok().filter(|shares| *shares > 2)?;
    Some(shares.saturating_mul(1000).div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_of_old_and_new_journals_are_the_millicores_that_were_written() {
        for millicores in 3..=256_000_u64 {
            let shares = millicores * 1024 / 1000;
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let (old, new) = (shares as f64 / 1024.0, millicores as f64 / 1000.0);
            assert_eq!(of_cores(old), millicores);
            assert_eq!(of_cores(new), millicores);
            assert_eq!(of_shares(i64::try_from(shares).unwrap()), Some(millicores));
        }
        assert_eq!((of_shares(2), of_shares(-1)), (None, None));
        assert_eq!(
            (of_cores(-1.0), of_cores(f64::MAX)),
            (0, u64::MAX.div_ceil(1_000_000))
        );
    }

    #[test]
    fn absent_and_null_fields_state_nothing() {
        let info: Info = serde_json::from_str(
            r#"{"cpu_limit":2.0,"cpu_request":null,"memory_limit":5,"pid_limit":9}"#,
        )
        .unwrap();
        let expected = Info {
            cpu_limit: Some(2000),
            memory_limit: Some(5),
            ..Info::default()
        };
        assert_eq!(info, expected);
    }

    #[test]
    fn an_overhead_is_taken_off_what_is_stated() {
        let overhead = Info {
            cpu_request: Some(250),
            memory_limit: Some(20),
            ..Info::default()
        };
        let all = Info {
            cpu_request: Some(1000),
            memory_limit: Some(10),
            ..Info::default()
        };
        let rest = all.without(overhead);
        assert_eq!((rest.cpu_request, rest.memory_limit), (Some(750), Some(0)));
        assert_eq!(rest.memory_request, None);
    }
}
