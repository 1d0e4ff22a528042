//! The cheapest nodes for the pods that stay, of shapes that can be bought.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use capacity::{Load, Offer, Shape, ShapedNode, mix, offer};
use cost::prices::PriceList;
use cost::{HOUR_NS, Money, Window, node_cost};
use inventory::{Assumption, Inventory, Node, Pod, Source, Timestamp};
use scheduler::{Cluster, Plugin, Profile, Ties};

/// Largest number of pods for which nodes are chosen; the time grows with its square.
const MOST_PODS: usize = 20_000;

/// Units of money in a billionth.
const NANO: u128 = 10_u128.pow(Money::DECIMALS - 9);

/// Nodes of some shapes.
#[derive(Debug)]
pub struct Mixture {
    /// Number of nodes of each shape that is used, by its name.
    pub nodes: Vec<(String, usize)>,
    /// Cost per hour.
    pub per_hour: Money,
    /// Cost per hour below which no nodes of these shapes have room for the sum of the pods.
    pub at_least: Money,
}

/// Chooses nodes for the pods that stay; `None` without shapes or pods, or if a pod fits on no
/// shape or there are too many pods, which an assumption tells.
///
/// # Errors
/// A pod that no scheduler accepts, or a shape without a price whose default price is absurd.
pub fn mixture(
    inventory: &Inventory,
    shapes: &[Shape],
    list: &PriceList,
    assumptions: &mut Vec<Assumption>,
) -> anyhow::Result<Option<Mixture>> {
    let pods: Vec<Pod> = inventory
        .pods
        .iter()
        .filter(|pod| pod.departure.is_none())
        .cloned()
        .collect();
    if shapes.is_empty() || pods.is_empty() {
        return Ok(None);
    }
    let mut none = |reason: String| {
        assumptions.push(Assumption(format!("no nodes are chosen: {reason}")));
        Ok(None)
    };
    if pods.len() > MOST_PODS {
        return none(format!("{} pods are more than {MOST_PODS}", pods.len()));
    }
    let load = Load::new(&pods, &inventory.per_node, |_| None);
    let order = load.in_order();
    let mut offers: Vec<Offer> = Vec::new();
    let mut items = Vec::new();
    for shape in shapes {
        let node = ShapedNode::new(shape, &load, &Profile::default())?;
        let problem = load.problem(&order, &node.left(&load), &[]);
        let kinds = taken(shape, &load)?;
        let takes = order.iter().map(|item| kinds[load.items[*item].kind]);
        offers.push(offer(&problem, price(shape, list)?, takes.collect()));
        items = problem.items;
    }
    let dimensions = items.first().map_or(0, Vec::len);
    if offers.iter().any(|offer| offer.bin.len() != dimensions) {
        return none("some shape alone has a resource".to_owned());
    }
    let Some(found) = mix(&items, &offers) else {
        return none("a pod fits on no shape".to_owned());
    };
    let money = |nanos: i128| Money::from_units(u128::try_from(nanos).unwrap_or(0) * NANO);
    let names = shapes.iter().map(|shape| shape.name.clone());
    Ok(Some(Mixture {
        nodes: names
            .zip(found.counts)
            .filter(|(_, count)| *count > 0)
            .collect(),
        per_hour: money(found.cost).ok_or_else(|| anyhow!("the nodes cost too much"))?,
        at_least: money(found.lower).unwrap_or_default(),
    }))
}

/// Returns whether a node of a shape takes a pod of each kind, by its amounts, labels and taints;
/// rules about other pods are left out.
fn taken(shape: &Shape, load: &Load) -> anyhow::Result<Vec<bool>> {
    let mut cluster = Cluster::new(&[node(shape)], BTreeMap::new())?;
    let kinds = load.kinds.iter().map(|kind| {
        let class = cluster
            .class(&kind.namespace, &kind.template, None)
            .map_err(|error| anyhow!("{}: {error}", kind.name))?;
        let evaluation = cluster.evaluate(class, &Profile::default());
        let by_others = evaluation.rejected().iter().any(|(_, rejection)| {
            matches!(
                rejection.plugin,
                Plugin::PodTopologySpread | Plugin::InterPodAffinity
            )
        });
        Ok(by_others || evaluation.placed(Ties::First, 0).is_some())
    });
    kinds.collect()
}

/// Returns the price of a shape per hour in billionths, at least one; without one, that of its
/// resources in the list.
fn price(shape: &Shape, list: &PriceList) -> anyhow::Result<i128> {
    if let Some(price) = shape.price {
        return Ok(price.max(1));
    }
    let defaults = PriceList {
        defaults: list.defaults.clone(),
        ..PriceList::default()
    };
    let nodes = [node(shape)];
    let (priced, _) = defaults.price(&nodes);
    let hour = i64::try_from(HOUR_NS).unwrap_or(i64::MAX);
    let window = Window::new(Timestamp(0), Timestamp(hour))?;
    let mut cost = Money::ZERO;
    for price in &priced {
        cost += node_cost(&price.node, window)?.total();
    }
    Ok(cost.nano().max(1))
}

fn node(shape: &Shape) -> Node {
    let amounts = Arc::new(shape.allocatable.clone());
    Node {
        name: shape.name.as_str().into(),
        labels: Arc::new(shape.labels.clone()),
        taints: [].into(),
        unschedulable: false,
        allocatable: Arc::clone(&amounts),
        capacity: amounts,
        provider_id: None,
        source: Source {
            file: "--node".into(),
            line: 0,
        },
    }
}
