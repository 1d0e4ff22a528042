//! CPU time as a number of cores that adds up exactly.
//!
//! Cores are a JSON number and so an `f64`, but 0.1 + 0.2 must not show as
//! 0.30000000000000004. Every value is therefore the `f64` nearest to a whole number of
//! nanocores, the finest step of a Kubernetes quantity, and sums are computed in nanocores. Up
//! to two million cores this is exact; above, an `f64` cannot represent every nanocore and
//! sums are approximate.

/// Most cores that one value may state.
///
/// The bound is a hundred times the largest kernel configuration (8192 CPUs on x86-64), and
/// low enough for sums to stay exact.
pub(super) const MAX_CORES: u32 = 1_000_000;

const NANOS: u32 = 1_000_000_000;

/// Converts nanocores to cores; returns `None` above [`MAX_CORES`].
pub(super) fn from_nanos(nanos: u128) -> Option<f64> {
    let nanos = u64::try_from(nanos).ok()?;
    (nanos <= u64::from(MAX_CORES) * u64::from(NANOS)).then(|| shown(nanos))
}

/// Returns `used / available` cores, rounded to the nearest nanocore and never 0 for a
/// positive `used`; `None` above [`MAX_CORES`] or if `available` is 0.
pub(super) fn ratio(used: u64, available: u64) -> Option<f64> {
    let (used, available) = (u128::from(used), u128::from(available));
    let nanos = (used * u128::from(NANOS) + available / 2).checked_div(available)?;
    from_nanos(nanos.max(u128::from(used > 0)))
}

/// Returns the sum of two numbers of cores, exact to the nanocore.
pub(super) fn sum(a: f64, b: f64) -> f64 {
    shown(to_nanos(a).saturating_add(to_nanos(b)))
}

fn shown(nanos: u64) -> f64 {
    nanos as f64 / f64::from(NANOS)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates, and so should a sum"
)]
fn to_nanos(cores: f64) -> u64 {
    (cores * f64::from(NANOS)).round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tenths_add_up_to_tenths() {
        assert_eq!(sum(0.1, 0.2).to_string(), "0.3");
        let ten_times = (0..10).fold(0.0, |total, _| sum(total, 0.1));
        assert_eq!(ten_times.to_string(), "1");
    }

    #[test]
    fn a_ratio_is_rounded_to_the_nearest_nanocore() {
        assert_eq!(ratio(102, 1024), Some(0.099_609_375));
        assert_eq!(ratio(1, 3), Some(0.333_333_333));
        assert_eq!(ratio(2, 3), Some(0.666_666_667));
    }

    #[test]
    fn a_tiny_ratio_is_not_zero() {
        assert_eq!(ratio(1, u64::MAX), Some(1e-9));
        assert_eq!(ratio(0, u64::MAX), Some(0.0));
    }

    #[test]
    fn a_ratio_out_of_range_is_none() {
        assert_eq!(ratio(1, 0), None);
        assert_eq!(ratio(u64::MAX, 1), None);
        assert_eq!(ratio(1_000_000, 1), Some(1e6));
        assert_eq!(ratio(1_000_001, 1), None);
    }

    #[test]
    fn a_sum_that_overflows_saturates() {
        assert!(sum(f64::MAX, f64::MAX).is_finite());
        assert_eq!(sum(f64::NAN, 1.0).to_string(), "1");
    }

    proptest! {
        #[test]
        fn nanocores_survive_the_float(nanos in 0..=2_000_000_000_000_000_u64) {
            prop_assert_eq!(to_nanos(shown(nanos)), nanos);
        }

        #[test]
        fn cores_survive_json(nanos in 0..=2_000_000_000_000_000_u64) {
            let cores = shown(nanos);
            let json = serde_json::to_string(&cores).unwrap();
            let read: f64 = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read.to_bits(), cores.to_bits());
        }
    }
}
