//! Points in time as the journal and the wire carry them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds since the Unix epoch; as text RFC 3339 in UTC with nine digits of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Returns the wall clock's present time.
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Returns the point `nanos` nanoseconds after the Unix epoch.
    pub fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the Unix epoch.
    pub fn nanos(self) -> u64 {
        self.0
    }

    /// Returns the time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The time of an event on two clocks: the wall clock, and a clock that nobody sets.
///
/// Other programs are told the time of the wall clock. Durations are computed on the steady
/// clock, so that they are neither negative nor too long after somebody has set the wall clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    wall: Timestamp,
    skew_ns: i64,
}

impl Moment {
    /// Returns the moment at which the wall clock shows `wall` and the steady clock shows
    /// `skew_ns` nanoseconds more.
    pub fn new(wall: Timestamp, skew_ns: i64) -> Self {
        Self { wall, skew_ns }
    }

    /// Returns the time of the wall clock.
    pub fn wall(self) -> Timestamp {
        self.wall
    }

    /// Returns the time of the steady clock: the time that the wall clock would show if nobody
    /// had set it.
    pub fn steady(self) -> Timestamp {
        Timestamp(self.wall.0.saturating_add_signed(self.skew_ns))
    }

    /// Returns the time of the steady clock minus that of the wall clock, in nanoseconds.
    pub fn skew_ns(self) -> i64 {
        self.skew_ns
    }
}

impl From<Timestamp> for Moment {
    /// Returns the moment at which both clocks show this time.
    fn from(wall: Timestamp) -> Self {
        Self { wall, skew_ns: 0 }
    }
}

impl From<SystemTime> for Timestamp {
    /// Converts a time, clamped to the years 1970 to 2554 that 64 bits of nanoseconds hold.
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_nanos(time.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_nanos((*self).into()).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text)
            .map(Self::from)
            .map_err(|e| D::Error::custom(format!("time {text:?}: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_rfc_3339_in_utc() {
        let time = Timestamp::from_nanos(1_704_103_200_000_000_001);
        assert_eq!(
            serde_json::to_string(&time).unwrap(),
            "\"2024-01-01T10:00:00.000000001Z\""
        );
    }

    #[test]
    fn a_time_before_the_epoch_becomes_the_epoch() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before).nanos(), 0);
    }

    proptest! {
        #[test]
        fn text_keeps_every_nanosecond(nanos: u64) {
            let time = Timestamp::from_nanos(nanos);
            let text = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), time);
        }
    }
}
