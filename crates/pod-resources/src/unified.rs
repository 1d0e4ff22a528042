//! Files of cgroup v2 in the `unified` map of the OCI and CRI resources.
//!
//! The formats are those of the kernel's `Documentation/admin-guide/cgroup-v2.rst` and of the
//! kernel's parsers. Each function reads the content of one file, or returns a description of
//! valid content. `max` means no limit; so do zero and negative numbers, which callers that
//! know cgroup v1 write for it.

use super::cores;
use super::setting::{self, Setting};

/// Reading of a file; `Err` describes valid content.
type Reading<T> = Result<Setting<T>, &'static str>;

const MAX: &str = "max";

/// Reads `cpu.max`: quota and period in microseconds, `max 100000` or `50000 100000`, or
/// without the period.
pub(super) fn cpu_max(content: &str) -> Reading<f64> {
    const EXPECTED: &str =
        "\"max\" or microseconds, and a period of microseconds above 0, as in 50000 100000";
    let mut words = content.split_ascii_whitespace();
    let (Some(quota), period, None) = (words.next(), words.next(), words.next()) else {
        return Err(EXPECTED);
    };
    let period = match period {
        None => setting::DEFAULT_PERIOD,
        Some(text) => text.parse().ok().filter(|us| *us > 0).ok_or(EXPECTED)?,
    };
    if quota == MAX {
        return Ok(Setting::NoLimit);
    }
    let quota: i64 = quota.parse().map_err(|_| EXPECTED)?;
    if quota <= 0 {
        return Ok(Setting::NoLimit);
    }
    cores::ratio(quota.unsigned_abs(), period)
        .map(Setting::Value)
        .ok_or(setting::EXPECTED_QUOTA)
}

/// Reads `cpu.weight`, from 1 to 10000, as the CPU shares that it was converted from.
///
/// The function inverts the linear conversion, `1 + (shares - 2) * 9999 / 262142`, which all
/// runtimes used at first (KEP-2254). About 26 shares make one weight, so the result is up to
/// 0.026 cores low. runc from 1.3.2 on and crun from 1.23 on convert shares by a quadratic
/// formula. A weight in `unified` was converted before by its author and does not show the
/// formula.
pub(super) fn cpu_weight(content: &str) -> Reading<f64> {
    const EXPECTED: &str = "a weight from 1 to 10000";
    match content.trim_ascii().parse::<u64>() {
        Ok(weight @ 1..=10_000) => Ok(setting::request(2 + (weight - 1) * 262_142 / 9_999)),
        _ => Err(EXPECTED),
    }
}

/// Reads `memory.max`, `memory.min` or `memory.low`: bytes, with one of the letters K to E for
/// powers of 1024, as the kernel accepts them.
pub(super) fn bytes(content: &str) -> Reading<u64> {
    const EXPECTED: &str = "\"max\" or a number of bytes";
    const UNITS: [([char; 2], u32); 6] = [
        (['K', 'k'], 10),
        (['M', 'm'], 20),
        (['G', 'g'], 30),
        (['T', 't'], 40),
        (['P', 'p'], 50),
        (['E', 'e'], 60),
    ];
    let content = content.trim_ascii();
    if content == MAX {
        return Ok(Setting::NoLimit);
    }
    let (number, shift) = UNITS
        .iter()
        .find_map(|&(letters, shift)| Some((content.strip_suffix(letters)?, shift)))
        .unwrap_or((content, 0));
    match number.parse::<i128>() {
        Ok(number) if number.unsigned_abs() <= u128::from(u64::MAX) => {
            Ok(setting::memory(number << shift))
        }
        _ => Err(EXPECTED),
    }
}

/// Reads `pids.max`: a number of processes.
pub(super) fn pids(content: &str) -> Reading<u64> {
    const EXPECTED: &str = "\"max\" or a number of processes";
    match content.trim_ascii() {
        MAX => Ok(Setting::NoLimit),
        number => number.parse().map(setting::pids).map_err(|_| EXPECTED),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Setting::{NoLimit, Value};
    use super::*;

    #[test]
    fn cpu_max_is_quota_over_period() {
        for (content, setting) in [
            ("max 100000", NoLimit),
            ("max", NoLimit),
            ("50000 100000", Value(0.5)),
            ("50000", Value(0.5)),
            ("150000 50000", Value(3.0)),
            (" 50000\t100000\n", Value(0.5)),
            ("0 100000", NoLimit),
            ("-1 100000", NoLimit),
            ("1 3", Value(0.333_333_333)),
        ] {
            assert_eq!(cpu_max(content), Ok(setting), "{content:?}");
        }
    }

    #[test]
    fn other_contents_of_cpu_max_are_refused() {
        for content in [
            "",
            " ",
            "unlimited",
            "MAX",
            "50000 0",
            "50000 -1",
            "max 0",
            "50000 max",
            "1 2 3",
            "0.5",
            "50ms",
            "99999999999999999999",
            "50000,100000",
            "9223372036854775807 1",
        ] {
            assert!(cpu_max(content).is_err(), "{content:?}");
        }
    }

    #[test]
    fn the_lowest_weight_is_no_request() {
        assert_eq!(cpu_weight("1"), Ok(NoLimit));
    }

    #[test]
    fn a_weight_is_read_as_the_shares_it_came_from() {
        // 2597 and 262144 shares.
        assert_eq!(cpu_weight("100"), Ok(Value(2.536_132_813)));
        assert_eq!(cpu_weight("10000\n"), Ok(Value(256.0)));
    }

    #[test]
    fn a_weight_out_of_range_is_refused() {
        for content in ["0", "10001", "-1", "max", "default", "", "1e3"] {
            assert!(cpu_weight(content).is_err(), "{content:?}");
        }
    }

    #[test]
    fn memory_files_hold_bytes_with_the_kernels_units() {
        for (content, setting) in [
            ("max", NoLimit),
            ("max\n", NoLimit),
            ("268435456", Value(268_435_456)),
            ("256M", Value(268_435_456)),
            ("1g", Value(1 << 30)),
            ("4K", Value(4096)),
            ("7E", Value(7 << 60)),
            ("0", NoLimit),
            ("-1", NoLimit),
            ("9223372036854771712", NoLimit),
            ("9223372036854775807", NoLimit),
            ("18446744073709551615", NoLimit),
            ("8E", NoLimit),
            ("9223372036854710271", Value(0x7fff_ffff_fffe_ffff)),
        ] {
            assert_eq!(bytes(content), Ok(setting), "{content:?}");
        }
    }

    #[test]
    fn other_contents_of_memory_files_are_refused() {
        for content in [
            "",
            "K",
            "1Ki",
            "1.5G",
            "1 G",
            "Max",
            "18446744073709551616",
            "1KK",
            "é",
        ] {
            assert!(bytes(content).is_err(), "{content:?}");
        }
    }

    #[test]
    fn pids_max_is_a_number() {
        assert_eq!(pids("max"), Ok(NoLimit));
        assert_eq!(pids("1024\n"), Ok(Value(1024)));
        assert_eq!(pids("0"), Ok(NoLimit));
        assert_eq!(pids("-1"), Ok(NoLimit));
        assert!(pids("1k").is_err());
        assert!(pids("").is_err());
    }

    proptest! {
        #[test]
        fn a_weight_made_by_the_linear_formula_comes_back_close(shares in 3..=262_144_u64) {
            let weight = 1 + (shares - 2) * 9_999 / 262_142;
            let read = match cpu_weight(&weight.to_string()) {
                Ok(Value(cores)) => cores * 1024.0,
                _ => 2.0,
            };
            let lost = shares as f64 - read;
            prop_assert!((0.0..=27.3).contains(&lost), "{} shares became {}", shares, read);
        }

        #[test]
        fn any_content_is_read_or_refused(content in "[ 0-9a-zA-Z+-]{0,24}|\\PC*") {
            let _ = (cpu_max(&content), cpu_weight(&content), bytes(&content), pids(&content));
        }
    }
}
