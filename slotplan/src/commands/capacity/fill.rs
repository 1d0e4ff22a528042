//! Plans to the document of the answer.

use std::collections::BTreeMap;

use capacity::{Least, Loss, money};
use inventory::Amounts;
use scheduler::Strategy;
use scheduler::timeline::{Interval, Timeline};

use super::CapacityArgs;
use super::document::{
    Bounds, Document, Losses, Mixture, More, Nowhere, OverTime, Peak, Shape, Share, ShownInterval,
    ShownLoss, ShownPlaced, ShownScheduled, ShownWay,
};
use super::loss::broken;
use super::plan::{Order, Placed, Planned, Planner, Plans, Way, requested};
use crate::answer::Header;

/// Number of pods and losses that are listed one by one.
const LISTED: usize = 20;

impl Document {
    /// Returns the document of plans.
    pub fn new(
        header: Header,
        args: &CapacityArgs,
        planner: &Planner<'_>,
        plans: &Plans<'_>,
    ) -> Self {
        let shapes: Vec<_> = plans
            .shapes
            .iter()
            .map(|planned| shape(planner, planned))
            .collect();
        let nowhere = nowhere(planner, plans);
        let fits = |shape: &Shape| {
            let placed = shape.placed.as_ref();
            let is_enough = shape
                .nodes
                .is_some_and(|nodes| args.max_nodes.is_none_or(|most| nodes <= most));
            is_enough && placed.is_none_or(|placed| placed.left_over == 0)
        };
        let mixture = plans.mixture.as_ref().map(|found| mixture(plans, found));
        let is_mixed = plans
            .mixture
            .as_ref()
            .and_then(|found| found.scheduled.as_ref());
        let by_mixture = is_mixed.is_some_and(|scheduled| {
            let nodes: usize = scheduled.counts.iter().sum();
            args.max_nodes.is_none_or(|most| nodes <= most)
        });
        let whole = |shape: &Shape| shape.nowhere.is_empty() && fits(shape);
        Self {
            header,
            scheduler: args.scheduler.shown(),
            pods: planner.load.items.len(),
            existing_nodes: planner.present.len(),
            holds: nowhere.is_empty() && (shapes.iter().any(whole) || by_mixture),
            max_nodes: args.max_nodes,
            shapes,
            mixture,
            nowhere,
        }
    }
}

/// Returns the pods that no shape takes.
fn nowhere(planner: &Planner<'_>, plans: &Plans<'_>) -> Vec<Nowhere> {
    let Some((first, others)) = plans.shapes.split_first() else {
        return Vec::new();
    };
    let everywhere = first.refused.iter().filter(|refused| {
        others.iter().all(|planned| {
            planned
                .refused
                .iter()
                .any(|other| other.kind == refused.kind)
        })
    });
    everywhere
        .map(|refused| refusal(planner, refused))
        .collect()
}

fn refusal(planner: &Planner<'_>, refused: &super::plan::Refused) -> Nowhere {
    Nowhere {
        workload: planner.load.kinds[refused.kind].name.to_string(),
        pod: pod_name(planner, refused.first),
        pods: refused.pods,
        message: refused.message.clone(),
    }
}

fn pod_name(planner: &Planner<'_>, pod: usize) -> String {
    let pod = planner.pods.get(pod);
    pod.map(|pod| format!("{}/{}", pod.namespace, pod.name))
        .unwrap_or_default()
}

fn shape(planner: &Planner<'_>, planned: &Planned<'_>) -> Shape {
    let packing = planned
        .packing
        .as_ref()
        .filter(|_| planner.present.is_empty());
    Shape {
        name: planned.shape.name.clone(),
        allocatable: amounts(&planned.shape.allocatable),
        price_per_hour: planned.shape.price.map(money),
        price: planned.shape.price,
        nodes: planned.ways.first().and_then(Way::nodes),
        ways: planned
            .ways
            .iter()
            .map(|way| shown_way(planner, planned, way))
            .collect(),
        bounds: Bounds {
            sum: planner.present.is_empty().then_some(planned.sum_bound),
            lower: packing.map(|packing| packing.lower),
            packing: packing.map(|packing| packing.upper),
            optimum: packing.and_then(capacity::packing::Packing::optimum),
        },
        daemons: planned
            .node
            .daemons
            .iter()
            .map(|daemon| planner.load.daemons[*daemon].name.to_string())
            .collect(),
        nowhere: planned
            .refused
            .iter()
            .map(|refused| refusal(planner, refused))
            .chain(
                planned
                    .node
                    .refused
                    .iter()
                    .map(|(daemon, message)| Nowhere {
                        workload: planner.load.daemons[*daemon].name.to_string(),
                        pod: format!(
                            "each pod of DaemonSet {}",
                            planner.load.daemons[*daemon].name
                        ),
                        pods: 1,
                        message: message.clone(),
                    }),
            )
            .collect(),
        peak: planned.peak.map(|peak| Peak {
            sum_bound: peak.nodes,
            pods: peak.pods,
            at: peak.at.map(|at| at.to_string()),
        }),
        placed: planned
            .placed
            .as_ref()
            .map(|placed| shown_placed(planned, placed)),
    }
}

fn shown_way(planner: &Planner<'_>, planned: &Planned<'_>, way: &Way) -> ShownWay {
    let refused = match &way.least {
        Least::Nodes { .. } => None,
        Least::Never { item, message } => planned.load.items.get(*item).map(|item| Nowhere {
            workload: planned.load.kinds[item.kind].name.to_string(),
            pod: pod_name(planner, item.pod),
            pods: 1,
            message: message.clone(),
        }),
    };
    ShownWay {
        strategy: strategy(&way.strategy),
        order: order(way.order),
        nodes: way.nodes(),
        proven: matches!(
            way.least,
            Least::Nodes {
                is_proven: true,
                ..
            }
        ),
        left_over_with_fewer: way.left_over.clone(),
        refused,
    }
}

fn shown_placed(planned: &Planned<'_>, placed: &Placed) -> ShownPlaced {
    let [cpu, memory] = requested(placed.engine.cluster());
    ShownPlaced {
        nodes: placed.nodes,
        left_over: placed.trial.left_over,
        requested_share: Share {
            cpu: cpu as f64 / 1000.0,
            memory: memory as f64 / 1000.0,
        },
        loss_of_nodes: losses(&placed.losses.nodes),
        loss_of_zones: (!placed.losses.zones.is_empty()).then(|| losses(&placed.losses.zones)),
        more: placed.more.as_ref().map(|(kind, room)| More {
            workload: planned.load.kinds[*kind].name.to_string(),
            pods: room.pods,
            stop: room.stop.clone(),
        }),
        over_time: placed.timeline.as_ref().map(over_time),
    }
}

fn losses(losses: &[Loss]) -> Losses {
    let broken = broken(losses);
    Losses {
        tried: losses.len(),
        broken: broken.len(),
        worst: broken
            .iter()
            .take(LISTED)
            .map(|loss| ShownLoss {
                lost: loss.lost.to_string(),
                nodes: loss.nodes,
                pods: loss.pods,
                homeless: loss.homeless.len(),
                message: loss
                    .homeless
                    .first()
                    .map(|(_, message)| message.clone())
                    .unwrap_or_default(),
            })
            .collect(),
    }
}

/// Returns the numbers of a placement over time.
pub fn over_time(timeline: &Timeline) -> OverTime {
    let waited = timeline.stays.iter().filter(|stay| stay.waited_ns > 0);
    let longest = timeline
        .stays
        .iter()
        .map(|stay| stay.waited_ns)
        .max()
        .unwrap_or(0);
    OverTime {
        start: timeline.start.to_string(),
        end: timeline.end.to_string(),
        high_water_nodes: timeline.high_water.0,
        high_water_at: timeline.high_water.1.to_string(),
        waited_pods: waited.count(),
        longest_wait_seconds: longest as f64 / 1e9,
        never_placed: timeline
            .stays
            .iter()
            .filter(|stay| stay.node.is_none())
            .count(),
        intervals: timeline.intervals.iter().map(shown_interval).collect(),
    }
}

fn shown_interval(interval: &Interval) -> ShownInterval {
    let share = |shares: scheduler::timeline::Shares| Share {
        cpu: shares.cpu,
        memory: shares.memory,
    };
    ShownInterval {
        start: interval.start.to_string(),
        end: interval.end.to_string(),
        requested_share: share(interval.requested),
        nodes_in_use: interval.nodes_in_use,
        waiting: interval.waiting,
        fragmented_share: share(interval.fragmented),
    }
}

fn mixture(plans: &Plans<'_>, found: &super::mixture::Mixture) -> Mixture {
    let named = |counts: &[usize]| -> BTreeMap<String, usize> {
        let names = plans
            .shapes
            .iter()
            .map(|planned| planned.shape.name.clone());
        names.zip(counts.iter().copied()).collect()
    };
    let gap = (found.mix.cost - found.mix.lower).saturating_mul(10_000);
    let gap = gap.checked_div(found.mix.lower).unwrap_or(0);
    Mixture {
        packing: named(&found.mix.counts),
        packing_cost_per_hour: money(found.mix.cost),
        lower_bound_per_hour: money(found.mix.lower),
        gap_percent: gap as f64 / 100.0,
        scheduled: found.scheduled.as_ref().map(|scheduled| ShownScheduled {
            nodes: named(&scheduled.counts),
            cost_per_hour: money(scheduled.cost),
            cost: scheduled.cost,
            strategy: strategy(&scheduled.strategy),
            order: order(scheduled.order),
        }),
    }
}

fn amounts(amounts: &Amounts) -> BTreeMap<String, i64> {
    let shown = |name: &str| match name {
        "cpu" => "cpu_millicores".to_owned(),
        "memory" => "memory_bytes".to_owned(),
        "ephemeral-storage" => "ephemeral_storage_bytes".to_owned(),
        other => other.to_owned(),
    };
    amounts
        .iter()
        .map(|(name, amount)| (shown(name), amount))
        .collect()
}

/// Returns the name of a strategy in a scheduler's configuration.
pub fn strategy(strategy: &Strategy) -> &'static str {
    match strategy {
        Strategy::LeastAllocated => "LeastAllocated",
        Strategy::MostAllocated => "MostAllocated",
        Strategy::RequestedToCapacityRatio(_) => "RequestedToCapacityRatio",
    }
}

fn order(order: Order) -> &'static str {
    match order {
        Order::AsListed => "as listed",
        Order::LargestFirst => "largest first",
        Order::OverTime => "over time",
    }
}
