//! Quantities of resources with the representation that apimachinery chooses.

use kube_resources::QuantityError;

const NANO: i128 = 1_000_000_000;

/// Largest magnitude in billionths: that of an `int64`.
const MAX: i128 = i64::MAX as i128 * NANO;

/// Digits that apimachinery reads into 64 bits (`maxInt64Factors`).
const MAX_DIGITS: usize = 18;

/// Quantity with the representation that apimachinery chooses, because functions show it:
/// `quantity('1000m')` is no integer. A magnitude above 2^63 - 1 becomes that number.
#[derive(Debug, Clone, Copy)]
pub enum Quantity {
    /// Value times a power of ten (`int64Amount`).
    Scaled {
        /// Value.
        value: i64,
        /// Power of ten.
        scale: i32,
    },
    /// Billionths (`infDecAmount`).
    Decimal(i128),
}

impl Quantity {
    /// Reads a quantity as `ParseQuantity` of apimachinery does.
    ///
    /// # Errors
    /// A text that is no quantity.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let is_negative = text.starts_with('-');
        if unsigned.starts_with(['-', '+']) {
            return Err(QuantityError::Malformed);
        }
        let sign = if is_negative { -1 } else { 1 };
        let nanos = match unsigned.parse::<kube_resources::Quantity>() {
            Ok(quantity) => i128::try_from(quantity.nanos()).unwrap_or(MAX),
            Err(QuantityError::OutOfRange) => return Ok(Self::Decimal(sign * MAX)),
            Err(error) => return Err(error),
        };
        let scaled = scaled(unsigned).map(|(value, scale)| Self::Scaled {
            value: if is_negative { -value } else { value },
            scale,
        });
        Ok(scaled.unwrap_or(Self::Decimal(sign * nanos)))
    }

    /// Returns the amount in billionths.
    pub(crate) fn nanos(self) -> i128 {
        match self {
            Self::Decimal(nanos) => nanos,
            Self::Scaled { value, scale } => {
                let power = u32::try_from(scale + 9).unwrap_or(0);
                let factor = 10_i128.checked_pow(power).unwrap_or(i128::MAX);
                i128::from(value).saturating_mul(factor)
            }
        }
    }

    /// Returns the amount as an integer, if apimachinery keeps it as one.
    pub(crate) fn whole(self) -> Option<i64> {
        match self {
            Self::Scaled { value, scale } => shifted(value, scale),
            Self::Decimal(_) => None,
        }
    }

    /// Returns the amount as a floating-point number, computed as apimachinery does.
    pub(crate) fn float(self) -> f64 {
        let (base, exponent) = match self {
            Self::Scaled { value, scale } => (value as f64, scale),
            Self::Decimal(nanos) => (nanos as f64, -9),
        };
        if exponent == 0 {
            return base;
        }
        // The text is read to the nearest number, as the table of Go's `math.Pow10` has it.
        base * format!("1e{exponent}").parse::<f64>().unwrap_or(1.0)
    }

    /// Adds an amount.
    pub(crate) fn plus(self, other: Self) -> Self {
        if let (
            Self::Scaled { value, scale },
            Self::Scaled {
                value: more,
                scale: finer,
            },
        ) = (self, other)
        {
            if more == 0 {
                return self;
            }
            if value == 0 {
                return other;
            }
            let least = scale.min(finer);
            let sum = shifted(value, scale - least)
                .zip(shifted(more, finer - least))
                .and_then(|(a, b)| a.checked_add(b));
            if let Some(value) = sum {
                return Self::Scaled {
                    value,
                    scale: least,
                };
            }
        }
        Self::Decimal(self.nanos().saturating_add(other.nanos()))
    }

    /// Returns the amount with the other sign.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Scaled { value, scale } => Self::Scaled {
                value: value.saturating_neg(),
                scale,
            },
            Self::Decimal(nanos) => Self::Decimal(-nanos),
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos() == other.nanos()
    }
}

/// Multiplies by a power of ten that is not negative.
fn shifted(value: i64, scale: i32) -> Option<i64> {
    let power = u32::try_from(scale).ok()?;
    value.checked_mul(10_i64.checked_pow(power)?)
}

/// Returns value and power of ten of an unsigned text that apimachinery reads into 64 bits.
fn scaled(text: &str) -> Option<(i64, i32)> {
    let split = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
        (digits.to_owned(), rest.to_owned())
    };
    let (whole, rest) = split(text);
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => split(rest),
        None => (String::new(), rest),
    };
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let digits = whole.len() + fraction.len();
    if let Some(power) = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
        .iter()
        .position(|known| *known == suffix)
    {
        let exponent = 10 * (power + 1);
        let fits = fraction.is_empty() && whole.len() + exponent * 3 / 10 < 15;
        let factor = 1_i64.checked_shl(u32::try_from(exponent).ok()?)?;
        return fits
            .then(|| whole.parse::<i64>().ok()?.checked_mul(factor))
            .flatten()
            .map(|value| (value, 0));
    }
    let exponent: i32 = match suffix.as_str() {
        "n" => -9,
        "u" => -6,
        "m" => -3,
        "" => 0,
        "k" => 3,
        "M" => 6,
        "G" => 9,
        "T" => 12,
        "P" => 15,
        "E" => 18,
        other => other.get(1..)?.parse().ok()?,
    };
    let scale = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if digits > MAX_DIGITS || scale < -9 {
        return None;
    }
    let value = format!("{whole}{fraction}").parse().ok()?;
    Some((value, scale))
}
