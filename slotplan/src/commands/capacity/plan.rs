//! Computation of a plan for each shape of node.

use std::collections::BTreeSet;

use capacity::packing::{self, Packing};
use capacity::{Attempt, Least, Load, Peak, Room, Shape, ShapedNode, Trial};
use inventory::{Inventory, Pod};
use scheduler::timeline::Timeline;
use scheduler::{Cluster, Engine, Plugin, Profile, Strategy};

use super::CapacityArgs;
use super::loss::{self, Losses};
use super::mixture::{self, Mixture};
use super::present::Present;

/// Number of pods up to which a packing is searched for its proof, and the steps of that search.
const SMALL: (usize, u64) = (400, 5_000_000);
/// Steps of the search for more pods: bounds and simple rules alone.
const FEW_STEPS: u64 = 0;
/// Number of pods that arrive and depart up to which all of them together are planned, too.
const MOST_AT_ONCE: usize = 50_000;
/// Number of numbers of nodes for which the pods that are left over are listed.
const MOST_LEFT_OVER: usize = 64;

/// What a plan is made of.
pub struct Planner<'a> {
    pub args: &'a CapacityArgs,
    pub inventory: &'a Inventory,
    /// Pods that need a node.
    pub pods: &'a [Pod],
    pub load: &'a Load,
    pub present: &'a Present<'a>,
}

/// Order in which pods are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    AsListed,
    LargestFirst,
    /// When they arrive.
    OverTime,
}

/// Least number of nodes by one strategy and one order.
#[derive(Debug, Clone)]
pub struct Way {
    pub strategy: Strategy,
    pub order: Order,
    pub least: Least,
    /// Number of pods without a node on 1, 2, ... nodes; absent if that takes long.
    pub left_over: Option<Vec<usize>>,
}

impl Way {
    /// Returns the number of nodes; `None` if no number suffices.
    pub fn nodes(&self) -> Option<usize> {
        match self.least {
            Least::Nodes { nodes, .. } => Some(nodes),
            Least::Never { .. } => None,
        }
    }
}

/// Pod that fits on no node of a shape.
#[derive(Debug, Clone)]
pub struct Refused {
    pub kind: usize,
    pub pods: usize,
    /// First of the pods, by its place among those that need a node.
    pub first: usize,
    pub message: String,
}

/// Plan for one shape.
pub struct Planned<'a> {
    pub shape: &'a Shape,
    pub node: ShapedNode<'a>,
    pub refused: Vec<Refused>,
    /// Items that the shape takes.
    pub load: Load,
    pub sum_bound: usize,
    /// Absent if a pod fits on no node even alone beside the daemons.
    pub packing: Option<Packing>,
    pub ways: Vec<Way>,
    pub peak: Option<Peak>,
    /// Placement on the answer's number of nodes.
    pub placed: Option<Placed>,
}

/// Placement on a number of nodes.
pub struct Placed {
    pub nodes: usize,
    pub engine: Engine,
    pub trial: Trial,
    pub losses: Losses,
    pub more: Option<(usize, Room)>,
    pub timeline: Option<Timeline>,
}

/// All plans.
pub struct Plans<'a> {
    pub shapes: Vec<Planned<'a>>,
    pub mixture: Option<Mixture>,
}

impl<'a> Planner<'a> {
    /// Plans for each shape, and for their mixture if all have a price.
    pub fn plan(&self) -> anyhow::Result<Plans<'a>> {
        let shapes: Vec<_> = self
            .args
            .node
            .iter()
            .map(|shape| self.shape(shape))
            .collect::<anyhow::Result<_>>()?;
        let mixture = mixture::mixture(self, &shapes)?;
        Ok(Plans { shapes, mixture })
    }

    /// Returns whether the answer is that of pods that arrive and depart.
    pub fn is_over_time(&self) -> bool {
        self.present.is_empty() && self.load.has_times()
    }

    fn shape(&self, shape: &'a Shape) -> anyhow::Result<Planned<'a>> {
        let profile = self.args.scheduler.profile();
        let node = ShapedNode::new(shape, self.load, &profile)?;
        let refused = self.refused(&node, &profile)?;
        let dropped: BTreeSet<usize> = refused.iter().map(|refused| refused.kind).collect();
        let mut load = self.load.clone();
        load.items.retain(|item| !dropped.contains(&item.kind));
        let order = load.in_order();
        let left = node.left(&load);
        let problem = load.problem(&order, &left, &[]);
        let steps = if order.len() <= SMALL.0 {
            SMALL.1
        } else {
            FEW_STEPS
        };
        let mut planned = Planned {
            shape,
            node,
            refused,
            sum_bound: packing::sum_bound(&problem),
            packing: packing::pack(&problem, steps),
            ways: Vec::new(),
            peak: self.is_over_time().then(|| {
                let all: Vec<usize> = (0..load.items.len()).collect();
                capacity::peak(&load, &load.problem(&all, &left, &[]))
            }),
            placed: None,
            load,
        };
        let lower = if self.present.is_empty() {
            packing::lower_bound(&problem)
        } else {
            0
        };
        planned.ways = self.ways(&planned, &order, lower)?;
        planned.placed = self.placed(&planned, &profile)?;
        Ok(planned)
    }

    fn ways(
        &self,
        planned: &Planned<'_>,
        order: &[usize],
        lower: usize,
    ) -> anyhow::Result<Vec<Way>> {
        let load = &planned.load;
        let largest_first = load.largest_first(&planned.shape.allocatable);
        let mut strategies = vec![self.args.scheduler.profile().strategy];
        for strategy in [Strategy::LeastAllocated, Strategy::MostAllocated] {
            if !strategies.contains(&strategy) {
                strategies.push(strategy);
            }
        }
        let placements = if self.args.exhaustive {
            u64::MAX
        } else {
            capacity::PLACEMENTS
        };
        let mut ways = Vec::new();
        for strategy in strategies {
            let profile = Profile {
                strategy: strategy.clone(),
                ..self.args.scheduler.profile()
            };
            let attempt = |order| self.attempt(planned, order, &profile);
            let mut add = |order, least, left_over| {
                ways.push(Way {
                    strategy: strategy.clone(),
                    order,
                    least,
                    left_over,
                });
            };
            if let Some(peak) = planned.peak {
                let least = attempt(order).least_over_time(peak.nodes, placements)?;
                add(Order::OverTime, least, None);
                if load.items.len() > MOST_AT_ONCE {
                    continue;
                }
            }
            for (name, order) in [
                (Order::AsListed, order),
                (Order::LargestFirst, &largest_first[..]),
            ] {
                let least = attempt(order).least(lower, placements)?;
                let left_over = self.left_over(&attempt(order), &least)?;
                add(name, least, left_over);
            }
        }
        Ok(ways)
    }

    fn attempt<'b>(
        &'b self,
        planned: &'b Planned<'_>,
        order: &'b [usize],
        profile: &'b Profile,
    ) -> Attempt<'b> {
        Attempt {
            load: &planned.load,
            order,
            base: self.present.fleet(),
            shape: &planned.node,
            profile,
            ties: self.args.scheduler.ties.0,
        }
    }

    /// Counts the pods that fewer nodes leave over, for small plans.
    fn left_over(
        &self,
        attempt: &Attempt<'_>,
        least: &Least,
    ) -> anyhow::Result<Option<Vec<usize>>> {
        let Least::Nodes { nodes, .. } = *least else {
            return Ok(None);
        };
        if nodes > MOST_LEFT_OVER || attempt.order.len() > SMALL.0 || !self.present.is_empty() {
            return Ok(None);
        }
        let mut left_over = Vec::new();
        for fewer in 1..nodes {
            left_over.push(attempt.place(fewer, false)?.left_over);
        }
        Ok(Some(left_over))
    }

    /// Places the pods on the number of nodes of the answer, or on the most that are allowed.
    fn placed(&self, planned: &Planned<'_>, profile: &Profile) -> anyhow::Result<Option<Placed>> {
        let Some(nodes) = planned.ways.first().and_then(Way::nodes) else {
            return Ok(None);
        };
        let nodes = self.args.max_nodes.map_or(nodes, |most| nodes.min(most));
        let load = &planned.load;
        let order = load.in_order();
        let attempt = self.attempt(planned, &order, profile);
        let timeline = match planned.peak {
            Some(_) => Some(attempt.over_time(nodes, self.args.intervals.into(), false)?),
            None => None,
        };
        let ties = self.args.scheduler.ties.0;
        let (mut engine, classes) = attempt.fleet(nodes).engine(load, profile, ties)?;
        let at_peak = planned.peak.and_then(|peak| peak.at);
        let trial = match &timeline {
            Some(timeline) => capacity::place_as_at(&mut engine, &classes, load, timeline, at_peak),
            None => capacity::place(&mut engine, &classes, load, &order, false),
        };
        let losses = loss::losses(&mut engine);
        let more = self.kind_of_more(load)?.map(|kind| {
            let room = capacity::room(&mut engine, classes[kind], MOST_MORE);
            (kind, room)
        });
        Ok(Some(Placed {
            nodes,
            engine,
            trial,
            losses,
            more,
            timeline,
        }))
    }

    /// Returns the kind of which more pods are counted.
    fn kind_of_more(&self, load: &Load) -> anyhow::Result<Option<usize>> {
        if let Some(name) = &self.args.more {
            let kind = load.kinds.iter().position(|kind| *kind.name == **name);
            let found = kind.or_else(|| {
                let mut items = load.items.iter();
                let item = items.find(|item| *self.pods[item.pod].name == **name)?;
                Some(item.kind)
            });
            anyhow::ensure!(
                found.is_some(),
                "no pod or workload is called {name} (--more)"
            );
            return Ok(found);
        }
        let mut counts = vec![0_usize; load.kinds.len()];
        for item in &load.items {
            counts[item.kind] += 1;
        }
        let most = counts
            .iter()
            .enumerate()
            .rev()
            .max_by_key(|(_, count)| **count);
        Ok(most.filter(|(_, count)| **count > 0).map(|(kind, _)| kind))
    }

    /// Finds the kinds that an empty node of a shape refuses by its amounts, labels or taints, and
    /// that no node of the input takes either.
    fn refused(&self, node: &ShapedNode<'_>, profile: &Profile) -> anyhow::Result<Vec<Refused>> {
        let mut fleet = self.present.fleet();
        fleet.new.push((node.clone(), 1));
        let ties = self.args.scheduler.ties.0;
        let (engine, classes) = fleet.engine(self.load, profile, ties)?;
        let mut refused = Vec::new();
        for (kind, class) in classes.iter().enumerate() {
            let evaluation = engine.evaluate(*class);
            let may_fit = |plugin: Plugin| {
                matches!(plugin, Plugin::PodTopologySpread | Plugin::InterPodAffinity)
            };
            let is_refused = evaluation.feasible().is_empty()
                && !evaluation
                    .rejected()
                    .iter()
                    .any(|(_, rejection)| may_fit(rejection.plugin));
            let mut items = self.load.items.iter().filter(|item| item.kind == kind);
            if let Some(first) = items.next().filter(|_| is_refused) {
                refused.push(Refused {
                    kind,
                    pods: 1 + items.count(),
                    first: first.pod,
                    message: evaluation.message().unwrap_or_default(),
                });
            }
        }
        Ok(refused)
    }
}

/// Limit of the number of further pods that are counted.
const MOST_MORE: usize = 1_000_000;

/// Returns the shares of CPU and memory of all nodes that pods request, in thousandths.
pub fn requested(cluster: &Cluster) -> [i64; 2] {
    use scheduler::{NodeState, ResourceIndex};
    let sum = |amount: fn(&NodeState, ResourceIndex) -> i64, resource| -> i128 {
        let nodes = cluster.nodes().iter();
        nodes.map(|node| i128::from(amount(node, resource))).sum()
    };
    [ResourceIndex::CPU, ResourceIndex::MEMORY].map(|resource| {
        let requested = sum(NodeState::requested, resource).saturating_mul(1000);
        let share = requested.checked_div(sum(NodeState::allocatable, resource));
        i64::try_from(share.unwrap_or(0)).unwrap_or(i64::MAX)
    })
}
