//! Division of a pod's time through containerd into parts, with confidence intervals.

use serde::{Deserialize, Serialize};

use crate::stats::{Bootstrap, CONFIDENCE, median};

/// Latency of a pod at each layer in one round, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundMs {
    /// On a sandboxer that does nothing.
    pub floor: f64,
    /// On the sandboxer.
    pub direct: f64,
    /// On the sandboxer, over CRI.
    pub cri: f64,
    /// Through containerd on the sandboxer.
    pub containerd: f64,
}

/// Part of a pod's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Transport of containerd's calls to a sandboxer and back: floor.
    Protocol,
    /// Work of the sandboxer for these calls: direct - floor.
    Sandboxer,
    /// The rest: containerd - direct.
    Containerd,
}

/// Share of a part, with its 95 % confidence interval over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The part.
    pub part: Part,
    /// Time in a pod's latency, in milliseconds.
    pub ms: f64,
    /// Share of the whole latency, from 0 to 1.
    pub share: f64,
    /// Lower end of the share's interval.
    pub low: f64,
    /// Upper end of the share's interval.
    pub high: f64,
}

/// Cost of containerd: the same CRI calls through it, compared with direct calls to
/// the sandboxer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ContainerdCost {
    /// Latency of a pod over CRI directly to the sandboxer, in milliseconds.
    pub cri_ms: f64,
    /// Additional latency through containerd, in milliseconds.
    pub ms: f64,
    /// Additional latency as a share of a pod's latency through containerd.
    pub share: f64,
    /// Lower end of the share's 95 % confidence interval over the rounds.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Returns the cost of containerd from the medians over rounds, and the reason
/// against its validity, if any.
///
/// `rounds` must not be empty.
pub fn containerd_cost(rounds: &[RoundMs], seed: u64) -> (ContainerdCost, Option<String>) {
    let parts = |rounds: &[RoundMs]| {
        let cri = median(rounds.iter().map(|round| round.cri).collect());
        let containerd = median(rounds.iter().map(|round| round.containerd).collect());
        [cri, containerd - cri]
    };
    let share = |[cri, rest]: [f64; 2]| rest / (cri + rest);
    let bootstrap = Bootstrap::single(seed);
    let drawn: Vec<f64> = bootstrap
        .values(rounds, parts)
        .into_iter()
        .map(share)
        .collect();
    let [cri_ms, ms] = parts(rounds);
    let found = share([cri_ms, ms]);
    let within = bootstrap.interval(found, &drawn, rounds.len(), CONFIDENCE);
    let cost = ContainerdCost {
        cri_ms,
        ms,
        share: found,
        low: within.low,
        high: within.high,
    };
    let reason = "CRI direct is slower than containerd, beyond noise";
    (cost, (within.high < 0.0).then(|| reason.to_owned()))
}

/// Returns the parts of a pod's time, in milliseconds, from the medians over rounds.
fn parts(rounds: &[RoundMs]) -> [f64; 3] {
    let median_of = |of: fn(&RoundMs) -> f64| median(rounds.iter().map(of).collect());
    let floor = median_of(|round| round.floor);
    let direct = median_of(|round| round.direct);
    let containerd = median_of(|round| round.containerd);
    [floor, direct - floor, containerd - direct]
}

/// Returns the shares of the parts, and reasons against their validity, in words.
///
/// `rounds` must not be empty.
pub fn shares(rounds: &[RoundMs], seed: u64) -> ([Share; 3], Vec<String>) {
    let of_whole = |parts: [f64; 3]| {
        let whole: f64 = parts.iter().sum();
        parts.map(|part| part / whole)
    };
    let bootstrap = Bootstrap::single(seed);
    let drawn: Vec<[f64; 3]> = bootstrap.values(rounds, parts);
    let ms = parts(rounds);
    let interval = |place: usize, of: &dyn Fn([f64; 3]) -> [f64; 3]| {
        let values: Vec<f64> = drawn.iter().map(|parts| of(*parts)[place]).collect();
        bootstrap.interval(of(ms)[place], &values, rounds.len(), CONFIDENCE)
    };
    let fractions = of_whole(ms);
    let part = |part: Part| {
        let place = part as usize;
        let within = interval(place, &of_whole);
        Share {
            part,
            ms: ms[place],
            share: fractions[place],
            low: within.low,
            high: within.high,
        }
    };
    let negative = [
        (Part::Sandboxer, "floor is slower than direct"),
        (Part::Containerd, "direct is slower than containerd"),
    ];
    let reasons = negative
        .into_iter()
        .filter(|(part, _)| interval(*part as usize, &|parts| parts).high < 0.0)
        .map(|(_, reason)| format!("{reason}, beyond noise"))
        .collect();
    let shares = [
        part(Part::Protocol),
        part(Part::Sandboxer),
        part(Part::Containerd),
    ];
    (shares, reasons)
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
            cri: direct,
            containerd,
        }
    }

    #[test]
    fn the_cost_of_containerd_is_the_difference_of_latencies_over_cri() {
        let rounds = [
            round(1.0, 2.0, 8.0),
            round(1.0, 2.0, 8.0),
            round(1.0, 9.0, 90.0),
        ];
        let (cost, reason) = containerd_cost(&rounds, 1);
        assert_eq!((cost.cri_ms, cost.ms, cost.share), (2.0, 6.0, 0.75));
        assert!(cost.low <= 0.75 && 0.75 <= cost.high);
        assert_eq!(reason, None);
        let (cost, reason) = containerd_cost(&[round(1.0, 8.0, 4.0); 3], 1);
        assert_eq!((cost.ms, cost.share), (-4.0, -1.0));
        assert_eq!(
            reason.as_deref(),
            Some("CRI direct is slower than containerd, beyond noise")
        );
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
    fn equal_rounds_have_intervals_of_no_width() {
        let (shares, _) = shares(&[round(1.0, 2.0, 4.0); 5], 1);
        for share in shares {
            assert_eq!((share.low, share.high), (share.share, share.share));
        }
    }

    #[test]
    fn a_wrong_order_of_layers_is_reported_only_beyond_noise() {
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
