//! Requests and limits of a container: today's, and those that a strategy makes of them.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::percentile::{Percent, PercentError};

/// Request and limit of one resource, each absent if it is not stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Amount {
    /// Request.
    pub request: Option<i64>,
    /// Limit.
    pub limit: Option<i64>,
}

/// Requests and limits of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sizing {
    /// CPU in millicores.
    pub cpu: Amount,
    /// Memory in bytes.
    pub memory: Amount,
}

impl Amount {
    /// Returns the part of this request that another one saves, of all of `replicas` pods; less
    /// than 0 if the other one is larger. A request that is not stated counts as 0.
    pub fn saved_by(self, other: Self, replicas: u64) -> i64 {
        let request = |amount: Self| i128::from(amount.request.unwrap_or(0));
        let saved = (request(self) - request(other)).saturating_mul(replicas.into());
        let bounds = (i64::MIN.into(), i64::MAX.into());
        i64::try_from(saved.clamp(bounds.0, bounds.1)).unwrap_or(i64::MAX)
    }
}

/// Rule for new requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strategy {
    /// Requests as they are.
    Requested,
    /// Target of the Vertical Pod Autoscaler.
    Vpa,
    /// krr's strategy `simple`.
    Krr,
    /// Usage that was not exceeded for a part of the time.
    Percentile(Percent),
}

/// Error of a text that names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// Not a known name.
    #[error("not a strategy: {0} (requested, vpa, krr or percentile=95)")]
    Name(String),
    /// Not a percentage.
    #[error("percentile={0}: {1}")]
    Percent(String, PercentError),
}

impl FromStr for Strategy {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Self, StrategyError> {
        match text {
            "requested" => Ok(Self::Requested),
            "vpa" => Ok(Self::Vpa),
            "krr" => Ok(Self::Krr),
            _ => {
                let percent = text
                    .strip_prefix("percentile=")
                    .ok_or_else(|| StrategyError::Name(text.to_owned()))?;
                let parsed = percent.parse();
                parsed
                    .map(Self::Percentile)
                    .map_err(|error| StrategyError::Percent(percent.to_owned(), error))
            }
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requested => f.write_str("requested"),
            Self::Vpa => f.write_str("vpa"),
            Self::Krr => f.write_str("krr"),
            Self::Percentile(percent) => write!(f, "percentile={percent}"),
        }
    }
}

/// Returns the requests and limits after a strategy; a request that is `None` stays as it is, with
/// its limit.
///
/// krr removes the limit of CPU and makes the memory limit equal to the request. The others keep
/// a limit in proportion to its request, as VPA does by default (`RequestsAndLimits`,
/// `GetProportionalLimit` in `pkg/utils/vpa/limit_and_request_scaling.go`), and set none where
/// none is stated.
pub fn resized(
    strategy: Strategy,
    today: Sizing,
    cpu_millicores: Option<i64>,
    memory_bytes: Option<i64>,
) -> Sizing {
    let proportional = |today: Amount, request: i64| Amount {
        request: Some(request),
        limit: today.limit.map(|limit| match limit {
            // A limit of 0 is none.
            ..=0 => limit,
            _ => scaled(limit, today.request, request),
        }),
    };
    let of_krr = |request, limit| Amount {
        request: Some(request),
        limit,
    };
    Sizing {
        cpu: match (strategy, cpu_millicores) {
            (Strategy::Requested, _) | (_, None) => today.cpu,
            (Strategy::Krr, Some(request)) => of_krr(request, None),
            (_, Some(request)) => proportional(today.cpu, request),
        },
        memory: match (strategy, memory_bytes) {
            (Strategy::Requested, _) | (_, None) => today.memory,
            (Strategy::Krr, Some(request)) => of_krr(request, Some(request)),
            (_, Some(request)) => proportional(today.memory, request),
        },
    }
}

/// Returns the limit of a new request at the ratio of today's, rounded down; the request itself
/// if none, or 0, is requested today.
fn scaled(limit: i64, today: Option<i64>, request: i64) -> i64 {
    match today.filter(|today| *today > 0) {
        None => request,
        Some(today) => {
            let limit = i128::from(limit) * i128::from(request) / i128::from(today);
            i64::try_from(limit).unwrap_or(i64::MAX).max(request)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_stay_in_proportion() {
        let amount = |request, limit| Amount { request, limit };
        for (today, new, limit) in [
            (amount(Some(500), Some(1_000)), 126, Some(252)),
            (amount(Some(300), Some(1_000)), 100, Some(333)),
            (amount(None, Some(1_000)), 100, Some(100)),
            (amount(Some(0), Some(1_000)), 100, Some(100)),
            (amount(Some(500), None), 100, None),
            (amount(Some(500), Some(0)), 100, Some(0)),
            (amount(Some(1), Some(i64::MAX)), i64::MAX, Some(i64::MAX)),
        ] {
            let today = Sizing {
                cpu: today,
                memory: today,
            };
            for strategy in [Strategy::Vpa, Strategy::Percentile(Percent::whole(95))] {
                let sizing = resized(strategy, today, Some(new), None);
                assert_eq!(sizing.cpu, amount(Some(new), limit));
                assert_eq!(sizing.memory, today.memory);
            }
        }
    }

    #[test]
    fn savings_are_those_of_all_pods() {
        let amount = |request| Amount {
            request,
            limit: None,
        };
        assert_eq!(amount(Some(500)).saved_by(amount(Some(126)), 3), 1_122);
        assert_eq!(amount(None).saved_by(amount(Some(126)), 3), -378);
        let all = amount(Some(i64::MAX)).saved_by(amount(None), u64::MAX);
        assert_eq!(all, i64::MAX);
    }

    #[test]
    fn krr_limits_memory_alone() {
        let today = Sizing {
            cpu: Amount {
                request: Some(1),
                limit: Some(2),
            },
            memory: Amount::default(),
        };
        let sizing = resized(Strategy::Krr, today, Some(10), Some(99));
        assert_eq!((sizing.cpu.request, sizing.cpu.limit), (Some(10), None));
        assert_eq!(sizing.memory.limit, Some(99));
        let sizing = resized(Strategy::Requested, today, Some(10), Some(99));
        assert_eq!(sizing, today);
    }

    #[test]
    fn strategies_are_named() {
        for name in [
            "requested",
            "vpa",
            "krr",
            "percentile=95",
            "percentile=99.9",
        ] {
            assert_eq!(name.parse::<Strategy>().unwrap().to_string(), name);
        }
        for name in ["", "p95", "percentile=0", "percentile="] {
            assert!(name.parse::<Strategy>().is_err(), "{name}");
        }
    }
}
