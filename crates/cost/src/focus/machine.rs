//! Machines of nodes, as the data set tells them.

use inventory::Node;

use crate::prices::PriceSource;

/// Provider of machines with identifiers that name none.
pub(super) const UNKNOWN_PROVIDER: &str = "Self-managed";

/// Providers by the scheme of the identifiers of their machines.
const PROVIDERS: [(&str, &str); 6] = [
    ("aws://", "AWS"),
    ("azure://", "Microsoft"),
    ("gce://", "Google Cloud"),
    ("ocid1.", "Oracle"),
    ("digitalocean://", "DigitalOcean"),
    ("hcloud://", "Hetzner"),
];

/// Machine of a node, as its labels and its identifier tell.
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) id: Option<String>,
    pub(super) provider: &'static str,
    pub(super) region: String,
    pub(super) zone: String,
    pub(super) price: String,
    pub(super) is_spot: bool,
}

impl Machine {
    /// Reads the labels and the identifier of a node.
    pub(super) fn new(node: &Node, source: PriceSource) -> Self {
        let label = |name: &str| node.labels.get(name).cloned().unwrap_or_default();
        let id = node.provider_id.as_deref();
        let provider = id.and_then(|id| {
            let known = PROVIDERS.iter().find(|(scheme, _)| id.starts_with(scheme));
            known.map(|(_, name)| *name)
        });
        let price = match source {
            PriceSource::Given | PriceSource::Machine => node.name.to_string(),
            PriceSource::InstanceType => label("node.kubernetes.io/instance-type"),
            PriceSource::Default => "default".to_owned(),
            PriceSource::DefaultSpot => "default-spot".to_owned(),
        };
        Self {
            name: node.name.to_string(),
            id: id.map(str::to_owned),
            provider: provider.unwrap_or(UNKNOWN_PROVIDER),
            region: label("topology.kubernetes.io/region"),
            zone: label("topology.kubernetes.io/zone"),
            price,
            is_spot: source == PriceSource::DefaultSpot,
        }
    }
}
