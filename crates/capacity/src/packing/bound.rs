//! Numbers of bins below which no packing exists.

use super::Problem;

/// Returns a number of bins that every packing needs: the highest, over all dimensions, of the
/// sum bound and of the bounds by large items.
pub fn lower_bound(problem: &Problem) -> usize {
    let dimensions = 0..problem.bin.len();
    let bounds = dimensions.map(|dimension| {
        let sizes: Vec<_> = problem.items.iter().map(|item| item[dimension]).collect();
        of_sizes(&sizes, problem.bin[dimension])
    });
    let pairs = large_pairs(problem);
    bounds
        .max()
        .unwrap_or(0)
        .max(pairs)
        .max(usize::from(!problem.items.is_empty()))
}

/// Returns the highest, over all dimensions, of the sums of the sizes in bins, rounded up.
pub fn sum_bound(problem: &Problem) -> usize {
    let dimensions = 0..problem.bin.len();
    let bins = dimensions.map(|dimension| {
        let sizes = problem.items.iter().map(|item| i128::from(item[dimension]));
        let (sum, bin) = (sizes.sum::<i128>(), i128::from(problem.bin[dimension]));
        if bin <= 0 { 0 } else { (sum + bin - 1) / bin }
    });
    usize::try_from(bins.max().unwrap_or(0)).unwrap_or(usize::MAX)
}

/// Returns the bound by one dimension.
///
/// For every limit k up to half a bin: items larger than bin − k are alone, those above half a
/// bin have a bin each, and those from k on share the room that is left beside the latter
/// (the bound L2 of Martello and Toth, "Lower bounds and reduction procedures for the bin packing
/// problem", 1990).
fn of_sizes(sizes: &[i64], bin: i64) -> usize {
    if bin <= 0 {
        return 0;
    }
    let bin = i128::from(bin);
    let mut limits: Vec<_> = sizes.iter().map(|size| i128::from(*size)).collect();
    limits.retain(|size| 2 * size <= bin && *size >= 0);
    limits.push(0);
    limits.sort_unstable();
    limits.dedup();
    let bound = |limit: i128| {
        let (mut alone, mut halves, mut room, mut small) = (0_i128, 0_i128, 0_i128, 0_i128);
        for size in sizes.iter().map(|size| i128::from(*size)) {
            if size > bin - limit {
                alone += 1;
            } else if 2 * size > bin {
                halves += 1;
                room += bin - size;
            } else if size >= limit {
                small += size;
            }
        }
        let beyond = (small - room).max(0);
        alone + halves + (beyond + bin - 1) / bin
    };
    let step = limits.len().div_ceil(MOST_LIMITS).max(1);
    // The sum is the bound of limit 0, with which large items and small ones share bins.
    let best = limits
        .iter()
        .step_by(step)
        .map(|limit| bound(*limit))
        .max()
        .unwrap_or(0);
    usize::try_from(best).unwrap_or(usize::MAX)
}

/// Returns the number of items of which no two fit into one bin, found from the largest on.
fn large_pairs(problem: &Problem) -> usize {
    let together = |one: &[i64], other: &[i64]| {
        let mut sums = one.iter().zip(other).zip(&problem.bin);
        sums.all(|((one, other), bin)| one.saturating_add(*other) <= *bin)
    };
    let mut apart: Vec<&[i64]> = Vec::new();
    for item in super::largest_first(problem) {
        let item = &problem.items[item];
        if apart.len() < LARGEST_CLIQUE && apart.iter().all(|other| !together(item, other)) {
            apart.push(item);
        }
    }
    apart.len()
}

/// Limit of the number of items that are compared in pairs.
const LARGEST_CLIQUE: usize = 500;

/// Limit of the number of bounds of one dimension.
const MOST_LIMITS: usize = 200;
