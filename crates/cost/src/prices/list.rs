//! Price of a node from all lists.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use inventory::Node;

use crate::allocation::{PricedNode, UnitPrices};
use crate::money::{Money, MoneyError};
use crate::prices::csv::{CsvPrices, Match};
use crate::prices::defaults::{DefaultPrices, discounted};
use crate::prices::split::split;
use crate::resource::{PerResource, Rates};

/// Prices of machines, and of resources where no machine has a price.
#[derive(Debug, Clone, Default)]
pub struct PriceList {
    /// Prices by resource.
    pub defaults: DefaultPrices,
    /// Prices of machines.
    pub machines: CsvPrices,
    /// Prices of nodes by name, which go before all others; of two for one node, the last counts.
    pub given: Vec<(Arc<str>, GivenPrice)>,
}

/// Price that is given for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenPrice {
    /// Price of the whole node per hour.
    Node(Money),
    /// Prices of its resources.
    Resources(UnitPrices),
}

/// Reason why a text is no given price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GivenPriceError {
    /// A wrong amount.
    #[error("{text:?}: {error}")]
    Amount {
        /// The text.
        text: String,
        /// Reason.
        error: MoneyError,
    },
    /// A wrong number of amounts.
    #[error(
        "neither the price of a node nor those of a core, a GiB and a GPU, such as 0.03,0.004,0.95"
    )]
    Count,
}

/// Reads the price of a node, or those of a core, a GiB and (0 without it) a processor, separated
/// by commas.
impl FromStr for GivenPrice {
    type Err = GivenPriceError;

    fn from_str(text: &str) -> Result<Self, GivenPriceError> {
        let amount = |text: &str| {
            text.parse().map_err(|error| GivenPriceError::Amount {
                text: text.to_owned(),
                error,
            })
        };
        let amounts: Vec<Money> = text.split(',').map(amount).collect::<Result<_, _>>()?;
        let (cpu, memory, gpu) = match amounts[..] {
            [node] => return Ok(Self::Node(node)),
            [cpu, memory] => (cpu, memory, Money::ZERO),
            [cpu, memory, gpu] => (cpu, memory, gpu),
            _ => return Err(GivenPriceError::Count),
        };
        Ok(Self::Resources(PerResource { cpu, memory, gpu }))
    }
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
        let (prices, source) = match (given, machine) {
            (Some((_, GivenPrice::Resources(prices))), _) => (*prices, PriceSource::Given),
            (Some((_, GivenPrice::Node(price))), _) => {
                // A given price is final: no discount, and nothing beside it.
                let prices = split(*price, &capacity, &self.defaults.on_demand);
                (prices.unwrap_or_default(), PriceSource::Given)
            }
            (None, Some(Match::Exact(place, price))) => {
                matched.insert(place);
                (
                    self.of_machine(node, price, &capacity),
                    PriceSource::Machine,
                )
            }
            (None, Some(Match::Type(price))) => (
                self.of_machine(node, price, &capacity),
                PriceSource::InstanceType,
            ),
            (None, None) if is_spot => (defaults, PriceSource::DefaultSpot),
            (None, None) => (defaults, PriceSource::Default),
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
    fn of_machine(&self, node: &Node, price: Money, capacity: &Rates) -> UnitPrices {
        let basis = &self.defaults.on_demand;
        let gpu = self.machines.gpu(node).filter(|_| capacity.gpu > 0);
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
        discounted(prices.unwrap_or_default(), self.defaults.discount)
    }
}

/// Names of resources that count graphics processors (`getGPUCount` in
/// `pkg/costmodel/costmodel.go` of OpenCost knows the first).
const GPUS: [&str; 2] = ["nvidia.com/gpu", "amd.com/gpu"];

/// Name of a resource that counts thousandths of graphics processors.
const GPU_MILLI: &str = "alibabacloud.com/gpu-milli";

/// Returns the thousandths of graphics processors among amounts in billionths.
pub(crate) fn gpus(nanos: impl Fn(&str) -> Option<u128>) -> u128 {
    let whole: u128 = GPUS.iter().filter_map(|name| nanos(name)).sum();
    whole / 1_000_000 + nanos(GPU_MILLI).unwrap_or(0) / 1_000_000_000
}

fn capacity(node: &Node) -> Rates {
    let amounts = &node.capacity;
    let unsigned = |amount: i64| u128::try_from(amount).unwrap_or(0);
    Rates {
        cpu: unsigned(amounts.cpu()) * 1_000_000,
        memory: unsigned(amounts.memory()) * 1000,
        gpu: gpus(|name| Some(unsigned(amounts.get(name)?) * 1_000_000_000)),
    }
}
