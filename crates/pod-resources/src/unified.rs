//! Files of cgroup v2 in the `unified` map of the OCI and CRI resources.
//!
//! The formats are those of the kernel's `Documentation/admin-guide/cgroup-v2.rst` and of the
//! kernel's parsers. Each function reads the content of one file, or returns a description of
//! valid content. `max` means no limit; so do negative numbers and, except in `pids.max`, zero,
//! which callers that know cgroup v1 write for it.

use super::cpu_quota::CpuQuota;
use super::setting::{self, Setting};
use super::weight::{MAX_WEIGHT, WeightFormula};

/// Reading of a file; `Err` describes valid content.
type Reading<T> = Result<Setting<T>, &'static str>;

const MAX: &str = "max";

/// Reads `cpu.max`: quota and period in microseconds, `max 100000` or `50000 100000`. Without a
/// period, as in `50000`, the kernel keeps the present one, `period`; 0 stands for the default.
///
/// The quota of the result is never 0: no limit is -1.
pub(super) fn cpu_max(content: &str, period: u64) -> Result<CpuQuota, &'static str> {
    const EXPECTED: &str =
        "\"max\" or microseconds, and a period of microseconds above 0, as in 50000 100000";
    let mut words = content.split_ascii_whitespace();
    let (Some(quota), stated, None) = (words.next(), words.next(), words.next()) else {
        return Err(EXPECTED);
    };
    let period = match stated {
        None => period,
        Some(text) => text.parse().ok().filter(|us| *us > 0).ok_or(EXPECTED)?,
    };
    let quota = match quota {
        MAX => -1,
        number => number.parse().map_err(|_| EXPECTED)?,
    };
    let quota = if quota <= 0 { -1 } else { quota };
    Ok(CpuQuota { quota, period })
}

/// Reads `cpu.weight`, from 1 to 10000, as the CPU shares that it was converted from.
///
/// A weight in `unified` was converted before by its author and does not show the formula.
pub(super) fn cpu_weight(content: &str, formula: WeightFormula) -> Reading<f64> {
    const EXPECTED: &str = "a weight from 1 to 10000";
    match content.trim_ascii().parse::<u64>() {
        Ok(weight @ 1..=MAX_WEIGHT) => Ok(setting::request(formula.shares(weight))),
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
        number => number
            .parse::<i64>()
            .map(|number| setting::pids(number.into()))
            .map_err(|_| EXPECTED),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Setting::{NoLimit, Value};
    use super::*;

    #[test]
    fn cpu_max_is_a_quota_and_a_period() {
        for (content, quota, period) in [
            ("max 100000", -1, 100_000),
            ("max", -1, 7),
            ("50000 100000", 50_000, 100_000),
            ("50000", 50_000, 7),
            ("150000 50000", 150_000, 50_000),
            (" 50000\t100000\n", 50_000, 100_000),
            ("0 100000", -1, 100_000),
            ("-1 100000", -1, 100_000),
            ("9223372036854775807 1", i64::MAX, 1),
        ] {
            let expected = CpuQuota { quota, period };
            assert_eq!(cpu_max(content, 7), Ok(expected), "{content:?}");
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
        ] {
            assert!(cpu_max(content, 0).is_err(), "{content:?}");
        }
    }

    #[test]
    fn the_lowest_weight_is_no_request() {
        for formula in [WeightFormula::Linear, WeightFormula::Quadratic] {
            assert_eq!(cpu_weight("1", formula), Ok(NoLimit));
        }
    }

    #[test]
    fn a_weight_is_read_as_the_shares_it_came_from() {
        use WeightFormula::{Linear, Quadratic};

        // 2598 and 262144 shares.
        assert_eq!(cpu_weight("100", Linear), Ok(Value(2.538)));
        assert_eq!(cpu_weight("10000\n", Linear), Ok(Value(256.0)));
        assert_eq!(cpu_weight("100", Quadratic), Ok(Value(1.0)));
        assert_eq!(cpu_weight("10000", Quadratic), Ok(Value(256.0)));
    }

    #[test]
    fn a_weight_out_of_range_is_refused() {
        for content in ["0", "10001", "-1", "max", "default", "", "1e3"] {
            assert!(
                cpu_weight(content, WeightFormula::Linear).is_err(),
                "{content:?}"
            );
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
        assert_eq!(pids("0"), Ok(Value(0)));
        assert_eq!(pids("-1"), Ok(NoLimit));
        assert!(pids("1k").is_err());
        assert!(pids("").is_err());
    }

    proptest! {
        #[test]
        fn any_content_is_read_or_refused(content in "[ 0-9a-zA-Z+-]{0,24}|\\PC*") {
            let weight = cpu_weight(&content, WeightFormula::Quadratic);
            let _ = (cpu_max(&content, 0), weight, bytes(&content), pids(&content));
        }
    }
}
