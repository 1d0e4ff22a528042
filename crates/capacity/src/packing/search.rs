//! Search through all packings into a number of bins: finds one or proves that there is none.

use super::{Problem, fits, largest_first};

/// End of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Bin of each item.
    Packed(Vec<usize>),
    /// No packing exists.
    Impossible,
    /// The steps did not suffice to decide.
    OutOfSteps,
}

/// Searches for a packing and takes its steps from `left`.
///
/// Items are placed one after the other, the largest first. Of bins with equal room only one is
/// tried, an item that equals the one before it goes into the same bin or a later one, and a
/// branch ends when the bins that still take an item have less room than the items need.
pub(super) fn into(problem: &Problem, bins: usize, left: &mut u64) -> Outcome {
    let order = largest_first(problem);
    let items: Vec<&[i64]> = order.iter().map(|item| &problem.items[*item][..]).collect();
    let dimensions = problem.bin.len();
    // What the items from each place on need together, and the least of each dimension.
    let mut needs = vec![vec![0_i128; dimensions]; items.len() + 1];
    let mut least = vec![vec![i64::MAX; dimensions]; items.len() + 1];
    for place in (0..items.len()).rev() {
        for dimension in 0..dimensions {
            let size = items[place][dimension];
            needs[place][dimension] = needs[place + 1][dimension] + i128::from(size);
            least[place][dimension] = least[place + 1][dimension].min(size);
        }
    }
    let mut search = Search {
        items,
        needs,
        least,
        rooms: vec![problem.bin.clone(); bins],
        places: Vec::new(),
        left,
    };
    match search.place() {
        Some(true) => {
            let mut packed = vec![0; order.len()];
            for (item, bin) in order.iter().zip(&search.places) {
                packed[*item] = *bin;
            }
            Outcome::Packed(packed)
        }
        Some(false) => Outcome::Impossible,
        None => Outcome::OutOfSteps,
    }
}

struct Search<'a> {
    items: Vec<&'a [i64]>,
    needs: Vec<Vec<i128>>,
    least: Vec<Vec<i64>>,
    rooms: Vec<Vec<i64>>,
    places: Vec<usize>,
    left: &'a mut u64,
}

impl Search<'_> {
    /// Places the next item and all that follow; `None` if the steps are used up.
    ///
    /// The depth of the recursion is the number of items, which callers keep small.
    fn place(&mut self) -> Option<bool> {
        let place = self.places.len();
        let Some(&item) = self.items.get(place) else {
            return Some(true);
        };
        *self.left = self.left.checked_sub(1)?;
        if !self.has_room(place) {
            return Some(false);
        }
        let first = match place.checked_sub(1) {
            Some(before) if self.items[before] == item => self.places[before],
            _ => 0,
        };
        let mut candidates: Vec<usize> = (first..self.rooms.len())
            .filter(|bin| fits(item, &self.rooms[*bin]))
            .collect();
        candidates.sort_by(|one, other| self.rooms[*one].cmp(&self.rooms[*other]));
        candidates.dedup_by(|one, other| self.rooms[*one] == self.rooms[*other]);
        for bin in candidates {
            self.change(bin, item, -1);
            self.places.push(bin);
            let placed = self.place();
            if placed != Some(false) {
                return placed;
            }
            self.places.pop();
            self.change(bin, item, 1);
        }
        Some(false)
    }

    /// Returns whether the bins that take at least the least sizes have room for all that is
    /// left.
    fn has_room(&self, place: usize) -> bool {
        let mut room = vec![0_i128; self.needs[place].len()];
        for of_bin in &self.rooms {
            if fits(&self.least[place], of_bin) {
                for (sum, room) in room.iter_mut().zip(of_bin) {
                    *sum += i128::from(*room);
                }
            }
        }
        room.iter()
            .zip(&self.needs[place])
            .all(|(room, need)| room >= need)
    }

    fn change(&mut self, bin: usize, item: &[i64], sign: i64) {
        for (room, size) in self.rooms[bin].iter_mut().zip(item) {
            *room += sign * size;
        }
    }
}
