//! Options of `loadgen run`.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;

use super::{MetricsArgs, OutputArgs, ScenarioArgs, TargetArgs};
use crate::result::baseline::BaselineName;
use crate::result::slo::Slo;
use crate::workload::part::Part;

/// Options of `loadgen run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Scenario to run.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Threshold for the run, as in pod.p99<20ms; a missed threshold gives exit code 3.
    /// Available are any operation's mean, p50, p90, p95, p99, p999, max, rate (per second) or
    /// errors, as a number or with % as a share; may be repeated. With --repeat every run must meet it.
    #[arg(
        long,
        env = "LOADGEN_SLO",
        value_name = "THRESHOLD",
        value_delimiter = ','
    )]
    pub slo: Vec<Slo>,
    /// Write a trace of the run to this file, for `loadgen replay`.
    #[arg(long, env = "LOADGEN_RECORD", value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Number of runs, each with a newly started server and the same pods. They are saved as
    /// results/runs-TIME-SEED/, with their median and spread.
    #[arg(long, env = "LOADGEN_REPEAT", value_name = "N", default_value_t = 1,
          conflicts_with = "record", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Run part I of N of the plan, with I from 0: the pods whose number leaves the remainder I when
    /// divided by N, at their times, with a share of the concurrency. `loadgen merge` puts the
    /// results of all parts together. /N takes I from $JOB_COMPLETION_INDEX, which an indexed Job
    /// of Kubernetes sets.
    #[arg(
        long,
        env = "LOADGEN_PART",
        value_name = "I/N",
        conflicts_with = "record"
    )]
    pub part: Option<Part>,
    /// Begin the load at this time, such as 2026-12-01T09:30:00Z, so that parts on several machines
    /// begin together.
    #[arg(long, env = "LOADGEN_START_AT", value_name = "TIME", conflicts_with = "repeat",
          value_parser = humantime::parse_rfc3339)]
    pub start_at: Option<SystemTime>,
    /// Known variation of this machine from run to run, as measured by `loadgen calibrate`:
    /// its calibration.json. The result carries it, so that `loadgen compare` can judge
    /// single runs.
    #[arg(long, env = "LOADGEN_CALIBRATION", value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Say where the time of each call goes: collect the spans of the containerd and sandboxer
    /// that are started (--target cri), and of their CNI plugins, over OTLP. The result has the
    /// self times by component and two pods as waterfalls. Spans cost time, so the latencies are
    /// not those of a run without them.
    #[arg(long, env = "LOADGEN_SPANS")]
    pub spans: bool,
    /// Take a CPU profile of the containerd that is started (--target cri) during the load. It is
    /// saved as containerd.pprof, for `go tool pprof`, and the result names the packages that used
    /// the CPU.
    #[arg(long, env = "LOADGEN_CPU_PROFILE")]
    pub cpu_profile: bool,
    /// Keep a copy of the result under this name, in the directory for results, for `loadgen
    /// compare --baseline`; it takes the place of an earlier one.
    #[arg(long, env = "LOADGEN_SAVE_BASELINE", value_name = "NAME")]
    pub save_baseline: Option<BaselineName>,
    /// Server to load.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Form and place of the result.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Destinations of metrics during the run.
    #[command(flatten)]
    pub metrics: MetricsArgs,
}
