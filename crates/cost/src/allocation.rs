//! Costs of containers and of nodes over a window of time.
//!
//! The rules are those of OpenCost: a container is charged for the larger of its request and its
//! usage at each time (`getContainerAllocation` in `pkg/costmodel/costmodel.go`), times the price
//! of its node (`applyNodesToPod` in `pkg/costmodel/allocation_helpers.go`).

use std::sync::Arc;

use inventory::Timestamp;
use inventory::api::Labels;

use crate::money::Money;
use crate::resource::{PerResource, Quantities, Rates, Resource};
use crate::wide::mul_div_round;

/// Part of time; the end lies after the start and does not belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    start: Timestamp,
    end: Timestamp,
}

impl Window {
    /// Returns the window between two times.
    ///
    /// # Errors
    /// The end is not after the start.
    pub fn new(start: Timestamp, end: Timestamp) -> Result<Self, CostError> {
        if start < end {
            Ok(Self { start, end })
        } else {
            Err(CostError::EmptyWindow { start, end })
        }
    }

    /// Returns the start.
    pub fn start(self) -> Timestamp {
        self.start
    }

    /// Returns the end.
    pub fn end(self) -> Timestamp {
        self.end
    }

    /// Returns the length in nanoseconds.
    pub fn nanoseconds(self) -> u128 {
        length(self.start, self.end)
    }

    /// Returns the part of a time span that lies in the window; `None` if none does.
    pub fn clip(self, start: Timestamp, end: Timestamp) -> Option<Self> {
        Self::new(start.max(self.start), end.min(self.end)).ok()
    }
}

fn length(start: Timestamp, end: Timestamp) -> u128 {
    u128::try_from(i128::from(end.0) - i128::from(start.0)).unwrap_or(0)
}

/// Prices of one node, per hour of one core, GiB and graphics processor.
pub type UnitPrices = PerResource<Money>;

/// Node, or the assumption of one for containers without a known node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedNode {
    /// Name.
    pub name: Arc<str>,
    /// Resources of the machine, which are paid for.
    pub capacity: Rates,
    /// Prices.
    pub prices: UnitPrices,
    /// Time from which the node is paid for; `None` for all time before.
    pub start: Option<Timestamp>,
    /// Time until which the node is paid for; `None` for all time after.
    pub end: Option<Timestamp>,
}

/// Request and usage of a container over a part of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Start.
    pub start: Timestamp,
    /// End.
    pub end: Timestamp,
    /// Requested amounts.
    pub request: Rates,
    /// Used amounts.
    pub usage: Rates,
}

/// Names of a container, by which costs are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Pod.
    pub pod: Arc<str>,
    /// Container.
    pub container: Arc<str>,
    /// Node; `None` if it is not known.
    pub node: Option<Arc<str>>,
    /// Kind and name of the workload that made the pod.
    pub owner: Option<(Arc<str>, Arc<str>)>,
    /// Labels of the pod.
    pub labels: Arc<Labels>,
}

/// Container with its requests and usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Names.
    pub names: Names,
    /// Parts of its life; those that overlap count twice.
    pub intervals: Vec<Interval>,
}

/// Cost of one container in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// Names.
    pub names: Names,
    /// Part of the window in which the container was there.
    pub window: Window,
    /// Quantities that are paid for: the integral of the larger of request and usage.
    pub allocated: Quantities,
    /// Integral of the request.
    pub requested: Quantities,
    /// Integral of the usage.
    pub used: Quantities,
    /// Prices of its node.
    pub prices: UnitPrices,
    /// Cost.
    pub cost: PerResource<Money>,
}

/// Reason why a cost cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// A window without length.
    #[error("the window from {start} to {end} is empty")]
    EmptyWindow {
        /// Start.
        start: Timestamp,
        /// End.
        end: Timestamp,
    },
    /// An interval that ends before it starts.
    #[error("container {container} ends at {end}, before its start at {start}")]
    Backwards {
        /// Namespace, pod and container.
        container: String,
        /// Start.
        start: Timestamp,
        /// End.
        end: Timestamp,
    },
    /// A quantity or a cost beyond all bounds.
    #[error("the {resource} of {subject} costs more than 1e15")]
    TooLarge {
        /// Namespace, pod and container, or the node.
        subject: String,
        /// Resource.
        resource: &'static str,
    },
}

/// Computes the cost of a container.
///
/// Each resource is rounded once, to the nearest 10^-15 of the currency unit, a half to the even
/// one. Returns `None` if the container was not there in the window.
///
/// # Errors
/// An interval that ends before it starts, or a cost above 10^15 currency units.
pub fn allocate(
    container: &Container,
    prices: &UnitPrices,
    window: Window,
) -> Result<Option<Allocation>, CostError> {
    let mut extent: Option<Window> = None;
    let (mut allocated, mut requested, mut used) = Default::default();
    for interval in &container.intervals {
        if interval.end < interval.start {
            return Err(CostError::Backwards {
                container: container.names.to_string(),
                start: interval.start,
                end: interval.end,
            });
        }
        let Some(part) = window.clip(interval.start, interval.end) else {
            continue;
        };
        extent = Some(extent.map_or(part, |extent| Window {
            start: extent.start.min(part.start),
            end: extent.end.max(part.end),
        }));
        let length = part.nanoseconds();
        let larger =
            Rates::from_fn(|resource| interval.request[resource].max(interval.usage[resource]));
        for (sum, rates) in [
            (&mut allocated, &larger),
            (&mut requested, &interval.request),
            (&mut used, &interval.usage),
        ] {
            integrate(sum, rates, length)
                .map_err(|resource| too_large(&container.names, resource))?;
        }
    }
    let Some(window) = extent else {
        return Ok(None);
    };
    let cost =
        cost(&allocated, prices).map_err(|resource| too_large(&container.names, resource))?;
    Ok(Some(Allocation {
        names: container.names.clone(),
        window,
        allocated,
        requested,
        used,
        prices: *prices,
        cost,
    }))
}

/// Computes the cost of a node: its capacity, as long as the node was there in the window.
///
/// # Errors
/// A cost above 10^15 currency units.
pub fn node_cost(node: &PricedNode, window: Window) -> Result<PerResource<Money>, CostError> {
    let there = window.clip(
        node.start.unwrap_or(window.start),
        node.end.unwrap_or(window.end),
    );
    let mut quantities = Quantities::default();
    integrate(
        &mut quantities,
        &node.capacity,
        there.map_or(0, Window::nanoseconds),
    )
    .and_then(|()| cost(&quantities, &node.prices))
    .map_err(|resource| too_large(&node.name, resource))
}

/// Computes the cost of quantities, or returns the resource that costs too much.
fn cost(quantities: &Quantities, prices: &UnitPrices) -> Result<PerResource<Money>, Resource> {
    let mut cost = PerResource::default();
    for resource in Resource::ALL {
        let units = price_of(quantities[resource], prices[resource], resource);
        cost[resource] = units.ok_or(resource)?;
    }
    Ok(cost)
}

/// Returns a quantity times its price, rounded; `None` above [`Money::MOST`].
pub fn price_of(quantity: u128, price: Money, resource: Resource) -> Option<Money> {
    if quantity == 0 || price.is_zero() {
        return Some(Money::ZERO);
    }
    let units = mul_div_round(quantity, price.units(), resource.unit_hour())?;
    Money::from_units(units)
}

fn integrate(sum: &mut Quantities, rates: &Rates, nanoseconds: u128) -> Result<(), Resource> {
    for resource in Resource::ALL {
        sum[resource] = rates[resource]
            .checked_mul(nanoseconds)
            .and_then(|product| sum[resource].checked_add(product))
            .ok_or(resource)?;
    }
    Ok(())
}

fn too_large(subject: &impl ToString, resource: Resource) -> CostError {
    CostError::TooLarge {
        subject: subject.to_string(),
        resource: resource.name(),
    }
}

/// Writes `namespace/pod/container`.
impl std::fmt::Display for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.pod, self.container)
    }
}
