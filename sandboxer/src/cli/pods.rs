//! Options about the addresses of pods, and the answers on them.

use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};
use ipnet::IpNet;
use sandboxer::probes::AnswerProbes;

/// Addresses of pods, and answers on them.
#[derive(Debug, Args)]
pub(crate) struct PodArgs {
    /// Range from which the pods of CRI get their addresses; a second one, of the other family,
    /// makes pods of two families, whose primary address is of the first range. No two
    /// sandboxers of one machine may share a range if they answer probes.
    #[arg(
        id = "pod_cidr",
        long = "pod-cidr",
        env = "RESOURCE_SLOT_POD_CIDR",
        value_name = "CIDR",
        value_delimiter = ',',
        default_value = "198.18.0.0/15"
    )]
    pub(crate) cidr: Vec<IpNet>,
    /// Answer HTTP, gRPC health and TCP on the addresses of pods, on the ports that their
    /// containers declare (declared), on these ports of every pod as well (such as 8080,9090),
    /// and on the host's addresses for pods on its network and for host ports (host). Pods'
    /// addresses must be local: see --pod-route.
    #[arg(
        long,
        env = "RESOURCE_SLOT_ANSWER_PROBES",
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_value = "off",
        default_missing_value = "declared"
    )]
    pub(crate) answer_probes: AnswerProbes,
    /// Make the addresses of pods local at the start, by a route to the loopback that stays
    /// after the end, as "ip route add local CIDR dev lo" does; the capability CAP_NET_ADMIN is
    /// needed.
    #[arg(id = "pod_route", long = "pod-route", env = "RESOURCE_SLOT_POD_ROUTE",
          action = ArgAction::SetTrue, value_parser = BoolishValueParser::new())]
    pub(crate) route: bool,
}
