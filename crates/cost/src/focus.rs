//! Costs as a data set of FOCUS 1.2, the FinOps Open Cost and Usage Specification, in CSV.
//!
//! Each container has a row for each resource that it was charged for, each node one for each
//! resource that was idle, each overhead one. The rows sum to the total cost exactly. An estimate
//! has no discounts, so the four costs of a row are equal; a value that is not known is empty.

use std::collections::BTreeMap;
use std::io::{self, Write};

use inventory::{Node, Timestamp};

use crate::allocation::{Allocation, Window};
use crate::estimate::Estimate;
use crate::idle::NodeCost;
use crate::money::Money;
use crate::prices::PriceSource;
use crate::resource::Resource;
use crate::wide::mul_div_round;

/// Columns, in the order of their names; `x_` marks those that the specification does not have.
pub const COLUMNS: [&str; 42] = [
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_Node",
    "x_Workload",
];

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
    let common = Common::new(estimate, account);
    let places: BTreeMap<&str, Machine> = nodes
        .iter()
        .zip(&estimate.prices)
        .map(|(node, price)| (&*node.name, Machine::new(node, price.source)))
        .collect();
    for allocation in &estimate.allocations {
        let node = allocation.names.node.as_deref();
        let machine = node.and_then(|node| places.get(node));
        for resource in Resource::ALL {
            if allocation.allocated[resource] > 0 {
                let mut row = common.container(allocation, resource);
                row.place(machine, resource);
                row.write(out)?;
            }
        }
    }
    for (cost, price) in estimate.nodes.iter().zip(&estimate.prices) {
        let machine = places.get(&*cost.node);
        for resource in Resource::ALL {
            if !cost.idle[resource].is_zero() {
                let mut row = common.idle(cost, price.node.prices[resource], resource, machine);
                row.place(machine, resource);
                row.write(out)?;
            }
        }
    }
    for overhead in &account.overheads {
        common.overhead(*overhead).write(out)?;
    }
    Ok(())
}

/// Row: values by column, in any order.
struct Row(BTreeMap<&'static str, String>);

impl Row {
    fn set(&mut self, column: &'static str, value: impl Into<String>) {
        self.0.insert(column, value.into());
    }

    fn cost(&mut self, cost: Money, unit_price: Money, quantity: String, unit: &str) {
        for column in ["BilledCost", "ContractedCost", "EffectiveCost", "ListCost"] {
            self.set(column, cost.to_string());
        }
        for column in ["ContractedUnitPrice", "ListUnitPrice"] {
            self.set(column, unit_price.to_string());
        }
        self.set("PricingQuantity", quantity);
        self.set("PricingUnit", unit);
    }

    fn period(&mut self, window: Window) {
        self.set("ChargePeriodStart", seconds(window.start(), false));
        self.set("ChargePeriodEnd", seconds(window.end(), true));
    }

    /// Sets the columns of the machine that the charge is for, and of its price.
    fn place(&mut self, machine: Option<&Machine>, resource: Resource) {
        let price = machine.map_or("default", |machine| &machine.price);
        self.set("SkuId", resource.name());
        self.set("SkuMeter", meter(resource));
        self.set("SkuPriceId", format!("{}/{price}", resource.name()));
        let is_spot = machine.is_some_and(|machine| machine.is_spot);
        self.set(
            "PricingCategory",
            if is_spot { "Dynamic" } else { "Standard" },
        );
        let provider = machine.map_or(UNKNOWN_PROVIDER, |machine| machine.provider);
        for column in ["InvoiceIssuerName", "ProviderName", "PublisherName"] {
            self.set(column, provider);
        }
        if let Some(machine) = machine {
            self.set("x_Node", &*machine.name);
            self.set("AvailabilityZone", &*machine.zone);
            self.set("RegionId", &*machine.region);
            self.set("RegionName", &*machine.region);
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for (place, column) in COLUMNS.iter().enumerate() {
            if place > 0 {
                out.write_all(b",")?;
            }
            let value = self.0.get(column).map_or("", |value| value.as_str());
            if value.contains([',', '"', '\n', '\r']) {
                write!(out, "\"{}\"", value.replace('"', "\"\""))?;
            } else {
                out.write_all(value.as_bytes())?;
            }
        }
        out.write_all(b"\n")
    }
}

/// Values that all rows have in common.
struct Common<'a> {
    account: &'a Account,
    estimate: &'a Estimate,
}

impl<'a> Common<'a> {
    fn new(estimate: &'a Estimate, account: &'a Account) -> Self {
        Self { account, estimate }
    }

    fn row(&self, window: Window) -> Row {
        let mut row = Row(BTreeMap::new());
        let whole = self.estimate.window;
        row.set("BillingAccountId", &*self.account.cluster);
        row.set("BillingAccountName", &*self.account.cluster);
        row.set("BillingCurrency", &*self.estimate.currency);
        row.set("BillingPeriodStart", seconds(whole.start(), false));
        row.set("BillingPeriodEnd", seconds(whole.end(), true));
        row.period(window);
        row
    }

    /// Returns a row of usage of compute.
    fn usage(
        &self,
        window: Window,
        cost: Money,
        price: Money,
        quantity: u128,
        resource: Resource,
    ) -> Row {
        let mut row = self.row(window);
        let quantity = hours(quantity, resource);
        row.set("ChargeCategory", "Usage");
        row.set("ChargeFrequency", "Usage-Based");
        row.set("ServiceCategory", "Compute");
        row.set("ConsumedQuantity", &*quantity);
        row.set("ConsumedUnit", unit(resource));
        row.cost(cost, price, quantity, unit(resource));
        row
    }

    fn container(&self, allocation: &Allocation, resource: Resource) -> Row {
        let names = &allocation.names;
        let mut row = self.usage(
            allocation.window,
            allocation.cost[resource],
            allocation.prices[resource],
            allocation.allocated[resource],
            resource,
        );
        row.set(
            "ChargeDescription",
            format!("{} of container {names}", meter(resource)),
        );
        row.set("ResourceId", format!("{}/{names}", self.account.cluster));
        row.set("ResourceName", &*names.container);
        row.set("ResourceType", "Container");
        row.set("ServiceName", "Kubernetes");
        row.set("ServiceSubcategory", "Containers");
        row.set("SubAccountId", &*names.namespace);
        row.set("SubAccountName", &*names.namespace);
        if let Some((kind, name)) = &names.owner {
            row.set("x_Workload", format!("{kind}/{name}"));
        }
        if let Ok(tags) = serde_json::to_string(&*names.labels)
            && !names.labels.is_empty()
        {
            row.set("Tags", tags);
        }
        row
    }

    fn idle(
        &self,
        cost: &NodeCost,
        price: Money,
        resource: Resource,
        machine: Option<&Machine>,
    ) -> Row {
        let idle = cost.idle[resource];
        // The product of this quantity and the price is the cost.
        let quantity = mul_div_round(idle.units(), resource.unit_hour(), price.units().max(1));
        let window = self.estimate.window;
        let mut row = self.usage(window, idle, price, quantity.unwrap_or(0), resource);
        let id = machine.and_then(|machine| machine.id.clone());
        let name = &*cost.node;
        row.set(
            "ChargeDescription",
            format!("Idle {} of node {name}", resource.name()),
        );
        row.set(
            "ResourceId",
            id.unwrap_or_else(|| format!("{}/{name}", self.account.cluster)),
        );
        row.set("ResourceName", name);
        row.set("ResourceType", "Node");
        row.set("ServiceName", "Kubernetes nodes");
        row.set("ServiceSubcategory", "Virtual Machines");
        row
    }

    fn overhead(&self, per_hour: Money) -> Row {
        let window = self.estimate.window;
        let mut row = self.row(window);
        let length = window.nanoseconds();
        let cost = per_hour.over(length);
        let hours = mul_div_round(length, UNIT, crate::hours::HOUR_NS).map(Money::part);
        row.set("ChargeCategory", "Purchase");
        row.set("ChargeFrequency", "Recurring");
        row.set("ChargeDescription", "Overhead of the cluster");
        row.set("ServiceCategory", "Management and Governance");
        row.set("ServiceName", "Kubernetes overhead");
        row.set("ServiceSubcategory", "Other (Management and Governance)");
        row.set("PricingCategory", "Standard");
        row.set("SkuId", "overhead");
        row.set("SkuMeter", "Overhead");
        row.set("SkuPriceId", "overhead");
        for column in ["InvoiceIssuerName", "ProviderName", "PublisherName"] {
            row.set(column, UNKNOWN_PROVIDER);
        }
        row.cost(
            cost,
            per_hour,
            hours.unwrap_or_default().to_string(),
            "Hours",
        );
        row
    }
}

const UNIT: u128 = 10_u128.pow(Money::DECIMALS);

/// Provider of machines with identifiers that name none.
const UNKNOWN_PROVIDER: &str = "Self-managed";

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
struct Machine {
    name: String,
    id: Option<String>,
    provider: &'static str,
    region: String,
    zone: String,
    price: String,
    is_spot: bool,
}

impl Machine {
    fn new(node: &Node, source: PriceSource) -> Self {
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
