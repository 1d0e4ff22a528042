//! Options of `loadgen pod`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use containerd_sandbox::SocketPath;

use super::values::{id, socket, timeout};
use crate::workload::runtime::HANDLER;

/// Options of `loadgen pod`.
#[derive(Debug, Clone, Args)]
pub struct PodArgs {
    /// Configuration of the pod, a PodSandboxConfig of CRI in JSON.
    #[arg(value_name = "POD")]
    pub pod: PathBuf,
    /// Configurations of its containers, each a ContainerConfig of CRI in JSON.
    #[arg(value_name = "CONTAINER", conflicts_with = "id")]
    pub containers: Vec<PathBuf>,
    /// Socket of the CRI runtime, PATH or unix:///PATH.
    #[arg(long, env = "LOADGEN_ENDPOINT", value_name = "SOCKET", value_parser = socket())]
    pub endpoint: SocketPath,
    /// Id of the sandbox. It is then created over containerd's sandbox API (ttrpc), because a
    /// CRI runtime chooses ids itself.
    #[arg(long, env = "LOADGEN_ID", value_name = "ID", value_parser = id)]
    pub id: Option<String>,
    /// Runtime handler of the pod, over CRI.
    #[arg(
        long,
        env = "LOADGEN_RUNTIME_HANDLER",
        value_name = "NAME",
        default_value = HANDLER
    )]
    pub runtime_handler: String,
    /// Time limit of a call.
    #[arg(long, env = "LOADGEN_TIMEOUT", value_name = "DURATION", default_value = "30s",
          value_parser = timeout)]
    pub timeout: Duration,
}
