//! Mean, median and quantiles.

/// Returns the arithmetic mean; 0 without values.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the middle value, or the mean of the middle two; 0 without values.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

/// Interpolates linearly between the neighbours of a place from 0 to 1 in sorted
/// values; 0 without values.
///
/// Definition 7 of Hyndman and Fan, Sample Quantiles in Statistical Packages (1996),
/// also the default of R and NumPy.
pub fn quantile(sorted: &[f64], place: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let at = place.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "from 0 to the last place"
    )]
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * at.fract()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "halves and quarters are exact")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_median_is_between_the_middle_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![]), 0.0);
    }

    #[test]
    fn a_quantile_is_between_its_neighbours() {
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        for (place, value) in [(0.0, 1.0), (0.125, 1.5), (0.25, 2.0), (1.0, 16.0)] {
            assert_eq!(quantile(&sorted, place), value);
        }
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!(quantile(&sorted, 7.0), 16.0);
    }

    #[test]
    fn a_mean_is_the_sum_by_the_number() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]), 3.0);
        assert_eq!(mean(&[]), 0.0);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_the_values_and_in_order(
            mut values in prop::collection::vec(-1e6..1e6, 1..40),
            low in 0.0..1.0,
            high in 0.0..1.0,
        ) {
            values.sort_by(f64::total_cmp);
            let (low, high) = (f64::min(low, high), f64::max(low, high));
            let (first, last) = (values[0], values[values.len() - 1]);
            let (a, b) = (quantile(&values, low), quantile(&values, high));
            prop_assert!(first <= a && a <= b && b <= last);
        }
    }
}
