//! Options about the addresses of pods.

use clap::Args;
use ipnet::IpNet;

/// Addresses of pods.
#[derive(Debug, Args)]
pub(crate) struct PodArgs {
    /// Range from which the pods of CRI get their addresses; a second one, of the other family,
    /// makes pods of two families, whose primary address is of the first range.
    #[arg(
        id = "pod_cidr",
        long = "pod-cidr",
        env = "RESOURCE_SLOT_POD_CIDR",
        value_name = "CIDR",
        value_delimiter = ',',
        default_value = "198.18.0.0/15"
    )]
    pub(crate) cidr: Vec<IpNet>,
}
