//! Options for the scheduler that places pods.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use scheduler::scoring::{Shape, ShapePoint};
use scheduler::{Profile, Strategy, Ties, Version};
use schemars::JsonSchema;
use serde::Serialize;

/// Options for the scheduler, which every command that places pods has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Scheduler")]
pub struct SchedulerArgs {
    /// Version of Kubernetes whose scheduler places the pods: 1.34 or 1.36
    #[arg(long, value_name = "VERSION", default_value = "1.36")]
    pub scheduler: Version,
    /// Node that is preferred: least (the emptiest), most (the fullest), or
    /// ratio=UTILIZATION:SCORE,... (a function of the utilization in percent, with scores 0 to 10)
    #[arg(long, value_name = "STRATEGY", default_value = "least")]
    pub strategy: StrategyOption,
    /// Choice among nodes of equal score: first (in the order of the nodes) or seed=NUMBER (drawn)
    #[arg(long, value_name = "CHOICE", default_value = "first")]
    pub ties: TiesOption,
}

impl SchedulerArgs {
    /// Returns the configuration.
    pub fn profile(&self) -> Profile {
        Profile {
            version: self.scheduler,
            strategy: self.strategy.0.clone(),
            ..Profile::default()
        }
    }

    /// Returns the seed of the choice among equal nodes; `None` if none is drawn.
    pub fn seed(&self) -> Option<u64> {
        match self.ties.0 {
            Ties::First => None,
            Ties::Seeded(seed) => Some(seed),
        }
    }

    /// Returns the options as documents show them.
    pub fn shown(&self) -> ShownScheduler {
        ShownScheduler {
            version: self.scheduler.name(),
            strategy: match self.strategy.0 {
                Strategy::LeastAllocated => "LeastAllocated",
                Strategy::MostAllocated => "MostAllocated",
                Strategy::RequestedToCapacityRatio(_) => "RequestedToCapacityRatio",
            },
            ties: self.ties.to_string(),
        }
    }
}

/// Options of the scheduler in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShownScheduler {
    /// Version of Kubernetes.
    pub version: &'static str,
    /// Name of the strategy in a scheduler's configuration.
    pub strategy: &'static str,
    /// Choice among equal nodes.
    pub ties: String,
}

impl fmt::Display for ShownScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            strategy,
            ties,
        } = self;
        write!(f, "kube-scheduler {version}, {strategy}, ties {ties}")
    }
}

/// Strategy as an option.
#[derive(Debug, Clone)]
pub struct StrategyOption(pub Strategy);

impl FromStr for StrategyOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let strategy = match text {
            "least" => Strategy::LeastAllocated,
            "most" => Strategy::MostAllocated,
            _ => {
                let points = text
                    .strip_prefix("ratio=")
                    .ok_or("not least, most or ratio=UTILIZATION:SCORE,...")?;
                let points: Result<Vec<_>, _> = points.split(',').map(point).collect();
                let shape = Shape::new(&points?).map_err(|error| error.to_string())?;
                Strategy::RequestedToCapacityRatio(shape)
            }
        };
        Ok(Self(strategy))
    }
}

fn point(text: &str) -> Result<ShapePoint, String> {
    let numbers = text.split_once(':').and_then(|(utilization, score)| {
        Some(ShapePoint {
            utilization: utilization.trim().parse().ok()?,
            score: score.trim().parse().ok()?,
        })
    });
    numbers.ok_or_else(|| format!("{text:?} is not UTILIZATION:SCORE, such as 50:10"))
}

/// Choice among equal nodes as an option.
#[derive(Debug, Clone, Copy)]
pub struct TiesOption(pub Ties);

impl FromStr for TiesOption {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text == "first" {
            return Ok(Self(Ties::First));
        }
        let seed = text
            .strip_prefix("seed=")
            .and_then(|seed| seed.parse().ok());
        seed.map(|seed| Self(Ties::Seeded(seed)))
            .ok_or("not first or seed=NUMBER")
    }
}

impl fmt::Display for TiesOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ties::First => f.write_str("first"),
            Ties::Seeded(seed) => write!(f, "seed={seed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_and_ties_are_read() {
        let strategy = |text: &str| text.parse::<StrategyOption>().map(|option| option.0);
        assert_eq!(strategy("most"), Ok(Strategy::MostAllocated));
        assert!(matches!(
            strategy("ratio=0:0,100:10"),
            Ok(Strategy::RequestedToCapacityRatio(_))
        ));
        for (wrong, message) in [
            ("best", "not least"),
            ("ratio=1", "\"1\" is not UTILIZATION:SCORE"),
            ("ratio=0:11", "the score 11 is not from 0 to 10"),
            ("ratio=50:1,50:2", "increasing"),
        ] {
            let error = strategy(wrong).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        let ties = |text: &str| text.parse::<TiesOption>().map(|option| option.0);
        assert_eq!(ties("seed=7"), Ok(Ties::Seeded(7)));
        assert!(ties("last").is_err() && ties("seed=x").is_err());
    }
}
