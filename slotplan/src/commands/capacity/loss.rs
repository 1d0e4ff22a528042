//! What breaks if a node or a zone goes.

use capacity::{Loss, Together};
use scheduler::Engine;

/// Largest number of nodes whose losses are tried.
const MOST_NODES: usize = 5_000;

/// Losses of nodes and zones.
#[derive(Debug)]
pub struct Losses {
    /// Loss of each node; empty if there are too many.
    pub nodes: Vec<Loss>,
    /// Loss of each zone.
    pub zones: Vec<Loss>,
}

/// Tries the loss of each node and each zone.
pub fn losses(engine: &mut Engine) -> Losses {
    let nodes = engine.cluster().nodes().len();
    let nodes = if nodes <= MOST_NODES {
        capacity::losses(engine, Together::Node)
    } else {
        Vec::new()
    };
    Losses {
        nodes,
        zones: capacity::losses(engine, Together::Zone),
    }
}

/// Returns the losses with homeless pods, the worst first.
pub fn broken(losses: &[Loss]) -> Vec<&Loss> {
    let mut broken: Vec<_> = losses
        .iter()
        .filter(|loss| !loss.homeless.is_empty())
        .collect();
    broken.sort_by_key(|loss| std::cmp::Reverse(loss.homeless.len()));
    broken
}
