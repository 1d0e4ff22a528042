//! Packing of vectors into the least number of equal bins: bounds, heuristics and a search with
//! proof.
//!
//! The search counts steps, not seconds, so that its answer is the same on every machine.

mod bound;
mod greedy;
mod improve;
mod search;

pub use bound::{lower_bound, sum_bound};

/// Sizes of items and of a bin, by dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Size of a bin in each dimension.
    pub bin: Vec<i64>,
    /// Size of each item, none negative, in as many dimensions.
    pub items: Vec<Vec<i64>>,
}

/// Least number of bins, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packing {
    /// Number of bins below which no packing exists.
    pub lower: usize,
    /// Bin of each item in the best packing that was found.
    pub bins: Vec<usize>,
    /// Number of bins of that packing.
    pub upper: usize,
}

impl Packing {
    /// Returns the least number of bins if it is proven.
    pub fn optimum(&self) -> Option<usize> {
        (self.lower == self.upper).then_some(self.upper)
    }
}

/// Packs items into equal bins with at most this number of steps of the search; `None` if an
/// item is larger than a bin.
pub fn pack(problem: &Problem, steps: u64) -> Option<Packing> {
    if problem.items.iter().any(|item| !fits(item, &problem.bin)) {
        return None;
    }
    let mut lower = lower_bound(problem);
    let mut bins = greedy::best(problem);
    let mut upper = count(&bins);
    let mut left = steps;
    while lower < upper && left > 0 {
        let target = upper - 1;
        if let Some(better) = improve::into(problem, target, left.min(steps / 4 + 1)) {
            bins = better;
            upper = count(&bins);
            continue;
        }
        match search::into(problem, target, &mut left) {
            search::Outcome::Packed(better) => {
                bins = better;
                upper = count(&bins);
            }
            search::Outcome::Impossible => lower = upper,
            search::Outcome::OutOfSteps => break,
        }
    }
    Some(Packing { lower, bins, upper })
}

fn count(bins: &[usize]) -> usize {
    bins.iter().max().map_or(0, |last| last + 1)
}

/// Returns whether an item is no larger than the room in any dimension.
fn fits(item: &[i64], room: &[i64]) -> bool {
    item.iter().zip(room).all(|(size, room)| size <= room)
}

/// Returns the shares of a bin that an item takes, in millionths.
fn shares(item: &[i64], bin: &[i64]) -> Vec<u64> {
    let share = |(&size, &bin): (&i64, &i64)| {
        let share = i128::from(size.max(0)) * 1_000_000 / i128::from(bin.max(1));
        u64::try_from(share).unwrap_or(u64::MAX)
    };
    item.iter().zip(bin).map(share).collect()
}

/// Returns the items by size, the largest first: by the largest share, then by the sum.
fn largest_first(problem: &Problem) -> Vec<usize> {
    let size = |item: &usize| {
        let shares = shares(&problem.items[*item], &problem.bin);
        let largest = shares.iter().copied().max().unwrap_or(0);
        let sum = shares
            .iter()
            .fold(0_u64, |sum, share| sum.saturating_add(*share));
        (largest, sum)
    };
    let mut order: Vec<_> = (0..problem.items.len()).collect();
    order.sort_by_key(|item| {
        let (largest, sum) = size(item);
        (
            std::cmp::Reverse(largest),
            std::cmp::Reverse(sum),
            problem.items[*item].clone(),
        )
    });
    order
}

#[cfg(test)]
mod tests;
