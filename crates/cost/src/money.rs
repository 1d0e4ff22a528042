//! Money.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use crate::hours::HOUR_NS;
use crate::wide::mul_div_round;

/// Money in units of 10^-15 of a currency unit.
///
/// The unit is finer than a billionth because golden data holds sums of thousands of rounded
/// amounts to 1e-9. Amounts are at most 10^15 currency units each ([`Money::MOST`]), so a sum of
/// 10^8 of them fits into 128 bits; a larger sum is the largest number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(i128);

/// Units of [`Money`] in a currency unit.
const UNIT: u128 = 10_u128.pow(Money::DECIMALS);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// Largest single amount, 10^15 currency units.
    pub const MOST: Self = Self(10_i128.pow(15 + Self::DECIMALS));
    /// Decimals of an amount.
    pub const DECIMALS: u32 = 15;

    /// Returns the amount of this many units of 10^-15; above [`Money::MOST`], `None`.
    pub fn from_units(units: u128) -> Option<Self> {
        let money = i128::try_from(units).ok().map(Self)?;
        (money <= Self::MOST).then_some(money)
    }

    /// Returns the units of 10^-15; those of a negative amount are 0.
    pub fn units(self) -> u128 {
        u128::try_from(self.0).unwrap_or(0)
    }

    /// Returns the sum of parts of a whole, which [`crate::share::by_weight`] made.
    pub(crate) fn part(units: u128) -> Self {
        Self(i128::try_from(units).unwrap_or(i128::MAX))
    }

    /// Returns the amount as the nearest 64-bit float, for ratios and for documents.
    pub fn to_f64(self) -> f64 {
        // A decimal text is read as the nearest float; a division would round twice.
        self.to_string().parse().unwrap_or(f64::MAX)
    }

    /// Returns the units of the amount without its sign.
    pub fn magnitude(self) -> u128 {
        self.0.unsigned_abs()
    }

    /// Returns whether the amount is below zero.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Returns whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the amount, or zero if it is negative.
    #[must_use]
    pub fn at_least_zero(self) -> Self {
        self.max(Self::ZERO)
    }

    /// Returns the cost over a time of an amount per hour, rounded to the nearest unit, a half to
    /// the even one.
    #[must_use]
    pub fn over(self, nanoseconds: u128) -> Self {
        self.scaled(nanoseconds, HOUR_NS)
    }

    /// Returns the cost over a number of hours of an amount that was paid over a time; zero for no
    /// time.
    #[must_use]
    pub fn at_rate(self, nanoseconds: u128, hours: u32) -> Self {
        self.scaled(HOUR_NS * u128::from(hours), nanoseconds)
    }

    /// Returns this percentage of the amount; the percentage is a number such as 5.
    #[must_use]
    pub fn percent(self, percent: Self) -> Self {
        self.scaled(percent.units(), UNIT * 100)
    }

    fn scaled(self, factor: u128, divisor: u128) -> Self {
        if divisor == 0 {
            return Self::ZERO;
        }
        let scaled = mul_div_round(self.0.unsigned_abs(), factor, divisor);
        let scaled = Self::part(scaled.unwrap_or(u128::MAX));
        if self.0 < 0 { Self(-scaled.0) } else { scaled }
    }

    /// Returns the amount in billionths, rounded to the nearest, a half to the even one.
    pub fn nano(self) -> i128 {
        let nano = 10_u128.pow(Self::DECIMALS - 9);
        let rounded = mul_div_round(self.0.unsigned_abs(), 1, nano).unwrap_or(0);
        let rounded = i128::try_from(rounded).unwrap_or(i128::MAX);
        if self.0 < 0 { -rounded } else { rounded }
    }

    /// Writes the amount with this number of decimals, at most 15, rounded to the nearest.
    pub fn rounded(self, decimals: u32) -> String {
        let decimals = decimals.min(Self::DECIMALS);
        let cut = 10_u128.pow(Self::DECIMALS - decimals);
        let units = self.0.unsigned_abs();
        let rounded = mul_div_round(units, 1, cut).unwrap_or(units / cut);
        let sign = if self.0 < 0 && rounded > 0 { "-" } else { "" };
        let one = 10_u128.pow(decimals);
        let (whole, part) = (rounded / one, rounded % one);
        let width = decimals as usize;
        match decimals {
            0 => format!("{sign}{whole}"),
            _ => format!("{sign}{whole}.{part:0width$}"),
        }
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Writes the exact amount as a decimal number without trailing zeros.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.rounded(Self::DECIMALS);
        let text = text.trim_end_matches('0').trim_end_matches('.');
        f.write_str(text)
    }
}

/// Reason why a text is no amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is no decimal number.
    #[error("not a decimal number such as 0.031611")]
    Malformed,
    /// The amount is below zero.
    #[error("below zero")]
    Negative,
    /// The amount is above 10^15.
    #[error("above 1e15")]
    TooLarge,
}

/// Reads a decimal number, with or without an exponent, rounded to 15 decimals (a half up).
impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let text = text.trim();
        let (text, negative) = match text.strip_prefix('-') {
            Some(rest) => (rest, true),
            None => (text.strip_prefix('+').unwrap_or(text), false),
        };
        let units = parse(text)?;
        match (negative && units > 0, Self::from_units(units)) {
            (true, _) => Err(MoneyError::Negative),
            (false, Some(money)) => Ok(money),
            (false, None) => Err(MoneyError::TooLarge),
        }
    }
}

fn parse(text: &str) -> Result<u128, MoneyError> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            let exponent: i32 = exponent.parse().map_err(|_| MoneyError::Malformed)?;
            (mantissa, exponent)
        }
        None => (text, 0),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: Vec<u8> = whole.bytes().chain(part.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(MoneyError::Malformed);
    }
    // Number of digits before the point in units of 10^-15.
    let point = i64::try_from(whole.len()).map_err(|_| MoneyError::TooLarge)?
        + i64::from(exponent)
        + i64::from(Money::DECIMALS);
    let mut units = 0_u128;
    for place in 0..point.max(0) {
        let digit = usize::try_from(place)
            .ok()
            .and_then(|place| digits.get(place));
        let digit = digit.map_or(0, |digit| u128::from(digit - b'0'));
        units = units
            .checked_mul(10)
            .and_then(|units| units.checked_add(digit))
            .ok_or(MoneyError::TooLarge)?;
        if units > UNIT * UNIT {
            return Err(MoneyError::TooLarge);
        }
        if units == 0 && usize::try_from(place).is_ok_and(|place| place >= digits.len()) {
            break;
        }
    }
    let next = usize::try_from(point)
        .ok()
        .and_then(|place| digits.get(place));
    Ok(units + u128::from(next.is_some_and(|digit| *digit >= b'5')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_numbers_are_read_and_written_exactly() {
        for text in [
            "0",
            "0.031611",
            "0.00005479452",
            "12",
            "1000000.000000000000001",
        ] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), text);
        }
        for (text, expected) in [
            ("1e-3", "0.001"),
            ("2.5E2", "250"),
            (" .5 ", "0.5"),
            ("7.", "7"),
            ("+1", "1"),
            ("-0.0", "0"),
            ("0.0000000000000015", "0.000000000000002"),
            ("1e-99", "0"),
            ("0e999999", "0"),
        ] {
            assert_eq!(text.parse::<Money>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, error) in [
            ("", MoneyError::Malformed),
            (".", MoneyError::Malformed),
            ("NaN", MoneyError::Malformed),
            ("inf", MoneyError::Malformed),
            ("1,5", MoneyError::Malformed),
            ("0x10", MoneyError::Malformed),
            ("1e", MoneyError::Malformed),
            ("-1", MoneyError::Negative),
            ("1e16", MoneyError::TooLarge),
            ("1e999999999", MoneyError::TooLarge),
        ] {
            assert_eq!(text.parse::<Money>(), Err(error), "{text}");
        }
    }

    #[test]
    fn amounts_are_rounded_to_the_nearest_number_of_decimals() {
        let money: Money = "1.2345".parse().unwrap();
        assert_eq!(money.rounded(2), "1.23");
        assert_eq!(money.rounded(0), "1");
        assert_eq!((Money::ZERO - money).rounded(3), "-1.234");
        assert_eq!(money.nano(), 1_234_500_000);
    }
}
