//! Verdicts with some nodes left out.

use crate::evaluation::Evaluation;

impl Evaluation {
    /// Returns the verdicts on the other nodes, as if these did not exist. The numbers of nodes
    /// stay.
    #[must_use]
    pub fn without(mut self, nodes: &[usize]) -> Self {
        let is_left = |node: &usize| !nodes.contains(node);
        let kept = self.feasible.iter().map(is_left);
        let kept: Vec<_> = kept.collect();
        let mut of_scores = kept.iter();
        self.scores
            .retain(|_| of_scores.next().copied().unwrap_or(false));
        self.feasible.retain(is_left);
        self.rejected.retain(|(node, _)| is_left(node));
        self.nodes = self.nodes.saturating_sub(nodes.len());
        self
    }
}
