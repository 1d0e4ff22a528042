//! Hours and months.

/// Nanoseconds of an hour.
pub const HOUR_NS: u128 = 3_600_000_000_000;

/// Hours of a month: 365 days of 24 hours, divided by 12.
pub const MONTH_HOURS: u32 = 730;
