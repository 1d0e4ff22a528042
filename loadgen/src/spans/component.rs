//! Parts of a node among which the time of a call is divided.

use std::fmt;

use otlp::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Part of a node, or of the way to it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// The way to containerd: gRPC, and the queues of both sides.
    Grpc,
    /// The CRI plugin of containerd, as far as no other span covers it.
    Cri,
    /// The client within containerd, which the CRI plugin uses for containers.
    Client,
    /// The metadata store (bolt).
    Metadata,
    /// The content store and images.
    Content,
    /// The snapshotter, and mounts.
    Snapshotter,
    /// Plugins of the network of pods.
    Cni,
    /// Publishing of events.
    Events,
    /// The task service of containerd.
    Tasks,
    /// The way to the shim or sandboxer: ttrpc, and the queues of both sides.
    Ttrpc,
    /// The sandboxer.
    Sandboxer,
    /// The shim, with the runtime below it.
    Shim,
    /// Spans of other names.
    Other,
}

/// Beginnings of the names of containerd's spans, by component (containerd 2.1: the prefixes that
/// its packages pass to `tracing.Name`).
const PREFIXES: [(&str, Component); 14] = [
    ("metadata.", Component::Metadata),
    ("sandbox.", Component::Metadata),
    ("client.", Component::Client),
    ("container.", Component::Client),
    ("content.", Component::Content),
    ("image.", Component::Content),
    ("pkg.fetch", Component::Content),
    ("pkg.unpack", Component::Content),
    ("snapshots.", Component::Snapshotter),
    ("snapshotter.", Component::Snapshotter),
    ("mount.", Component::Snapshotter),
    ("events.", Component::Events),
    ("task.", Component::Tasks),
    ("runtime.v1.", Component::Cri),
];

impl Component {
    /// Returns the component of a span by its service, name and kind.
    pub fn of(service: &str, name: &str, kind: Kind) -> Self {
        match service {
            "resource-slot-sandboxer" => return Self::Sandboxer,
            super::cni::SERVICE => return Self::Cni,
            _ if service.starts_with("containerd-shim") => return Self::Shim,
            _ => {}
        }
        if name.contains("containerd.task.") || name.contains("containerd.runtime.sandbox.") {
            return match kind {
                Kind::Server => Self::Shim,
                Kind::Client | Kind::Internal => Self::Ttrpc,
            };
        }
        let known = PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
        known.map_or(Self::Other, |(_, component)| *component)
    }

    /// Returns the name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC, with both queues",
            Self::Cri => "CRI plugin, no span",
            Self::Client => "containerd client",
            Self::Metadata => "metadata store",
            Self::Content => "content store",
            Self::Snapshotter => "snapshotter",
            Self::Cni => "CNI",
            Self::Events => "events",
            Self::Tasks => "task service",
            Self::Ttrpc => "ttrpc, with both queues",
            Self::Sandboxer => "sandboxer",
            Self::Shim => "shim and runtime",
            Self::Other => "other spans",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_belong_to_components_by_service_and_name() {
        for (service, name, kind, component) in [
            (
                "containerd",
                "runtime.v1.RuntimeService/RunPodSandbox",
                Kind::Server,
                Component::Cri,
            ),
            (
                "containerd",
                "metadata.sandbox.Create",
                Kind::Internal,
                Component::Metadata,
            ),
            (
                "containerd",
                "client.NewContainer",
                Kind::Internal,
                Component::Client,
            ),
            (
                "containerd",
                "containerd.task.v3.Task/Create",
                Kind::Client,
                Component::Ttrpc,
            ),
            (
                "containerd-shim-runc-v2",
                "anything",
                Kind::Internal,
                Component::Shim,
            ),
            (
                "resource-slot-sandboxer",
                "containerd.task.v3.Task/Create",
                Kind::Server,
                Component::Sandboxer,
            ),
            (
                super::super::cni::SERVICE,
                "ADD",
                Kind::Internal,
                Component::Cni,
            ),
            ("containerd", "strange", Kind::Internal, Component::Other),
        ] {
            assert_eq!(Component::of(service, name, kind), component, "{name}");
        }
    }
}
