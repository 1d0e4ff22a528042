//! Where a pod's time through containerd goes, and how sure that is.

use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// How often the rounds are drawn anew.
const RESAMPLES: usize = 10_000;

/// The quantiles that a 95 % confidence interval reaches from and to.
const LOW: f64 = 0.025;
const HIGH: f64 = 0.975;

/// A pod's latency at each layer in one round, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundMs {
    /// With a sandboxer that does nothing.
    pub floor: f64,
    /// With the sandboxer.
    pub direct: f64,
    /// With the sandboxer behind containerd.
    pub containerd: f64,
}

/// What a part of a pod's time is spent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Carrying containerd's calls to a sandboxer and back: floor.
    Protocol,
    /// What the sandboxer does about them: direct - floor.
    Sandboxer,
    /// All the rest: containerd - direct.
    Containerd,
}

/// One part, with the interval that 95 % of the drawn rounds lie in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Which.
    pub part: Part,
    /// How much of a pod's latency, in milliseconds.
    pub ms: f64,
    /// The same as a share of the whole, from 0 to 1.
    pub share: f64,
    /// The lower end of the share's interval.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The parts of a pod's time, in milliseconds, from the medians over rounds.
fn parts(rounds: &[RoundMs]) -> [f64; 3] {
    let median_of = |of: fn(&RoundMs) -> f64| median(rounds.iter().map(of).collect());
    let floor = median_of(|round| round.floor);
    let direct = median_of(|round| round.direct);
    let containerd = median_of(|round| round.containerd);
    [floor, direct - floor, containerd - direct]
}

/// The parts, and why not to believe them, in words.
///
/// `rounds` must not be empty.
pub fn shares(rounds: &[RoundMs], seed: u64) -> ([Share; 3], Vec<String>) {
    let of_whole = |parts: [f64; 3]| {
        let whole: f64 = parts.iter().sum();
        parts.map(|part| part / whole)
    };
    let drawn: Vec<[f64; 3]> = resampled(rounds, seed).map(|r| parts(&r)).collect();
    let interval = |place: usize, of: &dyn Fn([f64; 3]) -> [f64; 3]| {
        let mut values: Vec<f64> = drawn.iter().map(|parts| of(*parts)[place]).collect();
        values.sort_by(f64::total_cmp);
        quantile(&values, LOW)..=quantile(&values, HIGH)
    };
    let ms = parts(rounds);
    let fractions = of_whole(ms);
    let part = |part: Part| {
        let place = part as usize;
        let within: RangeInclusive<f64> = interval(place, &of_whole);
        Share {
            part,
            ms: ms[place],
            share: fractions[place],
            low: *within.start(),
            high: *within.end(),
        }
    };
    let negative = [
        (Part::Sandboxer, "floor is slower than direct"),
        (Part::Containerd, "direct is slower than containerd"),
    ];
    let reasons = negative
        .into_iter()
        .filter(|(part, _)| *interval(*part as usize, &|parts| parts).end() < 0.0)
        .map(|(_, reason)| format!("{reason}, beyond noise"))
        .collect();
    let shares = [
        part(Part::Protocol),
        part(Part::Sandboxer),
        part(Part::Containerd),
    ];
    (shares, reasons)
}

/// Rounds drawn with replacement, as many as there are, again and again.
fn resampled(rounds: &[RoundMs], seed: u64) -> impl Iterator<Item = Vec<RoundMs>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let count = rounds.len();
    let mut draw = move || {
        let wide = u128::from(random.next_u64()) * count as u128;
        // Below `count`, as a random number below 2^64 was multiplied with it.
        usize::try_from(wide >> 64).unwrap_or_default()
    };
    (0..RESAMPLES).map(move |_| (0..count).map(|_| rounds[draw()]).collect())
}

/// The middle value, or the mean of the two in the middle; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

/// Between the sorted values to both sides of a place; 0 of none.
fn quantile(sorted: &[f64], place: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let at = place * last as f64;
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

    fn round(floor: f64, direct: f64, containerd: f64) -> RoundMs {
        RoundMs {
            floor,
            direct,
            containerd,
        }
    }

    #[test]
    fn parts_are_the_differences_of_medians() {
        let rounds = [
            round(1.0, 2.0, 10.0),
            round(1.5, 2.5, 20.0),
            // An outlier changes nothing.
            round(50.0, 60.0, 900.0),
        ];
        let (shares, reasons) = shares(&rounds, 1);
        assert_eq!(shares.map(|share| share.ms), [1.5, 1.0, 17.5]);
        assert_eq!(shares.map(|share| share.share), [0.075, 0.05, 0.875]);
        assert_eq!(reasons, Vec::<String>::new());
    }

    #[test]
    fn equal_rounds_leave_no_doubt() {
        let (shares, _) = shares(&[round(1.0, 2.0, 4.0); 5], 1);
        for share in shares {
            assert_eq!((share.low, share.high), (share.share, share.share));
        }
    }

    #[test]
    fn an_order_that_does_not_hold_is_noticed_beyond_noise_only() {
        let noisy = [round(1.0, 0.9, 9.0), round(1.0, 1.2, 9.0)];
        assert_eq!(shares(&noisy, 1).1, Vec::<String>::new());
        let wrong = [round(2.0, 1.0, 9.0), round(2.1, 1.1, 9.0)];
        assert_eq!(
            shares(&wrong, 1).1,
            ["floor is slower than direct, beyond noise"]
        );
        let wrong = [round(1.0, 9.0, 8.0), round(1.1, 9.1, 8.0)];
        assert_eq!(
            shares(&wrong, 1).1,
            ["direct is slower than containerd, beyond noise"]
        );
    }

    #[test]
    fn a_median_is_between_the_middle_two() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![]), 0.0);
    }

    proptest! {
        #[test]
        fn shares_sum_to_the_whole_and_lie_in_their_intervals(
            rounds in prop::collection::vec((0.1..9.0, 0.1..9.0, 10.0..99.0), 1..6),
            seed: u64,
        ) {
            let rounds: Vec<_> = rounds.into_iter().map(|(a, b, c)| round(a, b, c)).collect();
            let (shares, _) = shares(&rounds, seed);
            let sum: f64 = shares.iter().map(|share| share.share).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9);
            for share in shares {
                prop_assert!(share.low <= share.high);
                prop_assert!(share.low <= share.share + 1e-9);
                prop_assert!(share.share <= share.high + 1e-9);
            }
        }
    }
}
