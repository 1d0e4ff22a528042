//! Days of the calendar, by which tables are divided.

use std::fmt;

use inventory::Timestamp;

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// Day in UTC, in days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(i64);

impl Day {
    /// Returns the day of a time.
    pub(crate) fn of(time: Timestamp) -> Self {
        Self(time.0.div_euclid(DAY_NS))
    }
}

/// Writes the day as `YYYY-MM-DD` of the Gregorian calendar.
///
/// A year is counted from March, so that the leap day is its last.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS_OF_400_YEARS: i64 = 146_097;
        /// Days from 0000-03-01 to 1970-01-01.
        const TO_1970: i64 = 719_468;
        let days = self.0 + TO_1970;
        let (era, day) = (
            days.div_euclid(DAYS_OF_400_YEARS),
            days.rem_euclid(DAYS_OF_400_YEARS),
        );
        let leap_days = day / 1_460 - day / 36_524 + day / 146_096;
        let year = (day - leap_days) / 365;
        let day_of_year = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let year = year + era * 400 + next;
        write!(f, "{year:04}-{month:02}-{day_of_month:02}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_day_is_the_date_of_its_time(time in 0..i64::MAX) {
            let time = Timestamp(time);
            prop_assert_eq!(Day::of(time).to_string(), &time.to_string()[..10]);
        }
    }

    #[test]
    fn days_before_1970_and_at_the_ends_have_dates() {
        for (time, date) in [
            (-1, "1969-12-31"),
            (i64::MIN, "1677-09-21"),
            (i64::MAX, "2262-04-11"),
            (951_782_400_000_000_000, "2000-02-29"),
        ] {
            assert_eq!(Day::of(Timestamp(time)).to_string(), date);
        }
    }
}
