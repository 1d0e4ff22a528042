//! Runtime of the pods, with the names from the shipped configuration drop-in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Runtime handler of the pods that run on the sandboxer, as
/// `deploy/containerd/resource-slot.toml` configures it.
pub const HANDLER: &str = "resource-slot";

/// Runtime type in the configuration of the handler. With it, running tasks outlive a
/// restart of containerd; its shim is not started.
pub const RUNTIME_TYPE: &str = "io.containerd.runc.v2";

/// Network of the pods over CRI.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// That of the host, for which no CNI plugin is called.
    #[default]
    Host,
    /// One of each pod's own, which CNI plugins set up and remove.
    Pod,
}

impl Network {
    /// Every network.
    pub const ALL: [Self; 2] = [Self::Host, Self::Pod];

    /// Returns the name in options and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Pod => "pod",
        }
    }
}
