//! Figures of tables and pages.

/// Amount of CPU from which on VPA means that there is no bound.
const NO_BOUND: i64 = 100_000_000_000_000;

/// Formats millicores: `126m`, `1.65`, `24`.
pub(super) fn cpu(millicores: i64) -> String {
    match millicores {
        NO_BOUND.. => "no bound".to_owned(),
        ..1_000 => format!("{millicores}m"),
        _ => three_digits(millicores as f64 / 1e3),
    }
}

/// Formats bytes: `363Mi`, `1.42Gi`.
pub(super) fn memory(bytes: i64) -> String {
    const UNITS: [(f64, &str); 4] = [
        (1_099_511_627_776.0, "Ti"),
        (1_073_741_824.0, "Gi"),
        (1_048_576.0, "Mi"),
        (1_024.0, "Ki"),
    ];
    if bytes >= NO_BOUND {
        return "no bound".to_owned();
    }
    let amount = bytes as f64;
    match UNITS.iter().find(|(size, _)| amount >= *size) {
        Some((size, unit)) => format!("{}{unit}", three_digits(amount / size)),
        None => bytes.to_string(),
    }
}

/// Formats billionths of a core as [`cpu`] does, rounded up to millicores.
pub(super) fn nanocores(nanocores: i64) -> String {
    cpu(nanocores.saturating_add(999_999) / 1_000_000)
}

/// Formats a number with three significant digits and without zeros at the end.
pub(super) fn three_digits(value: f64) -> String {
    let text = match value.abs() {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => return format!("{value:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Converts billionths of a core times nanoseconds to core-hours.
pub(super) fn core_hours(amount: i128) -> f64 {
    amount as f64 / (1e9 * 3.6e12)
}

/// Converts bytes times nanoseconds to GiB-hours.
pub(super) fn gib_hours(amount: i128) -> f64 {
    amount as f64 / (1_073_741_824.0 * 3.6e12)
}

/// Formats the change from one sum to another: `-42 %`.
pub(super) fn change(before: i128, after: i128) -> String {
    if before == 0 {
        return String::new();
    }
    let percent = (after - before) as f64 * 100.0 / before as f64;
    format!("{percent:+.0} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits() {
        for (amount, shown) in [
            (0, "0m"),
            (126, "126m"),
            (1_650, "1.65"),
            (24_000, "24"),
            (123_456, "123"),
            (NO_BOUND, "no bound"),
        ] {
            assert_eq!(cpu(amount), shown);
        }
        for (amount, shown) in [
            (0, "0"),
            (380_258_472, "363Mi"),
            (1 << 30, "1Gi"),
            (3_666_791_614, "3.41Gi"),
            (5 << 40, "5Ti"),
        ] {
            assert_eq!(memory(amount), shown);
        }
        assert_eq!(
            (&*nanocores(1), &*nanocores(i64::MAX)),
            ("1m", "9223372037")
        );
    }
}
