//! Tails of the binomial distribution, for tests of a quantile.
//!
//! Of `n` independent values, the number beyond the quantile `q` of their distribution is
//! binomial with `n` trials of probability `1 - q`, whatever the distribution is. So a limit
//! lies above the quantile, with confidence, if so few values as were found beyond it are
//! improbable. This is the interval between two order statistics (W. J. Conover, "Practical
//! Nonparametric Statistics", 3rd edition, section 3.2; H. A. David and H. N. Nagaraja,
//! "Order Statistics", 3rd edition, section 7.1), and for the share of values that of Clopper
//! and Pearson (Biometrika 26, 1934).

use statrs::distribution::{Binomial, DiscreteCDF};

use super::CONFIDENCE;

/// Error probability of each side of a two-sided interval.
const SIDE: f64 = (1.0 - CONFIDENCE) / 2.0;

/// Largest number of values that [`needed`] returns.
const MOST: u64 = 10_000_000;

/// Position of a probability relative to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The probability is below the limit.
    Below,
    /// The probability is above the limit.
    Above,
    /// The confidence interval contains the limit.
    Undecided,
}

/// Returns the probability of at most `k` successes in `n` trials of probability `p`.
pub fn at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    Binomial::new(p, n).map_or(1.0, |binomial| binomial.cdf(k))
}

/// Returns the probability of at least `k` successes in `n` trials of probability `p`.
pub fn at_least(k: u64, n: u64, p: f64) -> f64 {
    match k {
        0 => 1.0,
        k if k > n => 0.0,
        k => Binomial::new(p, n).map_or(1.0, |binomial| binomial.sf(k - 1)),
    }
}

/// Returns on which side of `limit` the probability of a success lies, with [`CONFIDENCE`],
/// after `k` successes in `n` independent trials.
pub fn side(k: u64, n: u64, limit: f64) -> Side {
    if at_most(k, n, limit) <= SIDE {
        Side::Below
    } else if at_least(k, n, limit) <= SIDE {
        Side::Above
    } else {
        Side::Undecided
    }
}

/// Returns a number of trials at which the share of successes so far decides the side of
/// `limit`, from `n` on and to within a tenth; `None` beyond ten million.
///
/// Without successes it is the least number that can decide: 368 for a limit of 1 %.
pub fn needed(k: u64, n: u64, limit: f64) -> Option<u64> {
    if k == 0 {
        let least = (SIDE.ln() / (-limit).ln_1p()).ceil();
        return (least.is_finite() && least <= MOST as f64).then(|| whole(least).max(n));
    }
    let share = k as f64 / n.max(1) as f64;
    let mut trials = n.max(1);
    while trials <= MOST {
        if side(whole((share * trials as f64).round()), trials, limit) != Side::Undecided {
            return Some(trials);
        }
        trials += trials / 10 + 1;
    }
    None
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers pass whole numbers up to ten million"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::noise::Random;

    #[test]
    fn tails_are_those_of_the_distribution() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        close(at_most(0, 10, 0.5), 1.0 / 1024.0);
        close(at_most(1, 10, 0.5), 11.0 / 1024.0);
        close(at_least(10, 10, 0.5), 1.0 / 1024.0);
        close(at_least(9, 10, 0.5), 11.0 / 1024.0);
        close(at_most(10, 10, 0.5), 1.0);
        close(at_least(0, 0, 0.5), 1.0);
    }

    #[test]
    fn the_least_numbers_are_known() {
        // The share of at least one in n beyond the quantile: 1 - q^n >= 97.5 %.
        for (q, least) in [(0.5, 6), (0.9, 36), (0.99, 368), (0.999, 3688)] {
            let limit = 1.0 - q;
            assert_eq!(needed(0, 1, limit), Some(least), "{q}");
            assert_eq!(side(0, least, limit), Side::Below, "{q}");
            assert_eq!(side(0, least - 1, limit), Side::Undecided, "{q}");
        }
        // With one value beyond p99 it takes 555 or more.
        assert_eq!(side(1, 530, 0.01), Side::Undecided);
        assert_eq!(side(1, 560, 0.01), Side::Below);
        assert_eq!(side(2, 20, 0.01), Side::Above);
        assert_eq!(side(0, 0, 0.01), Side::Undecided);
    }

    #[test]
    fn a_share_at_the_limit_is_never_decided() {
        assert_eq!(needed(10, 1000, 0.01), None);
        let needed = needed(15, 1000, 0.01).unwrap();
        assert!((1500..4000).contains(&needed), "{needed}");
    }

    #[test]
    fn of_a_thousand_samples_at_the_limit_few_are_decided_wrongly() {
        let mut random = Random::new(7);
        let mut wrong = [0, 0];
        for _ in 0..1000 {
            let beyond = (0..500).filter(|_| random.unit() < 0.01).count();
            match side(beyond as u64, 500, 0.01) {
                Side::Below => wrong[0] += 1,
                Side::Above => wrong[1] += 1,
                Side::Undecided => {}
            }
        }
        assert!(wrong[0] <= 40 && wrong[1] <= 40, "{wrong:?}");
    }
}
