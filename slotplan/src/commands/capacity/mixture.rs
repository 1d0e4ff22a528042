//! Nodes of several shapes at the least cost, as the scheduler fills them.

use capacity::{Fleet, Mix};
use scheduler::{Profile, Strategy};

use super::plan::{Order, Planned, Planner};

/// Number of nodes that are added until the scheduler places every pod.
const MOST_ADDED: usize = 200;

/// Mixture of shapes.
#[derive(Debug)]
pub struct Mixture {
    /// Packing, without a scheduler.
    pub mix: Mix,
    /// Number of nodes of each shape on which the scheduler places every pod, with the strategy and
    /// order that need the least; `None` if no trial succeeds.
    pub scheduled: Option<Scheduled>,
}

/// Nodes on which the scheduler places every pod.
#[derive(Debug)]
pub struct Scheduled {
    pub counts: Vec<usize>,
    pub cost: i128,
    pub strategy: Strategy,
    pub order: Order,
}

/// Finds a mixture if there are several shapes, all with a price, and every pod fits on one.
pub fn mixture(planner: &Planner<'_>, shapes: &[Planned<'_>]) -> anyhow::Result<Option<Mixture>> {
    let prices: Option<Vec<i128>> = shapes.iter().map(|planned| planned.shape.price).collect();
    let Some(prices) = prices.filter(|prices| {
        prices.len() > 1
            && prices.iter().all(|price| *price > 0)
            && planner.present.is_empty()
            && !planner.is_over_time()
    }) else {
        return Ok(None);
    };
    let load = planner.load;
    let order = load.in_order();
    let mut offers = Vec::new();
    let mut items = Vec::new();
    for (planned, price) in shapes.iter().zip(&prices) {
        let problem = load.problem(&order, &planned.node.left(load), &[]);
        let takes = order.iter().map(|item| {
            let kind = load.items[*item].kind;
            !planned.refused.iter().any(|refused| refused.kind == kind)
        });
        offers.push(capacity::offer(&problem, *price, takes.collect()));
        items = problem.items;
    }
    let dimensions = offers
        .iter()
        .map(|offer| offer.bin.len())
        .max()
        .unwrap_or(0);
    if offers.iter().any(|offer| offer.bin.len() != dimensions) {
        // A resource that one shape alone has makes the packings incomparable.
        return Ok(None);
    }
    let Some(mix) = capacity::mix(&items, &offers) else {
        return Ok(None);
    };
    let scheduled = scheduled(planner, shapes, &prices, &mix)?;
    Ok(Some(Mixture { mix, scheduled }))
}

fn scheduled(
    planner: &Planner<'_>,
    shapes: &[Planned<'_>],
    prices: &[i128],
    mix: &Mix,
) -> anyhow::Result<Option<Scheduled>> {
    let load = planner.load;
    let largest = &shapes
        .iter()
        .max_by_key(|planned| planned.shape.allocatable.cpu());
    let Some(largest) = largest else {
        return Ok(None);
    };
    let orders = [
        (
            Order::LargestFirst,
            load.largest_first(&largest.shape.allocatable),
        ),
        (Order::AsListed, load.in_order()),
    ];
    let mut best: Option<Scheduled> = None;
    for strategy in [Strategy::MostAllocated, Strategy::LeastAllocated] {
        let profile = Profile {
            strategy: strategy.clone(),
            ..planner.args.scheduler.profile()
        };
        for (name, order) in &orders {
            let mut counts = mix.counts.clone();
            for _ in 0..MOST_ADDED {
                let cost = cost(&counts, prices);
                if best.as_ref().is_some_and(|best| best.cost <= cost) {
                    break;
                }
                let fleet = Fleet {
                    existing: Vec::new(),
                    new: shapes
                        .iter()
                        .zip(&counts)
                        .map(|(planned, count)| (planned.node.clone(), *count))
                        .collect(),
                };
                let ties = planner.args.scheduler.ties.0;
                let (mut engine, classes) = fleet.engine(load, &profile, ties)?;
                let trial = capacity::place(&mut engine, &classes, load, order, true);
                let Some(item) = trial.first_left_over else {
                    best = Some(Scheduled {
                        counts,
                        cost,
                        strategy: strategy.clone(),
                        order: *name,
                    });
                    break;
                };
                let kind = load.items[item].kind;
                let takes = |planned: &Planned<'_>| {
                    !planned.refused.iter().any(|refused| refused.kind == kind)
                };
                let cheapest = (0..shapes.len())
                    .filter(|place| takes(&shapes[*place]))
                    .min_by_key(|place| prices[*place]);
                match cheapest {
                    Some(place) => counts[place] += 1,
                    None => break,
                }
            }
        }
    }
    Ok(best)
}

fn cost(counts: &[usize], prices: &[i128]) -> i128 {
    let costs = counts.iter().zip(prices);
    costs
        .map(|(count, price)| {
            i128::try_from(*count)
                .unwrap_or(i128::MAX)
                .saturating_mul(*price)
        })
        .sum()
}
