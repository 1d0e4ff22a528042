//! Points in time, as Go's package `time` computes with them.

use std::fmt;

use inventory::Timestamp;

/// Nanoseconds from the beginning of the year 1 to 1970-01-01T00:00:00Z.
const TO_1970: i128 = 62_135_596_800 * 1_000_000_000;

/// Point in time, in nanoseconds since the beginning of the year 1 (Go's `Time`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i128);

impl Moment {
    /// Beginning of the year 1, which stands for no time (`IsZero`).
    pub const ZERO: Self = Self(0);

    /// Returns whether this stands for no time.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Returns the point in time; `None` for no time and for times that a [`Timestamp`] cannot
    /// express.
    pub fn timestamp(self) -> Option<Timestamp> {
        i64::try_from(self.0 - TO_1970).ok().map(Timestamp)
    }

    /// Returns the nanoseconds since another point in time, at most 2^63 − 1 in either direction.
    pub(crate) fn since(self, other: Self) -> i64 {
        let nanos = (self.0 - other.0).clamp(i64::MIN.into(), i64::MAX.into());
        i64::try_from(nanos).unwrap_or(i64::MAX)
    }

    /// Returns the point in time some nanoseconds later.
    pub(crate) fn plus(self, nanos: i128) -> Self {
        Self(self.0 + nanos)
    }

    /// Returns the multiple of an interval that is nearest, the later of two (`Time.Round`).
    pub(crate) fn round(self, interval: i64) -> Self {
        let interval = i128::from(interval);
        let rest = self.0.rem_euclid(interval);
        if rest * 2 < interval {
            Self(self.0 - rest)
        } else {
            Self(self.0 + interval - rest)
        }
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self(TO_1970 + i128::from(time.0))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timestamp() {
            Some(time) => write!(f, "{time}"),
            None if self.is_zero() => f.write_str("0001-01-01T00:00:00Z"),
            None => write!(f, "{} ns after the year 1", self.0),
        }
    }
}
