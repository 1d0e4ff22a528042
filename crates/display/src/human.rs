//! Numbers in a form for people.

/// Formats nanoseconds with three significant digits: `824ns`, `1.23ms`, `12.0s`.
pub fn nanoseconds(ns: u64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let value = ns as f64;
    // A value that rounds up to 1000 of a unit is 1 of the next.
    let unit = UNITS.iter().find(|(size, _)| value >= size * 0.9995);
    match unit {
        Some((size, unit)) => format!("{}{unit}", three_digits(value / size)),
        None => format!("{ns}ns"),
    }
}

/// Formats fractional nanoseconds, such as a mean, like [`nanoseconds`].
pub fn duration(ns: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "such a cast saturates"
    )]
    let whole = ns.round() as u64;
    nanoseconds(whole)
}

/// Formats bytes in binary units: `512 B`, `1.50 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [(f64, &str); 3] = [
        (1_073_741_824.0, "GiB"),
        (1_048_576.0, "MiB"),
        (1024.0, "KiB"),
    ];
    let value = bytes as f64;
    match UNITS.iter().find(|(size, _)| value >= *size) {
        Some((size, unit)) => format!("{} {unit}", three_digits(value / size)),
        None => format!("{bytes} B"),
    }
}

/// Formats a whole number with commas between thousands: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Formats a rate per second: `7.25/s`, `12,345/s`.
pub fn rate(per_second: f64) -> String {
    if per_second < 99.95 {
        return format!("{}/s", three_digits(per_second));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 99.95, and such a cast saturates"
    )]
    let whole = per_second.round() as u64;
    format!("{}/s", count(whole))
}

fn three_digits(value: f64) -> String {
    if value < 9.995 {
        format!("{value:.2}")
    } else if value < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_the_unit_that_fits() {
        for (ns, shown) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1.00µs"),
            (1_234, "1.23µs"),
            (99_949, "99.9µs"),
            (999_400, "999µs"),
            (999_600, "1.00ms"),
            (12_340_000, "12.3ms"),
            (1_500_000_000, "1.50s"),
            (3_600_000_000_000, "3600s"),
        ] {
            assert_eq!(nanoseconds(ns), shown, "{ns}");
        }
    }

    #[test]
    fn bytes_are_binary() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.50 KiB");
        assert_eq!(bytes(20 << 20), "20.0 MiB");
        assert_eq!(bytes(3 << 30), "3.00 GiB");
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn rates_have_decimals_only_when_small() {
        assert_eq!(rate(7.254), "7.25/s");
        assert_eq!(rate(99.96), "100/s");
        assert_eq!(rate(12_345.4), "12,345/s");
    }
}
