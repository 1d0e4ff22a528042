//! The options of `loadgen record` and `loadgen replay`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::{OutputArgs, TargetArgs};
use crate::drive::engine::{Load, Shape};
use crate::result::slo::Slo;
use crate::workload::schedule::Schedule;
use crate::workload::trace::Trace;

/// `loadgen record`.
#[derive(Debug, Clone, Args)]
pub struct RecordArgs {
    /// The directory of a sandboxer, as its --dir: live, stopped or copied.
    #[arg(long, env = "LOADGEN_JOURNAL", value_name = "DIR")]
    pub journal: PathBuf,
    /// The file that the trace is written to.
    #[arg(value_name = "FILE")]
    pub trace: PathBuf,
}

/// `loadgen replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// The trace.
    #[arg(value_name = "FILE")]
    pub trace: PathBuf,
    /// How much faster time runs, or slower if below 1: pods come and go sooner by as much.
    #[arg(long, env = "LOADGEN_SPEED", value_name = "RATIO", default_value_t = 1.0,
          value_parser = speed)]
    pub speed: f64,
    /// How many pods may be under way at once; the others wait, and that counts.
    #[arg(long, env = "LOADGEN_MAX_IN_FLIGHT", value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_in_flight: u32,
    /// How many connections the pods share.
    #[arg(long, env = "LOADGEN_CONNECTIONS", value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub connections: u32,
    /// How many threads drive the connections; at most one for each.
    #[arg(long, env = "LOADGEN_THREADS", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: u32,
    /// How long a call may take.
    #[arg(long, env = "LOADGEN_TIMEOUT", value_name = "TIME", default_value = "30s",
          value_parser = super::values::timeout)]
    pub timeout: std::time::Duration,
    /// Hold it to this, as in `loadgen run`; may be repeated.
    #[arg(
        long,
        env = "LOADGEN_SLO",
        value_name = "THRESHOLD",
        value_delimiter = ','
    )]
    pub slo: Vec<Slo>,
    /// On what.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What comes of it.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl ReplayArgs {
    /// What is put on.
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
