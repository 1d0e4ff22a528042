//! Quantiles of Student's t distribution for confidence intervals.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Degrees of freedom above which t is practically normal. The crate never returns for
/// infinitely many.
const MOST_FREEDOM: f64 = 1e6;

/// Returns the number of standard errors to both sides of the mean that contain
/// `confidence` of Student's t distribution; infinite below one degree of freedom.
pub fn t_quantile(confidence: f64, freedom: f64) -> f64 {
    if freedom.is_nan() || freedom < 1.0 {
        return f64::INFINITY;
    }
    let both_sides = f64::midpoint(1.0, confidence.clamp(0.0, 1.0));
    let t = StudentsT::new(0.0, 1.0, freedom.min(MOST_FREEDOM));
    t.map_or(f64::INFINITY, |t| t.inverse_cdf(both_sides))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (confidence, freedom, value) in [
            (0.95, 1.0, 12.706),
            (0.95, 2.0, 4.303),
            (0.95, 4.0, 2.776),
            (0.95, 7.0, 2.365),
            (0.99, 7.0, 3.499),
            (0.95, 30.0, 2.042),
            (0.999, 30.0, 3.646),
            (0.95, 1000.0, 1.962),
            (0.95, f64::INFINITY, 1.960),
        ] {
            let found = t_quantile(confidence, freedom);
            assert!(
                (found - value).abs() < 0.0006,
                "{confidence} {freedom}: {found}"
            );
        }
    }

    #[test]
    fn without_freedom_nothing_is_certain() {
        assert!(t_quantile(0.95, 0.9).is_infinite());
        assert!(t_quantile(0.95, f64::NAN).is_infinite());
    }

    #[test]
    fn all_of_the_distribution_has_no_bounds() {
        assert!(t_quantile(1.0, 7.0).is_infinite());
        assert!(t_quantile(0.0, 7.0).abs() < 1e-9);
    }
}
