//! Student's t distribution, as far as intervals need it.

/// Steps of the integrals; the results are good to a thousandth.
const STEPS: u32 = 1024;

/// Above so many degrees of freedom t is as good as normal.
const MOST_FREEDOM: f64 = 2000.0;

/// How many standard errors to both sides hold `confidence` of Student's t
/// distribution; infinite without a degree of freedom.
///
/// With t = √f · tan θ the density is cos(θ)^(f-1) over θ, which is summed up from
/// the middle until it holds enough.
pub fn t_quantile(confidence: f64, freedom: f64) -> f64 {
    if freedom.is_nan() || freedom < 1.0 {
        return f64::INFINITY;
    }
    let freedom = freedom.min(MOST_FREEDOM);
    let step = std::f64::consts::FRAC_PI_2 / f64::from(STEPS);
    let density = |place: f64| (place * step).cos().max(0.0).powf(freedom - 1.0);
    // The midpoint rule: no end of the range is ever looked at.
    let middles = (0..STEPS).map(|n| density(f64::from(n) + 0.5));
    let wanted = confidence.clamp(0.0, 1.0) * middles.clone().sum::<f64>();
    let mut sum = 0.0;
    for (place, part) in middles.enumerate() {
        if sum + part >= wanted {
            let within = (wanted - sum) / part;
            return freedom.sqrt() * ((place as f64 + within) * step).tan();
        }
        sum += part;
    }
    f64::INFINITY
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
        ] {
            let found = t_quantile(confidence, freedom);
            assert!(
                (found - value).abs() < 0.0015,
                "{confidence} {freedom}: {found}"
            );
        }
    }

    #[test]
    fn without_freedom_nothing_is_certain() {
        assert!(t_quantile(0.95, 0.9).is_infinite());
        assert!(t_quantile(0.95, f64::NAN).is_infinite());
    }
}
