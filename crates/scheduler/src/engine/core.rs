//! Placement of classes of equal pods by the resources of nodes and by fixed verdicts.

use crate::cluster;
use crate::scoring::Use;

use super::changes::Changes;
use super::class::{Best, Class, Fixed, FixedWeights};
use super::node::{Nodes, Requests};
use super::score::Scoring;

/// Nodes, classes and the log between them.
///
/// A placement changes one node and adds an entry to the log. A class replays the entries since
/// its last turn, so that each of its scores is computed once for each change of the node at
/// most, and only if the class has another pod to place.
#[derive(Debug)]
pub(super) struct Core {
    nodes: Nodes,
    changes: Changes,
    scoring: Scoring,
    weights: FixedWeights,
    classes: Vec<Class>,
    uses: Vec<Use>,
}

impl Core {
    /// Returns nodes without classes.
    pub(super) fn new(nodes: Nodes, scoring: Scoring, weights: FixedWeights) -> Self {
        Self {
            changes: Changes::new(nodes.len()),
            nodes,
            scoring,
            weights,
            classes: Vec::new(),
            uses: Vec::new(),
        }
    }

    /// Adds the class of pods that follows the others, with the verdicts on all nodes, of a
    /// cluster with this number of resources.
    pub(super) fn add_class(
        &mut self,
        class: &cluster::Class,
        fixed: &[Option<Fixed>],
        resources: usize,
    ) {
        self.nodes.add_resources(resources);
        let requests = Requests::of(class);
        self.classes
            .push(Class::new(requests, &self.scoring, fixed));
    }

    /// Returns the best nodes for a pod of a class; `None` if no node is feasible.
    pub(super) fn best(
        &mut self,
        class: usize,
        blocked: impl Fn(usize) -> bool,
        all: bool,
    ) -> Option<Best> {
        let weights = self.weights;
        self.update(class, blocked).best(weights, all)
    }

    /// Brings the scores of a class up to date. `blocked` tells of a node that it does not take
    /// the pods for a reason other than its resources.
    pub(super) fn update(&mut self, class: usize, blocked: impl Fn(usize) -> bool) -> &Class {
        let class = &mut self.classes[class];
        let uses = &mut self.uses;
        class.update(&self.nodes, &self.changes, &self.scoring, blocked, uses);
        class
    }

    /// Returns the weights of the plugins that normalise fixed verdicts.
    pub(super) fn weights(&self) -> FixedWeights {
        self.weights
    }

    /// Takes over that the pods of a node are others than before.
    pub(super) fn change(&mut self, number: usize, node: &cluster::NodeState) {
        self.nodes.refresh(number, node);
        self.changes.push(number);
    }
}
