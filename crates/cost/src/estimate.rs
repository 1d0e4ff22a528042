//! Costs of everything in an inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use inventory::{Inventory, Timestamp};

use crate::allocation::{Allocation, CostError, UnitPrices, Window, allocate};
use crate::containers::containers;
use crate::hours::{HOUR_NS, MONTH_HOURS};
use crate::idle::{NodeCost, node_costs};
use crate::money::Money;
use crate::prices::{NodePrice, PriceList, PriceSource};
use crate::resource::{PerResource, Resource};
use crate::wide::mul_div_round;

/// Choice of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Period {
    /// The recorded time if there is usage or every pod has ended, else a month.
    #[default]
    Fitting,
    /// From the first to the last time in the inventory.
    Recorded,
    /// A month of 730 hours with the pods that stay.
    Month,
    /// This window.
    Window(Window),
}

/// Costs of an inventory.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Window of time.
    pub window: Window,
    /// Whether the window is a month to come, and no recorded time.
    pub is_projection: bool,
    /// Code of the currency.
    pub currency: String,
    /// Costs of containers, in the order of the pods.
    pub allocations: Vec<Allocation>,
    /// Prices of nodes, in the order of the input.
    pub prices: Vec<NodePrice>,
    /// Costs of nodes, in the same order.
    pub nodes: Vec<NodeCost>,
    /// Assumptions that were made.
    pub assumptions: Vec<String>,
}

/// Reason why an inventory has no costs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EstimateError {
    /// Wrong or absurd amounts.
    #[error(transparent)]
    Cost(#[from] CostError),
    /// An inventory without pods and nodes.
    #[error("no pods and no nodes in the input")]
    Empty,
    /// No times in the inventory.
    #[error("the input has no times; its pods stay: choose a month or a window")]
    Timeless,
    /// Two nodes of one name.
    #[error("two nodes have the name {0}")]
    Twice(String),
    /// Prices for nodes that the input does not have.
    #[error("price for the node {0}, which the input does not have")]
    Stranger(String),
}

impl Estimate {
    /// Computes the costs of an inventory.
    ///
    /// # Errors
    /// No pods and nodes, two nodes of one name, a given price without its node, absurd amounts.
    pub fn of(
        inventory: &Inventory,
        list: &PriceList,
        period: Period,
    ) -> Result<Self, EstimateError> {
        if inventory.pods.is_empty() && inventory.nodes.is_empty() {
            return Err(EstimateError::Empty);
        }
        check_names(inventory, list)?;
        let mut assumptions = Vec::new();
        let (window, is_projection) = window(inventory, period)?;
        let found = containers(inventory, window);
        if found.strangers > 0 {
            assumptions.push(format!(
                "usage of {} containers of pods that the input does not have is left out",
                found.strangers
            ));
        }
        if is_projection {
            let ended = inventory
                .pods
                .iter()
                .filter(|pod| pod.departure.is_some())
                .count();
            if ended > 0 {
                assumptions.push(format!("{ended} pods that have ended are left out"));
            }
        }
        let (prices, unmatched) = list.price(&inventory.nodes);
        assume_prices(&mut assumptions, list, &prices, &unmatched);
        let by_node: BTreeMap<&str, UnitPrices> = prices
            .iter()
            .map(|price| (&*price.node.name, price.node.prices))
            .collect();
        let anywhere = mean(&prices, &list.defaults.on_demand);
        let (mut strangers, mut unplaced) = (BTreeSet::new(), BTreeSet::new());
        let mut allocations = Vec::with_capacity(found.containers.len());
        for container in &found.containers {
            let names = &container.names;
            let prices = match &names.node {
                None => anywhere,
                Some(node) => match by_node.get(&**node) {
                    Some(prices) => *prices,
                    None => list.defaults.on_demand,
                },
            };
            let Some(allocation) = allocate(container, &prices, window)? else {
                continue;
            };
            match &names.node {
                None => {
                    unplaced.insert((&names.namespace, &names.pod));
                }
                Some(node) if !by_node.contains_key(&**node) => {
                    strangers.insert(Arc::clone(node));
                }
                Some(_) => {}
            }
            allocations.push(allocation);
        }
        assume_places(&mut assumptions, unplaced.len(), &strangers, prices.len());
        let priced: Vec<_> = prices.iter().map(|price| price.node.clone()).collect();
        let nodes = node_costs(&priced, &allocations, window)?;
        assume_excess(&mut assumptions, &nodes);
        Ok(Self {
            window,
            is_projection,
            currency: list.defaults.currency.clone(),
            allocations,
            prices,
            nodes,
            assumptions,
        })
    }

    /// Returns the cost of the capacity of all nodes.
    pub fn provisioned(&self) -> PerResource<Money> {
        let mut sum = PerResource::<Money>::default();
        for node in &self.nodes {
            sum.add(&node.capacity);
        }
        sum
    }
}

fn check_names(inventory: &Inventory, list: &PriceList) -> Result<(), EstimateError> {
    let mut names = BTreeSet::new();
    for node in &inventory.nodes {
        if !names.insert(&node.name) {
            return Err(EstimateError::Twice(node.name.to_string()));
        }
    }
    for (name, _) in &list.given {
        if !names.contains(name) {
            return Err(EstimateError::Stranger(name.to_string()));
        }
    }
    Ok(())
}

/// Returns the first and the last time in an inventory: arrivals, departures, samples; `None`
/// without any.
pub fn extent(inventory: &Inventory) -> Option<(Timestamp, Timestamp)> {
    let lives = inventory
        .pods
        .iter()
        .flat_map(|pod| [pod.arrival, pod.departure]);
    let samples = inventory.usage.iter().flat_map(|series| &series.samples);
    let times = lives.flatten().chain(samples.map(|sample| sample.time));
    times.fold(None, |extent, time| {
        let (first, last) = extent.unwrap_or((time, time));
        Some((first.min(time), last.max(time)))
    })
}

/// Returns the window, and whether it is a month to come.
fn window(inventory: &Inventory, period: Period) -> Result<(Window, bool), EstimateError> {
    let pods = &inventory.pods;
    let is_over = !pods.is_empty() && pods.iter().all(|pod| pod.departure.is_some());
    let is_measured = inventory
        .usage
        .iter()
        .any(|series| !series.samples.is_empty());
    let extent = extent(inventory);
    let is_recorded = match period {
        Period::Window(window) => return Ok((window, false)),
        Period::Recorded => true,
        Period::Month => false,
        Period::Fitting => is_over || is_measured,
    };
    if is_recorded {
        let (start, end) = extent.ok_or(EstimateError::Timeless)?;
        return Ok((Window::new(start, end)?, false));
    }
    // All pods that stay are there after the last change.
    let start = extent.map_or(Timestamp::default(), |(_, last)| last);
    let month = HOUR_NS * u128::from(MONTH_HOURS);
    let month = i64::try_from(month).unwrap_or(i64::MAX);
    let end = Timestamp(start.0.saturating_add(month));
    Ok((Window::new(start, end)?, true))
}

/// Returns the mean prices of nodes, weighted by their capacities; the default price of a resource
/// that no node has.
fn mean(prices: &[NodePrice], defaults: &UnitPrices) -> UnitPrices {
    PerResource::from_fn(|resource: Resource| {
        let sum = |part: &dyn Fn(&NodePrice) -> u128| {
            prices
                .iter()
                .fold(0_u128, |sum, price| sum.saturating_add(part(price)))
        };
        let capacity = sum(&|price| price.node.capacity[resource]);
        let cost = sum(&|price| {
            let (node, unit) = (&price.node, resource.priced());
            mul_div_round(node.capacity[resource], node.prices[resource].units(), unit)
                .unwrap_or(u128::MAX)
        });
        let mean = mul_div_round(cost, resource.priced(), capacity);
        mean.and_then(Money::from_units)
            .unwrap_or(defaults[resource])
    })
}

fn assume_prices(
    assumptions: &mut Vec<String>,
    list: &PriceList,
    prices: &[NodePrice],
    unmatched: &[(usize, &str)],
) {
    let count = |wanted: PriceSource| prices.iter().filter(|price| price.source == wanted).count();
    let defaults = &list.defaults;
    for (source, prices, sort) in [
        (PriceSource::Default, &defaults.on_demand, ""),
        (PriceSource::DefaultSpot, &defaults.spot, "spot "),
    ] {
        let nodes = count(source);
        if nodes > 0 {
            assumptions.push(format!(
                "{nodes} nodes without a price of their own cost the {sort}prices by resource: {}",
                per_unit(prices, &defaults.currency)
            ));
        }
    }
    let by_type = count(PriceSource::InstanceType);
    if by_type > 0 {
        assumptions.push(format!(
            "{by_type} nodes cost the first price of their instance type in the list"
        ));
    }
    if list.machines.ignored > 0 {
        let ignored = list.machines.ignored;
        assumptions.push(format!("{ignored} prices of volumes are left out"));
    }
    if !unmatched.is_empty() && !prices.is_empty() {
        let (line, id) = unmatched[0];
        assumptions.push(format!(
            "{} prices of machines are of no node in the input, the first {id} in line {line}",
            unmatched.len()
        ));
    }
}

fn per_unit(prices: &UnitPrices, currency: &str) -> String {
    format!(
        "{} {currency} per core-hour, {} per GiB-hour, {} per GPU-hour",
        prices.cpu, prices.memory, prices.gpu
    )
}

fn assume_places(
    assumptions: &mut Vec<String>,
    unplaced: usize,
    strangers: &BTreeSet<Arc<str>>,
    nodes: usize,
) {
    if unplaced > 0 {
        let prices = match nodes {
            0 => "the prices by resource",
            _ => "the mean prices of all nodes",
        };
        assumptions.push(format!("{unplaced} pods that are on no node cost {prices}"));
    }
    if let Some(first) = strangers.first() {
        assumptions.push(format!(
            "pods on {} nodes that the input does not have, the first {first}, cost the prices by \
             resource",
            strangers.len()
        ));
    }
}

fn assume_excess(assumptions: &mut Vec<String>, nodes: &[NodeCost]) {
    let over: Vec<_> = nodes
        .iter()
        .filter(|node| !node.excess().total().is_zero())
        .collect();
    if let Some(first) = over.first() {
        assumptions.push(format!(
            "the containers of {} nodes cost more than the nodes, the first {}: the costs sum to \
             more than the nodes cost",
            over.len(),
            first.node
        ));
    }
}
