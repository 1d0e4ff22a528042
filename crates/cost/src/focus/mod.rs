//! Costs as a data set of FOCUS 1.2, the FinOps Open Cost and Usage Specification, in CSV.
//!
//! Each container has a row for each resource that it was charged for, each node one for each
//! resource that was idle, each overhead one. The rows sum to the total cost exactly. An estimate
//! has no discounts, so the four costs of a row are equal; a value that is not known is empty.

mod machine;
mod row;

use std::collections::BTreeMap;
use std::io::{self, Write};

use inventory::{Node, Timestamp};

use crate::allocation::{Allocation, Window};
use crate::estimate::Estimate;
use crate::hours::HOUR_NS;
use crate::idle::NodeCost;
use crate::money::Money;
use crate::resource::Resource;
use crate::wide::mul_div_round;
use machine::{Machine, UNKNOWN_PROVIDER};
use row::{Column, Row};

pub use row::COLUMNS;

/// Names that the data set has beside those of the input.
#[derive(Debug, Clone)]
pub struct Account {
    /// Identifier and name of the billing account: that of the cluster.
    pub cluster: String,
    /// Costs per hour beside those of nodes.
    pub overheads: Vec<Money>,
}

/// Writes the data set. `nodes` are those that the estimate was made from.
///
/// # Errors
/// Those of the writer.
pub fn write_focus(
    out: &mut impl Write,
    estimate: &Estimate,
    nodes: &[Node],
    account: &Account,
) -> io::Result<()> {
    writeln!(out, "{}", COLUMNS.join(","))?;
    let machines: BTreeMap<&str, Machine> = nodes
        .iter()
        .zip(&estimate.prices)
        .map(|(node, price)| (&*node.name, Machine::new(node, price.source)))
        .collect();
    let mut writer = Writer {
        account,
        estimate,
        row: Row::new(),
        billing: period(estimate.window),
    };
    for allocation in &estimate.allocations {
        let node = allocation.names.node.as_deref();
        let machine = node.and_then(|node| machines.get(node));
        for resource in Resource::ALL {
            if allocation.allocated[resource] > 0 {
                writer.container(allocation, resource, machine);
                writer.row.write(out)?;
            }
        }
    }
    for (cost, price) in estimate.nodes.iter().zip(&estimate.prices) {
        let machine = machines.get(&*cost.node);
        for resource in Resource::ALL {
            if !cost.idle[resource].is_zero() {
                writer.idle(cost, price.node.prices[resource], resource, machine);
                writer.row.write(out)?;
            }
        }
    }
    for overhead in &account.overheads {
        writer.overhead(*overhead);
        writer.row.write(out)?;
    }
    Ok(())
}

/// Row that is filled anew for each charge.
struct Writer<'a> {
    account: &'a Account,
    estimate: &'a Estimate,
    row: Row,
    /// Start and end of the billing period: the window of the estimate.
    billing: [String; 2],
}

impl Writer<'_> {
    /// Fills a row with the values that all have.
    fn begin(&mut self, window: Window) {
        let row = &mut self.row;
        row.clear();
        row.set(Column::BillingAccountId, &self.account.cluster);
        row.set(Column::BillingAccountName, &self.account.cluster);
        row.set(Column::BillingCurrency, &self.estimate.currency);
        row.set(Column::BillingPeriodStart, &self.billing[0]);
        row.set(Column::BillingPeriodEnd, &self.billing[1]);
        // No row corrects an earlier invoice.
        row.set(Column::ChargeClass, "");
        let [start, end] = period(window);
        row.set(Column::ChargePeriodStart, start);
        row.set(Column::ChargePeriodEnd, end);
    }

    /// Fills a row of usage of a resource, on a machine if it is known.
    fn usage(&mut self, cost: Money, price: Money, quantity: u128, of: Of<'_>) {
        self.begin(of.window);
        let (row, resource) = (&mut self.row, of.resource);
        let quantity = hours(quantity, resource);
        row.set(Column::ChargeCategory, "Usage");
        row.set(Column::ChargeFrequency, "Usage-Based");
        row.set(Column::ServiceCategory, "Compute");
        row.set(Column::ConsumedQuantity, &quantity);
        row.set(Column::ConsumedUnit, unit(resource));
        row.set_cost(cost, price, &quantity, unit(resource));
        row.set(Column::SkuId, resource.name());
        row.set(Column::SkuMeter, meter(resource));
        let list = of.machine.map_or("default", |machine| &machine.price);
        row.set(
            Column::SkuPriceId,
            format_args!("{}/{list}", resource.name()),
        );
        let is_spot = of.machine.is_some_and(|machine| machine.is_spot);
        let category = if is_spot { "Dynamic" } else { "Standard" };
        row.set(Column::PricingCategory, category);
        let provider = of.machine.map(|machine| machine.provider);
        row.set_provider(provider.unwrap_or(UNKNOWN_PROVIDER));
        if let Some(machine) = of.machine {
            row.set(Column::x_Node, &machine.name);
            row.set(Column::AvailabilityZone, &machine.zone);
            row.set(Column::RegionId, &machine.region);
            row.set(Column::RegionName, &machine.region);
        }
    }

    fn container(
        &mut self,
        allocation: &Allocation,
        resource: Resource,
        machine: Option<&Machine>,
    ) {
        let names = &allocation.names;
        let of = Of {
            window: allocation.window,
            resource,
            machine,
        };
        self.usage(
            allocation.cost[resource],
            allocation.prices[resource],
            allocation.allocated[resource],
            of,
        );
        let row = &mut self.row;
        row.set(
            Column::ChargeDescription,
            format_args!("{} of container {names}", meter(resource)),
        );
        row.set(
            Column::ResourceId,
            format_args!("{}/{names}", self.account.cluster),
        );
        row.set(Column::ResourceName, &names.container);
        row.set(Column::ResourceType, "Container");
        row.set(Column::ServiceName, "Kubernetes");
        row.set(Column::ServiceSubcategory, "Containers");
        row.set(Column::SubAccountId, &names.namespace);
        row.set(Column::SubAccountName, &names.namespace);
        if let Some((kind, name)) = &names.owner {
            row.set(Column::x_Workload, format_args!("{kind}/{name}"));
        }
        if let Ok(tags) = serde_json::to_string(&*names.labels)
            && !names.labels.is_empty()
        {
            row.set(Column::Tags, tags);
        }
    }

    fn idle(
        &mut self,
        cost: &NodeCost,
        price: Money,
        resource: Resource,
        machine: Option<&Machine>,
    ) {
        let idle = cost.idle[resource];
        // The product of this quantity and the price is the cost.
        let quantity = mul_div_round(idle.units(), resource.unit_hour(), price.units().max(1));
        let of = Of {
            window: self.estimate.window,
            resource,
            machine,
        };
        self.usage(idle, price, quantity.unwrap_or(0), of);
        let (row, name) = (&mut self.row, &cost.node);
        row.set(
            Column::ChargeDescription,
            format_args!("Idle {} of node {name}", resource.name()),
        );
        match machine.and_then(|machine| machine.id.as_ref()) {
            Some(id) => row.set(Column::ResourceId, id),
            None => row.set(
                Column::ResourceId,
                format_args!("{}/{name}", self.account.cluster),
            ),
        }
        row.set(Column::ResourceName, name);
        row.set(Column::ResourceType, "Node");
        row.set(Column::ServiceName, "Kubernetes nodes");
        row.set(Column::ServiceSubcategory, "Virtual Machines");
    }

    fn overhead(&mut self, per_hour: Money) {
        let window = self.estimate.window;
        let length = window.nanoseconds();
        let hours = mul_div_round(length, UNIT, HOUR_NS).map_or(Money::ZERO, Money::part);
        self.begin(window);
        let row = &mut self.row;
        row.set(Column::ChargeCategory, "Purchase");
        row.set(Column::ChargeFrequency, "Recurring");
        row.set(Column::ChargeDescription, "Overhead of the cluster");
        row.set(Column::ServiceCategory, "Management and Governance");
        row.set(Column::ServiceName, "Kubernetes overhead");
        row.set(
            Column::ServiceSubcategory,
            "Other (Management and Governance)",
        );
        row.set(Column::PricingCategory, "Standard");
        row.set(Column::SkuId, "overhead");
        row.set(Column::SkuMeter, "Overhead");
        row.set(Column::SkuPriceId, "overhead");
        row.set_provider(UNKNOWN_PROVIDER);
        row.set_cost(per_hour.over(length), per_hour, &hours.to_string(), "Hours");
    }
}

/// Subject of a charge for usage.
#[derive(Clone, Copy)]
struct Of<'a> {
    window: Window,
    resource: Resource,
    machine: Option<&'a Machine>,
}

const UNIT: u128 = 10_u128.pow(Money::DECIMALS);

fn unit(resource: Resource) -> &'static str {
    match resource {
        Resource::Cpu => "Core-Hours",
        Resource::Memory => "GiB-Hours",
        Resource::Gpu => "GPU-Hours",
    }
}

fn meter(resource: Resource) -> &'static str {
    match resource {
        Resource::Cpu => "CPU",
        Resource::Memory => "Memory",
        Resource::Gpu => "GPU",
    }
}

/// Writes a quantity in unit-hours, with 15 decimals at most.
fn hours(quantity: u128, resource: Resource) -> String {
    let units = mul_div_round(quantity, UNIT, resource.unit_hour());
    Money::part(units.unwrap_or(u128::MAX)).to_string()
}

/// Returns the start and the end of a window in whole seconds, the end rounded up.
fn period(window: Window) -> [String; 2] {
    [seconds(window.start(), false), seconds(window.end(), true)]
}

/// Writes a time in whole seconds, as the specification asks (`YYYY-MM-DDTHH:mm:ssZ`).
fn seconds(time: Timestamp, up: bool) -> String {
    const SECOND: i64 = 1_000_000_000;
    let rest = time.0.rem_euclid(SECOND);
    let down = time.0 - rest;
    let whole = match (up, rest) {
        (true, 1..) => down.saturating_add(SECOND),
        _ => down,
    };
    Timestamp(whole).to_string()
}
