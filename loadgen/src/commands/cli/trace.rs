//! Options of `loadgen record` and `loadgen replay`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::{OutputArgs, TargetArgs};
use crate::drive::engine::{Load, Shape};
use crate::result::slo::Slo;
use crate::workload::schedule::Schedule;
use crate::workload::trace::Trace;

/// Options of `loadgen record`.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// Directory of a sandboxer, its --dir: live, stopped or copied.
    #[arg(long, env = "LOADGEN_JOURNAL", value_name = "DIR")]
    pub journal: PathBuf,
    /// File for the trace.
    #[arg(value_name = "FILE")]
    pub trace: PathBuf,
    /// Print the counts as JSON.
    #[arg(long, env = "LOADGEN_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// Options of `loadgen replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// File of the trace.
    #[arg(value_name = "FILE")]
    pub trace: PathBuf,
    /// Speed of time, slower below 1: arrivals and stays of pods are divided by this
    /// ratio.
    #[arg(long, env = "LOADGEN_SPEED", value_name = "RATIO", default_value_t = 1.0,
          value_parser = speed)]
    pub speed: f64,
    /// Limit of pods under way at once; further pods wait, and the wait counts as
    /// latency.
    #[arg(long, env = "LOADGEN_MAX_IN_FLIGHT", value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_in_flight: u32,
    /// Number of connections that the pods share.
    #[arg(long, env = "LOADGEN_CONNECTIONS", value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// Number of threads that drive the connections; at most one per connection.
    #[arg(long, env = "LOADGEN_THREADS", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: u32,
    /// Time limit of a call.
    #[arg(long, env = "LOADGEN_TIMEOUT", value_name = "TIME", default_value = "30s",
          value_parser = super::values::timeout)]
    pub timeout: std::time::Duration,
    /// Threshold for the replay, as in `loadgen run`; may be repeated.
    #[arg(
        long,
        env = "LOADGEN_SLO",
        value_name = "THRESHOLD",
        value_delimiter = ','
    )]
    pub slo: Vec<Slo>,
    /// Server to load.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Form and place of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl ReplayArgs {
    /// Returns the load of the replay.
    pub fn load(&self, trace: &Trace) -> Load {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let connections = size(self.connections).min(trace.pods.len());
        Load {
            timeout: self.timeout,
            plan: trace.plan(),
            speed: self.speed,
            shape: Shape::Open {
                schedule: Arc::new(Schedule::of(&trace.arrivals(self.speed))),
                max_in_flight: size(self.max_in_flight),
            },
            connections,
            threads: size(self.threads).min(connections),
            stages: Vec::new(),
            turns: None,
            part: None,
            spans: None,
        }
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1e-3..=1e6).contains(&speed) => Ok(speed),
        Ok(_) => Err("not from 0.001 to 1000000".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
