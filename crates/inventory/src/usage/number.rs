//! Times and values as files write them.

/// Reads a value that is measured; `None` for one that is not a number.
///
/// # Errors
/// A description of a value that is negative, infinite, beyond 64 bits or no number at all.
pub(super) fn value(text: &str) -> Result<Option<f64>, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if value.is_nan() {
        return Ok(None);
    }
    if value < 0.0 {
        return Err(format!("{text:?} is negative"));
    }
    // 2^63, which a float has exactly.
    if value >= 9_223_372_036_854_775_808.0 {
        return Err(format!("{text:?} is beyond 2^63"));
    }
    Ok(Some(value))
}

/// Reads a decimal number of seconds since 1970 to nanoseconds. Digits beyond the ninth are cut
/// off.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let mut nanos = 0_i64;
    for place in 0..9 {
        let digit = part.as_bytes().get(place).map_or(0, |byte| byte - b'0');
        nanos = nanos * 10 + i64::from(digit);
    }
    whole.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Converts seconds since 1970, as JSON has them, to nanoseconds: to the millisecond, which is
/// the resolution of Prometheus.
pub(super) fn of_float(seconds: f64) -> Option<i64> {
    // The last year that 64 bits of nanoseconds hold is 2262.
    if !(0.0..9.2e9).contains(&seconds) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    let millis = (seconds * 1000.0).round() as i64;
    Some(millis * 1_000_000)
}

/// Converts a value to the nearest whole number.
pub(super) fn whole(value: f64) -> i64 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float-to-integer cast saturates"
    )]
    let whole = value.round() as i64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_keep_nine_digits() {
        assert_eq!(seconds("1700000000"), Some(1_700_000_000_000_000_000));
        assert_eq!(seconds("1700000000.5"), Some(1_700_000_000_500_000_000));
        assert_eq!(seconds("1.0000000019"), Some(1_000_000_001));
        for text in ["", ".5", "-1", "1e3", "1.x", "99999999999", "x"] {
            assert_eq!(seconds(text), None, "{text}");
        }
        assert_eq!(of_float(1_700_000_000.781), Some(1_700_000_000_781_000_000));
        assert_eq!(
            (of_float(-1.0), of_float(f64::NAN), of_float(1e300)),
            (None, None, None)
        );
    }

    #[test]
    fn values_are_neither_negative_nor_endless() {
        assert_eq!(value("1.5e3"), Ok(Some(1500.0)));
        assert_eq!(value("NaN"), Ok(None));
        for text in ["-1", "+Inf", "1e19", "many", ""] {
            assert!(value(text).is_err(), "{text}");
        }
    }
}
