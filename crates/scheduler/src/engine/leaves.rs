//! Scores of many nodes, of which the first highest is found without looking at all of them.

/// Number of scores that share one entry of the upper level.
const BLOCK: usize = 64;

/// Scores by place, with the highest of every block of 64.
///
/// A tree of two levels: 10,000 scores have 157 blocks, so that a search reads 221 numbers that
/// lie side by side, and a change reads 64 at most. A score is kept as a rank: 0 for a node that
/// the pods do not fit, else the score and 1.
#[derive(Debug, Clone)]
pub(super) struct Leaves {
    ranks: Vec<u32>,
    highest: Vec<u32>,
}

impl Leaves {
    /// Returns the scores of this number of nodes, none of which fits.
    pub(super) fn new(nodes: usize) -> Self {
        Self {
            ranks: vec![0; nodes],
            highest: vec![0; nodes.div_ceil(BLOCK)],
        }
    }

    /// Changes the rank at a place.
    pub(super) fn set(&mut self, place: usize, rank: u32) {
        let Some(present) = self.ranks.get_mut(place) else {
            return;
        };
        let before = std::mem::replace(present, rank);
        let block = place / BLOCK;
        let Some(highest) = self.highest.get_mut(block) else {
            return;
        };
        if rank >= *highest {
            *highest = rank;
        } else if before == *highest {
            let start = block * BLOCK;
            let end = self.ranks.len().min(start + BLOCK);
            *highest = self.ranks[start..end].iter().copied().max().unwrap_or(0);
        }
    }

    /// Returns the highest rank; 0 if no node fits.
    pub(super) fn highest(&self) -> u32 {
        self.highest.iter().copied().max().unwrap_or(0)
    }

    /// Returns the first place with this rank.
    pub(super) fn first(&self, rank: u32) -> Option<usize> {
        self.places(rank).next()
    }

    /// Returns the places with this rank, which is the highest one, in ascending order.
    pub(super) fn places(&self, rank: u32) -> impl Iterator<Item = usize> {
        let blocks = self.highest.iter().enumerate();
        let blocks = blocks.filter(move |(_, highest)| **highest == rank);
        blocks.flat_map(move |(block, _)| {
            let start = block * BLOCK;
            let of_block = self.ranks[start..].iter().take(BLOCK).enumerate();
            of_block
                .filter(move |(_, of_node)| **of_node == rank)
                .map(move |(offset, _)| start + offset)
        })
    }

    /// Returns all ranks.
    pub(super) fn ranks(&self) -> &[u32] {
        &self.ranks
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_highest_is_that_of_a_scan(
            nodes in 1_usize..300,
            changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u32..6), 0..200),
        ) {
            let (mut leaves, mut plain) = (Leaves::new(nodes), vec![0; nodes]);
            for (place, rank) in changes {
                let place = place.index(nodes);
                leaves.set(place, rank);
                plain[place] = rank;
                let highest = plain.iter().copied().max().unwrap_or(0);
                prop_assert_eq!(leaves.highest(), highest);
                let places: Vec<_> = (0..nodes).filter(|&at| plain[at] == highest).collect();
                prop_assert_eq!(leaves.first(highest), places.first().copied());
                prop_assert_eq!(leaves.places(highest).collect::<Vec<_>>(), places);
            }
        }
    }
}
