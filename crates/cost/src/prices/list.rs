//! Price of a node from all lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use inventory::Node;

use crate::allocation::{PricedNode, UnitPrices};
use crate::money::Money;
use crate::prices::csv::{CsvPrices, Match};
use crate::prices::defaults::{DefaultPrices, discounted};
use crate::prices::split::split;
use crate::resource::{PerResource, Rates, Resource};

/// Prices of machines, and of resources where no machine has a price.
#[derive(Debug, Clone, Default)]
pub struct PriceList {
    /// Prices by resource.
    pub defaults: DefaultPrices,
    /// Prices of machines.
    pub machines: CsvPrices,
    /// Prices of nodes by name, which go before all others.
    pub given: Vec<(Arc<str>, Money)>,
}

/// Origin of the price of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PriceSource {
    /// Given for this node.
    Given,
    /// A row for this machine.
    Machine,
    /// A row for a machine of the same type.
    InstanceType,
    /// Default prices by resource.
    Default,
    /// Default prices of spot nodes.
    DefaultSpot,
}

impl PriceSource {
    /// Returns the name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Machine => "machine",
            Self::InstanceType => "instance type",
            Self::Default => "default",
            Self::DefaultSpot => "default, spot",
        }
    }
}

/// Node with its prices and their origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePrice {
    /// Node.
    pub node: PricedNode,
    /// Origin of the prices.
    pub source: PriceSource,
}

impl PriceList {
    /// Returns the prices of nodes, and the lines and identifiers of machines in the list that none
    /// of the nodes is.
    pub fn price(&self, nodes: &[Node]) -> (Vec<NodePrice>, Vec<(usize, &str)>) {
        let mut matched = BTreeSet::new();
        let priced = nodes
            .iter()
            .map(|node| self.of(node, &mut matched))
            .collect();
        (priced, self.machines.unmatched(&matched))
    }

    fn of(&self, node: &Node, matched: &mut BTreeSet<usize>) -> NodePrice {
        let capacity = capacity(node);
        let (defaults, is_spot) = self.defaults.of(&node.labels);
        let given = self.given.iter().rev().find(|(name, _)| *name == node.name);
        let machine = self.machines.of(node);
        let (price, source) = match (given, machine) {
            (Some((_, price)), _) => (Some(*price), PriceSource::Given),
            (None, Some(Match::Exact(place, price))) => {
                matched.insert(place);
                (Some(price), PriceSource::Machine)
            }
            (None, Some(Match::Type(price))) => (Some(price), PriceSource::InstanceType),
            (None, None) if is_spot => (None, PriceSource::DefaultSpot),
            (None, None) => (None, PriceSource::Default),
        };
        let prices = match price {
            None => defaults,
            Some(price) => self.of_machine(node, price, &capacity, source),
        };
        NodePrice {
            node: PricedNode {
                name: Arc::clone(&node.name),
                capacity,
                prices,
                start: None,
                end: None,
            },
            source,
        }
    }

    /// Splits the price of a machine. Processors that have a price of their own are paid beside the
    /// machine, as in `NodePricing` of OpenCost's CSV provider.
    fn of_machine(
        &self,
        node: &Node,
        price: Money,
        capacity: &Rates,
        source: PriceSource,
    ) -> UnitPrices {
        let basis = &self.defaults.on_demand;
        let gpu = self
            .machines
            .gpu(node)
            .filter(|_| source != PriceSource::Given && capacity.gpu > 0);
        let prices = match gpu {
            None => split(price, capacity, basis),
            Some(gpu) => {
                let without = PerResource {
                    gpu: 0,
                    ..*capacity
                };
                split(price, &without, basis).map(|prices| PerResource { gpu, ..prices })
            }
        };
        // OpenCost applies discounts to CPU and memory of all nodes. Given prices are final.
        let discount = match source {
            PriceSource::Given => 0,
            _ => self.defaults.discount,
        };
        discounted(prices.unwrap_or_default(), discount)
    }
}

/// Names of resources that count graphics processors.
const GPUS: [&str; 2] = ["nvidia.com/gpu", "amd.com/gpu"];

/// Returns the number of graphics processors among amounts.
pub(crate) fn gpus(get: impl Fn(&str) -> Option<u128>) -> u128 {
    GPUS.iter().filter_map(|name| get(name)).sum()
}

fn capacity(node: &Node) -> Rates {
    let amounts = &node.capacity;
    let get = |name: &str| {
        amounts
            .get(name)
            .and_then(|amount| u128::try_from(amount).ok())
    };
    Rates {
        cpu: u128::try_from(amounts.cpu()).unwrap_or(0) * 1_000_000,
        memory: u128::try_from(amounts.memory()).unwrap_or(0) * 1000,
        gpu: gpus(get) * Resource::Gpu.priced(),
    }
}
