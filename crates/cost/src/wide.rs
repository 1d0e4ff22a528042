//! Products of 128-bit numbers divided by a third, without loss.

/// Returns the quotient and the remainder of `a * b / divisor`.
///
/// `None` if the divisor is zero or 128 bits do not hold the quotient.
pub fn mul_div(a: u128, b: u128, divisor: u128) -> Option<(u128, u128)> {
    if divisor == 0 {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        return Some((product / divisor, product % divisor));
    }
    let (high, low) = product(a, b);
    divide(high, low, divisor)
}

/// Returns `a * b / divisor`, rounded to the nearest whole number, a half to the even one.
pub fn mul_div_round(a: u128, b: u128, divisor: u128) -> Option<u128> {
    let (quotient, remainder) = mul_div(a, b, divisor)?;
    let rest = divisor - remainder;
    let up = remainder > rest || (remainder == rest && quotient % 2 == 1);
    quotient.checked_add(u128::from(up))
}

/// Returns the high and the low half of a product.
fn product(a: u128, b: u128) -> (u128, u128) {
    const HALF: u128 = u64::MAX as u128;
    let (a1, a0) = (a >> 64, a & HALF);
    let (b1, b0) = (b >> 64, b & HALF);
    let low = a0 * b0;
    // Each sum of a product of two halves and two halves fits into 128 bits.
    let middle = a1 * b0 + (low >> 64);
    let other = a0 * b1 + (middle & HALF);
    let high = a1 * b1 + (middle >> 64) + (other >> 64);
    (high, (other << 64) | (low & HALF))
}

/// Divides a number of 256 bits by one of 128.
fn divide(high: u128, low: u128, divisor: u128) -> Option<(u128, u128)> {
    if high >= divisor {
        return None;
    }
    // A divisor that is a short number times a power of two is common here: an hour of a GiB.
    let shift = divisor.trailing_zeros();
    let short = divisor >> shift;
    if u64::try_from(short).is_err() {
        return Some(divide_by_bits(high, low, divisor));
    }
    let carried = high.checked_shl(128 - shift).unwrap_or(0);
    let (quotient, remainder) = divide_by_short(high >> shift, carried | (low >> shift), short);
    let cut = low & ((1 << shift) - 1);
    Some((quotient, (remainder << shift) | cut))
}

/// Divides by a number below 2^64, 64 bits of the dividend at a time.
fn divide_by_short(high: u128, low: u128, divisor: u128) -> (u128, u128) {
    // `high` is less than the divisor, so it has 64 bits at most.
    let first = (high << 64) | (low >> 64);
    let second = ((first % divisor) << 64) | (low & u128::from(u64::MAX));
    let quotient = ((first / divisor) << 64) | (second / divisor);
    (quotient, second % divisor)
}

/// Divides bit by bit.
fn divide_by_bits(high: u128, low: u128, divisor: u128) -> (u128, u128) {
    let (mut remainder, mut quotient) = (high, 0_u128);
    for bit in (0..128).rev() {
        let carries = remainder >> 127 == 1;
        remainder = (remainder << 1) | ((low >> bit) & 1);
        quotient <<= 1;
        if carries || remainder >= divisor {
            remainder = remainder.wrapping_sub(divisor);
            quotient |= 1;
        }
    }
    (quotient, remainder)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_half_is_rounded_to_the_even_number() {
        assert_eq!(mul_div_round(1, 1, 2), Some(0));
        assert_eq!(mul_div_round(3, 1, 2), Some(2));
        assert_eq!(mul_div_round(5, 1, 2), Some(2));
        assert_eq!(mul_div_round(2, 1, 3), Some(1));
    }

    #[test]
    fn a_quotient_beyond_128_bits_is_none() {
        assert_eq!(mul_div(u128::MAX, u128::MAX, 1), None);
        assert_eq!(mul_div(1, 1, 0), None);
        assert_eq!(
            mul_div(u128::MAX, u128::MAX, u128::MAX),
            Some((u128::MAX, 0))
        );
    }

    /// Numbers of all lengths.
    fn number() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0_u32..128).prop_map(|(number, shift)| number >> shift)
    }

    proptest! {
        #[test]
        fn the_quotient_and_the_remainder_give_the_product(
            a in number(), b in number(), divisor in number(), twos in 0_u32..64,
        ) {
            let divisor = divisor.max(1).checked_shl(twos).unwrap_or(0).max(1);
            if let Some((quotient, remainder)) = mul_div(a, b, divisor) {
                prop_assert!(remainder < divisor);
                let (high, low) = product(quotient, divisor);
                let (low, carry) = low.overflowing_add(remainder);
                prop_assert_eq!((high + u128::from(carry), low), product(a, b));
            }
        }
    }
}
