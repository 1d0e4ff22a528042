//! Packings by simple rules.

use super::{Problem, fits, largest_first, shares};

/// Returns the best packing of several rules, all of which take the largest item first: into the
/// first bin with room, into the fullest one, into the one whose room is most like the item.
pub(super) fn best(problem: &Problem) -> Vec<usize> {
    let mut by_sum: Vec<_> = (0..problem.items.len()).collect();
    by_sum.sort_by_key(|item| {
        let sum = shares(&problem.items[*item], &problem.bin);
        std::cmp::Reverse(
            sum.iter()
                .fold(0_u64, |sum, share| sum.saturating_add(*share)),
        )
    });
    let orders = [largest_first(problem), by_sum];
    let rules = [Rule::First, Rule::Fullest, Rule::MostAlike];
    let packings = orders
        .iter()
        .flat_map(|order| rules.map(|rule| pack(problem, order, rule)));
    packings
        .min_by_key(|bins| super::count(bins))
        .unwrap_or_default()
}

#[derive(Debug, Clone, Copy)]
enum Rule {
    First,
    Fullest,
    MostAlike,
}

fn pack(problem: &Problem, order: &[usize], rule: Rule) -> Vec<usize> {
    let mut rooms: Vec<Vec<i64>> = Vec::new();
    let mut bins = vec![0; problem.items.len()];
    for &item in order {
        let size = &problem.items[item];
        let fitting = rooms
            .iter()
            .enumerate()
            .filter(|(_, room)| fits(size, room));
        let chosen = match rule {
            Rule::First => fitting.map(|(bin, _)| bin).next(),
            Rule::Fullest => fitting
                .min_by_key(|(_, room)| shares(room, &problem.bin).iter().sum::<u64>())
                .map(|(bin, _)| bin),
            Rule::MostAlike => fitting
                .max_by_key(|(bin, room)| (alike(size, room, &problem.bin), usize::MAX - bin))
                .map(|(bin, _)| bin),
        };
        let bin = chosen.unwrap_or(rooms.len());
        if bin == rooms.len() {
            rooms.push(problem.bin.clone());
        }
        for (room, size) in rooms[bin].iter_mut().zip(size) {
            *room -= size;
        }
        bins[item] = bin;
    }
    bins
}

/// Returns how alike an item and a room are: the cosine of their shares, in millionths squared.
fn alike(size: &[i64], room: &[i64], bin: &[i64]) -> u64 {
    let (size, room) = (shares(size, bin), shares(room, bin));
    let square = |of: &[u64]| {
        of.iter()
            .map(|share| u128::from(*share).pow(2))
            .sum::<u128>()
    };
    let product: u128 = size
        .iter()
        .zip(&room)
        .map(|(size, room)| u128::from(*size) * u128::from(*room))
        .sum();
    let lengths = square(&size).isqrt() * square(&room).isqrt();
    let cosine = (product * 1_000_000_000).checked_div(lengths).unwrap_or(0);
    u64::try_from(cosine).unwrap_or(u64::MAX)
}
