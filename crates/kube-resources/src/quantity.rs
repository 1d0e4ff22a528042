//! Kubernetes quantities: `500m`, `1.5`, `2Gi`, `1e3`.
//!
//! The grammar is that of `k8s.io/apimachinery/pkg/api/resource`:
//!
//! ```text
//! quantity = [ "+" | "-" ] number suffix
//! number   = digits [ "." [ digits ] ] | "." digits
//! suffix   = "" | n u m k M G T P E | Ki Mi Gi Ti Pi Ei | (e | E) [ "+" | "-" ] digits
//! ```
//!
//! `1E` is one exa, `1E3` and `1e3` are a thousand, `1Ei` is 2^60. A value is exact in steps
//! of 1e-9; a finer value rounds up, as in apimachinery.
//!
//! Three cases differ from apimachinery on purpose: a number needs a digit (apimachinery reads
//! `Ki` as 0), negative amounts of a resource are refused, and amounts above an `int64` are
//! refused (apimachinery caps or wraps them without an error).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Longest text in bytes; it bounds the cost of hostile input.
const MAX_LEN: usize = 128;

const NANO: u128 = 1_000_000_000;

/// Largest value: Kubernetes passes amounts as an `int64`.
const MAX_NANOS: u128 = i64::MAX as u128 * NANO;

/// A non-negative amount, exact to 1e-9, at most 2^63 - 1.
///
/// ```
/// use kube_resources::{Quantity, QuantityError};
///
/// let memory: Quantity = "1.5Gi".parse()?;
/// assert_eq!(memory.whole(), 3 << 29);
/// let cpu: Quantity = "250m".parse()?;
/// assert_eq!(cpu.nanos(), 250_000_000);
/// assert_eq!("2 Gi".parse::<Quantity>(), Err(QuantityError::Malformed));
/// # Ok::<(), QuantityError>(())
/// ```
///
/// Two quantities are equal if they are the same amount, whatever their [`Format`].
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    nanos: u128,
    format: Format,
}

/// Notation of a [`Quantity`], which its canonical text keeps (`Format` of apimachinery).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// Suffixes of powers of ten: `500m`, `12k`.
    #[default]
    DecimalSi,
    /// Suffixes of powers of two: `2Gi`.
    BinarySi,
    /// An exponent: `12e3`.
    DecimalExponent,
}

/// Reason why a text is not a [`Quantity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// The text does not follow the grammar.
    #[error("not a quantity such as 500m, 1.5, 2Gi or 1e3")]
    Malformed,
    /// The amount is below zero.
    #[error("below zero")]
    Negative,
    /// The amount is above 2^63 - 1.
    #[error("above 9223372036854775807")]
    OutOfRange,
    /// The text has more than 128 bytes.
    #[error("longer than 128 characters")]
    TooLong,
}

impl Quantity {
    /// Zero.
    pub const ZERO: Self = Self {
        nanos: 0,
        format: Format::DecimalSi,
    };

    /// Returns an amount of billionths; above 2^63 - 1 whole ones, the largest amount.
    pub fn from_nanos(nanos: u128, format: Format) -> Self {
        Self {
            nanos: nanos.min(MAX_NANOS),
            format,
        }
    }

    /// Returns an amount of thousandths, the unit of CPU requests.
    pub fn from_milli(milli: u64) -> Self {
        Self::from_nanos(u128::from(milli) * 1_000_000, Format::DecimalSi)
    }

    /// Returns an amount of whole ones, such as bytes, with suffixes of powers of two.
    pub fn from_bytes(bytes: u64) -> Self {
        Self::from_nanos(u128::from(bytes) * NANO, Format::BinarySi)
    }

    /// Returns the amount in billionths.
    pub fn nanos(self) -> u128 {
        self.nanos
    }

    /// Returns the amount in thousandths, with a fraction rounded up (`MilliValue` of
    /// apimachinery).
    pub fn milli(self) -> u64 {
        u64::try_from(self.nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// Returns the notation.
    pub fn format(self) -> Format {
        self.format
    }

    /// Returns whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// Adds an amount; the sum is at most 2^63 - 1. The sum keeps the notation of `self`, or takes
    /// that of `other` if `self` is zero (`Quantity.Add` of apimachinery).
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let format = if self.is_zero() {
            other.format
        } else {
            self.format
        };
        Self::from_nanos(self.nanos + other.nanos, format)
    }

    /// Subtracts an amount; the difference is at least zero.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let format = if self.is_zero() {
            other.format
        } else {
            self.format
        };
        Self::from_nanos(self.nanos.saturating_sub(other.nanos), format)
    }

    /// Returns the amount as a whole number, with a fraction rounded up.
    pub fn whole(self) -> u64 {
        u64::try_from(self.nanos.div_ceil(NANO)).unwrap_or(u64::MAX)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.nanos.hash(state);
    }
}

/// Writes the canonical form (`CanonicalizeBytes` of apimachinery): no fraction, the largest
/// suffix with which there is none, and no suffix of powers of two for an amount below 1024 or
/// with a fraction.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
        const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let whole = self.nanos / NANO;
        let is_whole = self.nanos.is_multiple_of(NANO);
        if self.format == Format::BinarySi && is_whole && whole >= 1024 {
            let (number, power) = without_factor(whole, 1024, BINARY.len() - 1);
            return write!(f, "{number}{}", BINARY[power]);
        }
        let (number, power) = without_factor(self.nanos, 1000, DECIMAL.len() - 1);
        match (self.format, 3 * power) {
            (Format::DecimalExponent, 9) => write!(f, "{number}"),
            (Format::DecimalExponent, ten @ 10..) => write!(f, "{number}e{}", ten - 9),
            (Format::DecimalExponent, ten) => write!(f, "{number}e-{}", 9 - ten),
            _ => write!(f, "{number}{}", DECIMAL[power]),
        }
    }
}

/// Divides by `factor` as often as no remainder is left, at most `most` times. Returns the quotient
/// and the number of divisions.
fn without_factor(number: u128, factor: u128, most: usize) -> (u128, usize) {
    let mut left = (number, 0);
    while left.1 < most && left.0.is_multiple_of(factor) {
        left = (left.0 / factor, left.1 + 1);
    }
    left
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.len() > MAX_LEN {
            return Err(QuantityError::TooLong);
        }
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (integer, rest) = split_digits(unsigned);
        let (fraction, suffix) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("", rest),
        };
        if integer.is_empty() && fraction.is_empty() {
            return Err(QuantityError::Malformed);
        }
        let scale = Scale::of(suffix).ok_or(QuantityError::Malformed)?;
        let nanos = nanos(integer, fraction, scale).ok_or(QuantityError::OutOfRange)?;
        match nanos {
            1.. if negative => Err(QuantityError::Negative),
            nanos if nanos > MAX_NANOS => Err(QuantityError::OutOfRange),
            nanos => Ok(Self {
                nanos,
                format: Format::of(suffix),
            }),
        }
    }
}

/// Reads a quantity from a text, or from a number, which manifests may write without quotes.
impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

struct QuantityVisitor;

impl Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity such as 500m, 1.5, 2Gi or 1e3")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        text.parse()
            .map_err(|error| E::custom(format_args!("{text:?}: {error}")))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Quantity, E> {
        self.visit_str(&number.to_string())
    }
}

impl Format {
    /// Returns the notation of a suffix that [`Scale`] reads.
    fn of(suffix: &str) -> Self {
        match suffix.as_bytes() {
            [.., b'i'] => Self::BinarySi,
            [b'e' | b'E', _, ..] => Self::DecimalExponent,
            _ => Self::DecimalSi,
        }
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Returns `integer.fraction` times `scale` in billionths, rounded up; `None` if 128 bits do
/// not hold the result.
fn nanos(integer: &str, fraction: &str, scale: Scale) -> Option<u128> {
    let two = 1_u128 << scale.two;
    // Digits before the point when the unit is a billionth. All three terms are bounded, by
    // MAX_LEN and by `exponent`.
    let point = i32::try_from(integer.len()).ok()? + scale.ten + 9;
    let before = usize::try_from(point).unwrap_or(0);
    let whole = integer
        .bytes()
        .chain(fraction.bytes())
        .chain(iter::repeat_n(b'0', before))
        .take(before)
        .try_fold(0_u128, |whole, digit| {
            whole.checked_mul(10)?.checked_add(u128::from(digit - b'0'))
        })?;
    // Starts at the last digit. Each division rounds up and so carries whether there was a
    // remainder; all of them together round up as much as one division at the end.
    let behind = (integer.len() + fraction.len()).saturating_sub(before);
    let zeros = usize::try_from(-point).unwrap_or(0);
    let rest = fraction
        .bytes()
        .rev()
        .chain(integer.bytes().rev())
        .take(behind)
        .chain(iter::repeat_n(b'0', zeros))
        .fold(0_u128, |rest, digit| {
            (u128::from(digit - b'0') * two + rest).div_ceil(10)
        });
    whole.checked_mul(two)?.checked_add(rest)
}

/// Factor of a suffix: `10^ten * 2^two`.
#[derive(Clone, Copy)]
struct Scale {
    ten: i32,
    two: u32,
}

impl Scale {
    fn of(suffix: &str) -> Option<Self> {
        let (ten, two) = match suffix {
            "" => (0, 0),
            "n" => (-9, 0),
            "u" => (-6, 0),
            "m" => (-3, 0),
            "k" => (3, 0),
            "M" => (6, 0),
            "G" => (9, 0),
            "T" => (12, 0),
            "P" => (15, 0),
            "E" => (18, 0),
            "Ki" => (0, 10),
            "Mi" => (0, 20),
            "Gi" => (0, 30),
            "Ti" => (0, 40),
            "Pi" => (0, 50),
            "Ei" => (0, 60),
            _ => (exponent(suffix)?, 0),
        };
        Some(Self { ten, two })
    }
}

/// Returns the number behind `e` or `E`, capped far above every number that matters.
fn exponent(suffix: &str) -> Option<i32> {
    const ENOUGH: i32 = 1_000;
    let signed = suffix.strip_prefix(['e', 'E'])?;
    let (sign, digits) = match signed.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, signed.strip_prefix('+').unwrap_or(signed)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits.bytes().fold(0, |number, digit| {
        (number * 10 + i32::from(digit - b'0')).min(ENOUGH)
    });
    Some(sign * magnitude)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Quantity, QuantityError> {
        text.parse()
    }

    /// Results of apimachinery for these texts, in units of 10^exponent.
    const KNOWN: &[(&str, u128, i32)] = &[
        ("0", 0, 0),
        ("0n", 0, 0),
        ("0Ki", 0, 0),
        ("-0", 0, 0),
        ("-0.000Gi", 0, 0),
        ("0e999999999", 0, 0),
        ("1", 1, 0),
        ("+1", 1, 0),
        ("007", 7, 0),
        ("1Ki", 1 << 10, 0),
        ("7Mi", 7 << 20, 0),
        ("6Gi", 6 << 30, 0),
        ("5Ti", 5 << 40, 0),
        ("4Pi", 4 << 50, 0),
        ("3Ei", 3 << 60, 0),
        ("100Ti", 100 << 40, 0),
        ("5n", 5, -9),
        ("4u", 4, -6),
        ("3m", 3, -3),
        ("500m", 5, -1),
        ("8k", 8, 3),
        ("129M", 129, 6),
        ("6G", 6, 9),
        ("300T", 300, 12),
        ("2P", 2, 15),
        ("1E", 1, 18),
        ("9E", 9, 18),
        ("128974848", 128_974_848, 0),
        ("128974848000m", 128_974_848, 0),
        ("123Mi", 123 << 20, 0),
        ("1E-3", 1, -3),
        ("1e3", 1, 3),
        ("1E3", 1, 3),
        ("1E18", 1, 18),
        ("1.3E+6", 13, 5),
        ("1.7E18", 17, 17),
        ("0.5e-2", 5, -3),
        ("1e-0", 1, 0),
        ("1e0000000000000003", 1, 3),
        ("0.001", 1, -3),
        ("0.0005k", 5, -1),
        ("0.05000", 5, -2),
        ("100.035k", 100_035, 0),
        ("6.987654321G", 6_987_654_321, 0),
        ("1.01E", 101, 16),
        ("100.035Ki", 10_243_584, -2),
        ("0.5Mi", 1 << 19, 0),
        ("0.05Gi", 536_870_912, -1),
        ("0.025Ti", 274_877_906_944, -1),
        ("1.5Gi", 1536 << 20, 0),
        (".001", 1, -3),
        (".0001k", 1, -1),
        ("1.", 1, 0),
        ("1.G", 1, 9),
        // A value finer than 1e-9 rounds up.
        ("3.001n", 4, -9),
        ("1.1E-9", 2, -9),
        ("0.0000000001", 1, -9),
        ("0.9n", 1, -9),
        ("0.00000012345", 124, -9),
        ("0.000000000001Ki", 2, -9),
        ("1e-999999999", 1, -9),
        // The number of digits does not matter.
        ("0.0000000000000000000000000000000000000000001", 1, -9),
        (
            "0.1234567890123456789012345678901234567890123456789",
            123_456_790,
            -9,
        ),
        (
            "0.333333333333333333333333333333333333333333333333Ki",
            341_333_333_334,
            -9,
        ),
        (
            "1.9999999999999999999999999999999999999999999999999999",
            2,
            0,
        ),
        (
            "0.50000000000000000000000000000000000000000000000000000",
            5,
            -1,
        ),
        (
            "0.50000000000000000000000000000000000000000000000000001",
            500_000_001,
            -9,
        ),
        (
            "1234567890123456789012345678901234567890123456789e-40",
            123_456_789_012_345_679,
            -9,
        ),
        (
            "1000000000000000000000000000000000000000000000000e-40",
            1,
            8,
        ),
        ("9223372036854775807", 9_223_372_036_854_775_807, 0),
        ("7.999Ei", 9_222_219_115_350_168_961_024, -3),
    ];

    #[test]
    fn quantities_have_the_values_that_apimachinery_gives_them() {
        for &(text, value, exponent) in KNOWN {
            let nanos = match exponent + 9 {
                up @ 0.. => value * 10_u128.pow(up.unsigned_abs()),
                down => value.div_ceil(10_u128.pow(down.unsigned_abs())),
            };
            assert_eq!(parse(text).map(Quantity::nanos), Ok(nanos), "{text}");
        }
    }

    /// Canonical texts of apimachinery.
    const CANONICAL: &[(&str, &str)] = &[
        ("0", "0"),
        ("0Gi", "0"),
        ("1", "1"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("1000m", "1"),
        ("1500", "1500"),
        ("10000", "10k"),
        ("2000000", "2M"),
        ("0.3n", "1n"),
        ("1024", "1024"),
        ("1023Ki", "1023Ki"),
        ("1024Ki", "1Mi"),
        ("1536Mi", "1536Mi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Ki", "512"),
        ("1Ki", "1Ki"),
        ("100.035Ki", "102435840m"),
        ("7Ei", "7Ei"),
        ("1e3", "1e3"),
        ("12E2", "1200"),
        ("1e-3", "1e-3"),
        ("1E", "1E"),
        ("128974848", "128974848"),
        ("129M", "129M"),
    ];

    #[test]
    fn the_canonical_text_is_that_of_apimachinery_and_reads_back() {
        for &(text, canonical) in CANONICAL {
            let quantity = parse(text).unwrap();
            assert_eq!(quantity.to_string(), canonical, "{text}");
            assert_eq!(parse(canonical), Ok(quantity), "{text}");
        }
    }

    #[test]
    fn sums_keep_the_notation_of_the_first_amount_that_is_not_zero() {
        let sum = |a: &str, b: &str| parse(a).unwrap().plus(parse(b).unwrap()).to_string();
        assert_eq!(sum("1Gi", "1G"), "2073741824");
        assert_eq!(sum("0", "1Gi"), "1Gi");
        assert_eq!(sum("1G", "1Gi"), "2073741824");
        assert_eq!(sum("1Mi", "1048576"), "2Mi");
        assert_eq!(sum("9223372036854775807", "1"), "9223372036854775807");
    }

    #[test]
    fn a_text_that_apimachinery_cannot_read_is_malformed() {
        for text in [
            "", "1.1.M", "1+1.0M", "0.1mi", "0.1am", "aoeu", ".5i", "1i", "3.01e-", " 1", "1 ",
            "1\n", "1K", "1ki", "1KB", "1Gib", "1e", "1e+", "1e1.5", "1e3Ki", "1ee3", "1Ee3",
            "1eE3", "--1", "+-1", "-", "+", "0x10", "1_000", "1,5", "inf", "NaN", "\0", "1\0", "١",
            "1²", "½", "1µ", "five",
        ] {
            assert_eq!(parse(text), Err(QuantityError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn a_number_needs_a_digit() {
        for text in [".", "-.", "Ki", "m", "E", "e3", "E3", "+.k"] {
            assert_eq!(parse(text), Err(QuantityError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn an_amount_below_zero_is_negative() {
        for text in ["-1", "-1Gi", "-0.1n", "-1e-99", "-99E"] {
            assert_eq!(parse(text), Err(QuantityError::Negative), "{text:?}");
        }
    }

    #[test]
    fn an_amount_above_an_int64_is_out_of_range() {
        for text in [
            "9223372036854775808",
            "9223372036854775807.1",
            "8Ei",
            "9Ei",
            "12E",
            "10E",
            "1e19",
            "1e999999999",
            "1e99999999999999999999999999",
            "9223372036854775807Ki",
            "340282366920938463463374607431768211456",
            "99999999999999999999999999999999999999999999999999",
            "-1e999999999",
        ] {
            assert_eq!(parse(text), Err(QuantityError::OutOfRange), "{text:?}");
        }
    }

    #[test]
    fn only_significant_digits_use_up_the_range() {
        let one = format!("{}1{}e-50", "0".repeat(20), "0".repeat(50));
        assert_eq!(parse(&one), parse("1"));
        let tiny = format!("0.{}1e60", "0".repeat(59));
        assert_eq!(parse(&tiny), parse("1"));
    }

    #[test]
    fn megabytes_are_refused_unread() {
        for byte in ["1", "0", "-", "e", "\u{0}", "🦀"] {
            let text = byte.repeat(1 << 20);
            assert_eq!(parse(&text), Err(QuantityError::TooLong));
        }
        assert_eq!(parse(&"0".repeat(128)), Ok(Quantity::ZERO));
    }

    #[test]
    fn a_fraction_of_a_unit_rounds_up() {
        for (text, whole) in [
            ("1n", 1),
            ("1500m", 2),
            ("1.000000001", 2),
            ("100.035Ki", 102_436),
        ] {
            assert_eq!(parse(text).map(Quantity::whole), Ok(whole), "{text}");
        }
        let most = parse("9223372036854775807").unwrap();
        assert_eq!(most.whole(), i64::MAX.unsigned_abs());
    }

    /// Computes the value of a text of plain digits by pen and paper: an array of decimal
    /// digits, the last first, doubled and shifted.
    fn on_paper(
        integer: &str,
        fraction: &str,
        ten: i32,
        two: u32,
    ) -> Result<Quantity, QuantityError> {
        let mut digits: Vec<u8> = integer
            .bytes()
            .chain(fraction.bytes())
            .rev()
            .map(|digit| digit - b'0')
            .collect();
        for _ in 0..two {
            let mut carry = 0;
            for digit in &mut digits {
                let doubled = *digit * 2 + carry;
                *digit = doubled % 10;
                carry = doubled / 10;
            }
            digits.push(carry);
        }
        let shift = ten + 9 - i32::try_from(fraction.len()).unwrap();
        for _ in 0..shift {
            digits.insert(0, 0);
        }
        let mut rounds_up = false;
        for _ in shift..0 {
            let dropped = if digits.is_empty() {
                0
            } else {
                digits.remove(0)
            };
            rounds_up |= dropped != 0;
        }
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.len() > 30 {
            return Err(QuantityError::OutOfRange);
        }
        let whole = digits
            .iter()
            .rev()
            .fold(0, |number, digit| number * 10 + u128::from(*digit));
        match whole + u128::from(rounds_up) {
            nanos if nanos > MAX_NANOS => Err(QuantityError::OutOfRange),
            nanos => Ok(Quantity::from_nanos(nanos, Format::DecimalSi)),
        }
    }

    #[test]
    fn pen_and_paper_agree_with_the_known_values() {
        assert_eq!(on_paper("1", "5", 0, 30), parse("1610612736"));
        assert_eq!(on_paper("0", "0000000001", 0, 0), parse("1n"));
        assert_eq!(on_paper("8", "", 0, 60), Err(QuantityError::OutOfRange));
    }

    const SUFFIXES: [(&str, i32, u32); 16] = [
        ("", 0, 0),
        ("n", -9, 0),
        ("u", -6, 0),
        ("m", -3, 0),
        ("k", 3, 0),
        ("M", 6, 0),
        ("G", 9, 0),
        ("T", 12, 0),
        ("P", 15, 0),
        ("E", 18, 0),
        ("Ki", 0, 10),
        ("Mi", 0, 20),
        ("Gi", 0, 30),
        ("Ti", 0, 40),
        ("Pi", 0, 50),
        ("Ei", 0, 60),
    ];

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn text_that_looks_like_a_quantity_is_read_or_refused(
            text in "[+-]?[0-9]{0,45}\\.?[0-9]{0,45}([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{0,12})?"
        ) {
            if let Ok(quantity) = parse(&text) {
                prop_assert!(quantity.nanos <= MAX_NANOS);
            }
        }

        #[test]
        fn whole_numbers_come_back(number in 0..=i64::MAX) {
            prop_assert_eq!(parse(&number.to_string()).map(Quantity::whole), Ok(number.unsigned_abs()));
        }

        #[test]
        fn decimals_come_back_to_the_nano(nanos in 0..=MAX_NANOS) {
            let text = format!("{}.{:09}", nanos / NANO, nanos % NANO);
            prop_assert_eq!(parse(&text), Ok(Quantity::from_nanos(nanos, Format::DecimalSi)));
            let text = format!("{nanos}n");
            prop_assert_eq!(parse(&text), Ok(Quantity::from_nanos(nanos, Format::DecimalSi)));
            let text = format!("{nanos}e-9");
            prop_assert_eq!(parse(&text), Ok(Quantity::from_nanos(nanos, Format::DecimalSi)));
        }

        #[test]
        fn a_suffix_multiplies(number in 0..1000_u128, (suffix, ten, two) in proptest::sample::select(&SUFFIXES)) {
            let exact = number * (1_u128 << two) * 10_u128.pow((ten + 9).unsigned_abs());
            let expected = if exact > MAX_NANOS { Err(QuantityError::OutOfRange) } else { Ok(Quantity::from_nanos(exact, Format::DecimalSi)) };
            prop_assert_eq!(parse(&format!("{number}{suffix}")), expected);
        }

        #[test]
        fn any_number_of_digits_is_exact_to_the_nano(
            integer in "0{0,3}[0-9]{0,24}",
            fraction in "0{0,20}[0-9]{1,70}0{0,3}",
            (suffix, ten, two) in proptest::sample::select(&SUFFIXES),
        ) {
            let text = format!("{integer}.{fraction}{suffix}");
            prop_assert_eq!(parse(&text), on_paper(&integer, &fraction, ten, two), "{}", text);
        }

        #[test]
        fn any_exponent_is_exact_to_the_nano(
            integer in "[0-9]{1,60}",
            fraction in "[0-9]{0,50}",
            ten in -80..40,
        ) {
            let text = format!("{integer}.{fraction}e{ten}");
            prop_assert_eq!(parse(&text), on_paper(&integer, &fraction, ten, 0), "{}", text);
        }

        #[test]
        fn order_of_numbers_is_order_of_quantities(a in 0..u64::MAX >> 1, b in 0..u64::MAX >> 1) {
            let (x, y) = (parse(&format!("{a}n")), parse(&format!("{b}n")));
            prop_assert_eq!(x.unwrap().cmp(&y.unwrap()), a.cmp(&b));
        }
    }
}
