//! Conversion between the CPU shares of cgroup v1 and the `cpu.weight` of cgroup v2.

use super::setting::{MAX_SHARES, MIN_SHARES};

/// Greatest `cpu.weight` (`Documentation/admin-guide/cgroup-v2.rst`).
pub(super) const MAX_WEIGHT: u64 = 10_000;

/// Formula by which a `cpu.weight` is made of CPU shares.
///
/// Both map 2 shares to the weight 1 and 262144 shares to the weight 10000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WeightFormula {
    /// `1 + (shares - 2) * 9999 / 262142`, rounded down: runc before 1.3.2, crun before 1.23, and
    /// kubelet for the cgroups of pods (KEP-2254). 1024 shares are the weight 39.
    #[default]
    Linear,
    /// `10^((l^2 + 125 l) / 612 - 7 / 34)` with `l = log2(shares)`, rounded up: runc from 1.3.2 on
    /// and crun from 1.23 on. 1024 shares are the weight 100, the default of both.
    Quadratic,
}

impl WeightFormula {
    /// Converts CPU shares to a weight. Shares outside of the kernel's range count as its bound.
    ///
    /// ```
    /// use pod_resources::WeightFormula;
    ///
    /// assert_eq!(WeightFormula::Linear.weight(1024), 39);
    /// assert_eq!(WeightFormula::Quadratic.weight(1024), 100);
    /// ```
    pub fn weight(self, shares: u64) -> u64 {
        let shares = shares.clamp(MIN_SHARES, MAX_SHARES);
        match self {
            Self::Linear => 1 + (shares - MIN_SHARES) * 9_999 / 262_142,
            Self::Quadratic if shares == MIN_SHARES => 1,
            Self::Quadratic if shares == MAX_SHARES => MAX_WEIGHT,
            Self::Quadratic => {
                let log = (shares as f64).log2();
                let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a float-to-integer cast saturates, and the result is from 1 to 10000"
                )]
                let weight = 10_f64.powf(exponent).ceil() as u64;
                weight
            }
        }
    }

    /// Converts a weight back to CPU shares that have this weight.
    ///
    /// Several numbers of shares have the same weight. The result is the one nearest to the exact
    /// inverse of the formula: the smallest one where the formula rounds down, the greatest one
    /// where it rounds up. So the weight of the result is `weight` again, and 2, 262144 and, by
    /// the quadratic formula, 1024 shares come back exactly.
    ///
    /// ```
    /// use pod_resources::WeightFormula;
    ///
    /// assert_eq!(WeightFormula::Linear.shares(39), 999);
    /// assert_eq!(WeightFormula::Quadratic.shares(100), 1024);
    /// ```
    pub fn shares(self, weight: u64) -> u64 {
        let weight = weight.clamp(1, MAX_WEIGHT);
        match self {
            Self::Linear => MIN_SHARES + ((weight - 1) * 262_142).div_ceil(9_999),
            Self::Quadratic => {
                // The formula never falls, so its inverse is found by halving.
                let (mut low, mut high) = (MIN_SHARES, MAX_SHARES);
                while low < high {
                    let middle = (low + high).div_ceil(2);
                    if self.weight(middle) <= weight {
                        low = middle;
                    } else {
                        high = middle - 1;
                    }
                }
                low
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMULAS: [WeightFormula; 2] = [WeightFormula::Linear, WeightFormula::Quadratic];

    #[test]
    fn shares_have_the_weights_of_the_runtimes() {
        for (shares, linear, quadratic) in [
            (0, 1, 1),
            (2, 1, 1),
            (3, 1, 2),
            (10, 1, 4),
            (102, 4, 17),
            (256, 10, 35),
            (512, 20, 59),
            (1024, 39, 100),
            (2048, 79, 174),
            (262_143, 9_999, 10_000),
            (262_144, 10_000, 10_000),
            (u64::MAX, 10_000, 10_000),
        ] {
            let weights = FORMULAS.map(|formula| formula.weight(shares));
            assert_eq!(weights, [linear, quadratic], "{shares}");
        }
    }

    #[test]
    fn every_weight_comes_back_from_its_shares() {
        for formula in FORMULAS {
            for weight in 1..=MAX_WEIGHT {
                let shares = formula.shares(weight);
                assert_eq!(formula.weight(shares), weight, "{formula:?} {shares}");
            }
        }
    }

    #[test]
    fn shares_come_back_within_those_of_the_same_weight() {
        for formula in FORMULAS {
            let mut before = 0;
            for shares in MIN_SHARES..=MAX_SHARES {
                let weight = formula.weight(shares);
                assert!(weight >= before, "{formula:?} falls at {shares}");
                before = weight;
            }
            for shares in [2, 262_144] {
                assert_eq!(formula.shares(formula.weight(shares)), shares);
            }
        }
        assert_eq!(WeightFormula::Quadratic.shares(100), 1024);
    }
}
