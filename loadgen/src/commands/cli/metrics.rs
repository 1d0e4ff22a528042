//! Options for metrics during a run.

use std::net::SocketAddr;

use clap::Args;
use exposition::PushUrl;

use crate::measure::metrics::Destinations;

/// Destinations of metrics during a run.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsArgs {
    /// Answer GET /metrics for Prometheus at this address during the run: address and
    /// port such as 127.0.0.1:9465; port 0 for any free one.
    #[arg(long, env = "LOADGEN_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<SocketAddr>,
    /// Send metrics to a Prometheus Pushgateway every 5 s and at the end, as in
    /// http://127.0.0.1:9091; a path such as /metrics/job/NAME selects another group
    /// than /metrics/job/loadgen.
    #[arg(long, env = "LOADGEN_PUSH", value_name = "URL")]
    pub push: Option<PushUrl>,
}

impl From<&MetricsArgs> for Destinations {
    fn from(args: &MetricsArgs) -> Self {
        Self {
            listen: args.metrics_listen,
            push: args.push.clone(),
        }
    }
}
