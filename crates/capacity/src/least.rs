//! Least number of equal nodes on which a scheduler places every pod.

use scheduler::{Profile, Ties};

use crate::fleet::{Fleet, PlanError, ShapedNode};
use crate::load::Load;
use crate::trial::{self, Trial};

/// Number of placements after which the search no longer tries every number of nodes.
///
/// 10,000 pods are placed 25 times with it, and a list of 300 pods is tried on 800 numbers.
pub const PLACEMENTS: u64 = 250_000;

/// Answer of the search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Least {
    /// Every pod is placed on this number of new nodes.
    Nodes {
        /// Number of new nodes.
        nodes: usize,
        /// Whether every smaller number was tried in vain: more nodes can place fewer pods, so
        /// that a number is only known to be the least if all below it were tried.
        is_proven: bool,
    },
    /// As many new nodes as there are pods do not suffice.
    Never {
        /// First item that finds no node.
        item: usize,
        /// Message of the scheduler.
        message: String,
    },
}

/// Way to place a load: what is searched for the least number of nodes.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    /// Pods.
    pub load: &'a Load,
    /// Order in which they are placed.
    pub order: &'a [usize],
    /// Nodes that exist, to which new ones are added.
    pub base: Fleet<'a>,
    /// New nodes.
    pub shape: &'a ShapedNode<'a>,
    /// Configuration of the scheduler.
    pub profile: &'a Profile,
    /// Choice among equal nodes.
    pub ties: Ties,
}

impl Attempt<'_> {
    /// Returns the nodes of the plan with this number of new ones.
    pub fn fleet(&self, nodes: usize) -> Fleet<'_> {
        let mut fleet = self.base.clone();
        fleet.new.push((self.shape.clone(), nodes));
        fleet
    }

    /// Places the items on this number of new nodes.
    ///
    /// # Errors
    /// A spec that no API server accepts.
    pub fn place(&self, nodes: usize, stop_at_first: bool) -> Result<Trial, PlanError> {
        let (mut engine, classes) = self
            .fleet(nodes)
            .engine(self.load, self.profile, self.ties)?;
        Ok(trial::place(
            &mut engine,
            &classes,
            self.load,
            self.order,
            stop_at_first,
        ))
    }

    /// Returns the scheduler's message about the first item that this number of nodes leaves over,
    /// with that item; `None` if all are placed.
    ///
    /// # Errors
    /// A spec that no API server accepts.
    pub fn refusal(&self, nodes: usize) -> Result<Option<(usize, String)>, PlanError> {
        let (mut engine, classes) = self
            .fleet(nodes)
            .engine(self.load, self.profile, self.ties)?;
        let trial = trial::place(&mut engine, &classes, self.load, self.order, true);
        Ok(trial.first_left_over.map(|item| {
            let class = classes[self.load.items[item].kind];
            (item, engine.evaluate(class).message().unwrap_or_default())
        }))
    }

    /// Searches upwards from `lower`, below which no placement exists.
    ///
    /// # Errors
    /// A spec that no API server accepts.
    pub fn least(&self, lower: usize, placements: u64) -> Result<Least, PlanError> {
        let search = Search {
            lower,
            most: self.order.len().max(lower),
            each: self.order.len() as u64,
            placements,
        };
        let found = search.run(|nodes| Ok(self.place(nodes, true)?.first_left_over.is_none()))?;
        if let Some((nodes, is_proven)) = found {
            return Ok(Least::Nodes { nodes, is_proven });
        }
        let (item, message) = self.refusal(search.most)?.unwrap_or_default();
        Ok(Least::Never { item, message })
    }
}

/// Search for the least number of nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    /// Number below which no placement exists.
    pub lower: usize,
    /// Largest number that is tried.
    pub most: usize,
    /// Number of placements of one trial.
    pub each: u64,
    /// Number of placements after which not every number is tried.
    pub placements: u64,
}

impl Search {
    /// Returns the least number that suffices and whether all below it were tried in vain; `None`
    /// if the largest number does not suffice.
    ///
    /// The search first doubles its steps until a number suffices, then tries all numbers that it
    /// left out, if that takes no more than the placements, or else halves the last gap.
    pub fn run(
        &self,
        suffices: impl Fn(usize) -> Result<bool, PlanError>,
    ) -> Result<Option<(usize, bool)>, PlanError> {
        let mut tried = vec![self.lower];
        let mut enough = self.lower;
        let mut step = 1;
        while !suffices(enough)? {
            if enough >= self.most {
                return Ok(None);
            }
            enough = enough.saturating_add(step).min(self.most);
            step *= 2;
            tried.push(enough);
        }
        let between = (enough - self.lower) as u64;
        if between.saturating_mul(self.each) > self.placements {
            let failed = tried.iter().rev().nth(1).copied().unwrap_or(self.lower);
            let nodes = halve(failed, enough, suffices)?;
            return Ok(Some((nodes, nodes <= self.lower + 1)));
        }
        for nodes in self.lower..enough {
            if !tried.contains(&nodes) && suffices(nodes)? {
                return Ok(Some((nodes, true)));
            }
        }
        Ok(Some((enough, true)))
    }
}

/// Halves the gap between a number that does not suffice and one that does.
fn halve(
    mut failed: usize,
    mut enough: usize,
    suffices: impl Fn(usize) -> Result<bool, PlanError>,
) -> Result<usize, PlanError> {
    while enough - failed > 1 {
        let middle = failed + (enough - failed) / 2;
        if suffices(middle)? {
            enough = middle;
        } else {
            failed = middle;
        }
    }
    Ok(enough)
}
