//! Log of changed nodes, which each class replays when it is next asked for.

/// Nodes in the order of their changes.
///
/// The log keeps a bounded number of changes: a class that is behind by more looks at all nodes.
#[derive(Debug)]
pub(super) struct Changes {
    nodes: Vec<u32>,
    /// Position of the first entry of `nodes`.
    start: u64,
    /// Position of the last change of each node.
    last: Vec<u64>,
}

/// Smallest number of changes that are kept.
const KEPT: usize = 1024;

impl Changes {
    /// Returns the log of this number of nodes.
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            nodes: Vec::new(),
            start: 0,
            last: vec![0; nodes],
        }
    }

    /// Returns the position of the next change.
    pub(super) fn end(&self) -> u64 {
        self.start + self.nodes.len() as u64
    }

    /// Adds a change of a node.
    pub(super) fn push(&mut self, node: usize) {
        let limit = 2 * self.last.len().max(KEPT);
        if self.nodes.len() >= limit {
            let half = limit / 2;
            self.nodes.drain(..half);
            self.start += half as u64;
        }
        if let (Some(last), Ok(number)) = (self.last.get_mut(node), u32::try_from(node)) {
            *last = self.start + self.nodes.len() as u64;
            self.nodes.push(number);
        }
    }

    /// Returns the nodes that changed from a position on, each once; `None` if looking at all
    /// nodes is less work, or the log does not reach back that far.
    pub(super) fn since(&self, position: u64) -> Option<impl Iterator<Item = usize>> {
        let skipped = usize::try_from(position.checked_sub(self.start)?).ok()?;
        let changed = self.nodes.get(skipped..)?;
        if changed.len() > self.last.len() {
            return None;
        }
        let positions = changed.iter().zip(position..);
        Some(positions.filter_map(|(&node, at)| {
            let node = node as usize;
            (self.last.get(node) == Some(&at)).then_some(node)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_changed_node_is_listed_once() {
        let mut log = Changes::new(10);
        for node in [3, 4, 3, 5] {
            log.push(node);
        }
        let since = |position| Some(log.since(position)?.collect::<Vec<_>>());
        assert_eq!(since(0), Some(vec![4, 3, 5]));
        assert_eq!(since(3), Some(vec![5]));
        assert_eq!(since(4), Some(vec![]));
        assert_eq!(since(5), None);
    }

    #[test]
    fn a_reader_that_is_far_behind_looks_at_all_nodes() {
        let mut log = Changes::new(2);
        for change in 0..10_000 {
            log.push(change % 2);
        }
        assert!(log.since(0).is_none());
        assert!(log.since(9_990).is_none(), "more changes than nodes");
        assert_eq!(log.since(9_998).map(Iterator::count), Some(2));
        assert_eq!(log.end(), 10_000);
    }
}
