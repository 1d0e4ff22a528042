//! Division of a whole into parts that sum to it exactly.

use std::cmp::Reverse;

use crate::wide::mul_div;

/// Divides a whole by weights.
///
/// Each part is rounded down; the units that are left go one each to the parts with the largest
/// remainders, of equal ones to the first. Without a positive weight, every part is zero.
pub fn by_weight(whole: u128, weights: &[u128]) -> Vec<u128> {
    let total = weights
        .iter()
        .fold(0_u128, |sum, weight| sum.saturating_add(*weight));
    let shares: Option<Vec<_>> = weights
        .iter()
        .map(|weight| mul_div(whole, *weight, total))
        .collect();
    let Some(shares) = shares else {
        return vec![0; weights.len()];
    };
    let mut parts: Vec<_> = shares.iter().map(|(part, _)| *part).collect();
    let given: u128 = parts.iter().sum();
    let left = usize::try_from(whole.saturating_sub(given)).unwrap_or(usize::MAX);
    if left > 0 {
        let mut order: Vec<_> = (0..parts.len()).collect();
        // The order of equal remainders is that of the parts.
        order.sort_by_key(|&place| (Reverse(shares[place].1), place));
        for place in order.into_iter().take(left) {
            parts[place] += 1;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_that_are_left_go_to_the_largest_remainders() {
        assert_eq!(by_weight(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(by_weight(10, &[2, 3, 2]), [3, 4, 3]);
        assert_eq!(by_weight(7, &[0, 0]), [0, 0]);
        assert_eq!(by_weight(7, &[]), Vec::<u128>::new());
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole_and_no_part_is_a_unit_off(
            whole in 0..u128::MAX >> 1,
            weights in prop::collection::vec(0_u128..1 << 100, 1..30),
        ) {
            let parts = by_weight(whole, &weights);
            let total: u128 = weights.iter().sum();
            if total == 0 {
                prop_assert!(parts.iter().all(|part| *part == 0));
            } else {
                prop_assert_eq!(parts.iter().sum::<u128>(), whole);
                for (part, weight) in parts.iter().zip(&weights) {
                    let exact = mul_div(whole, *weight, total).unwrap().0;
                    prop_assert!(*part == exact || *part == exact + 1);
                }
            }
        }
    }
}
