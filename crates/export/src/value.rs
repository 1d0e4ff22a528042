//! Values of cells.

/// Value of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// Unknown or not stated.
    Null,
    /// Text.
    Text(&'a str),
    /// Number, time in nanoseconds since 1970, or truth as 0 and 1.
    Integer(i64),
}

impl<'a> Value<'a> {
    /// Returns the text, or nothing.
    pub(crate) fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }

    /// Returns the number, or nothing.
    pub(crate) fn integer(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Integer)
    }

    /// Returns the time, or nothing.
    pub(crate) fn time(time: Option<inventory::Timestamp>) -> Self {
        Self::integer(time.map(|time| time.0))
    }

    /// Returns the truth.
    pub(crate) fn flag(flag: bool) -> Self {
        Self::Integer(i64::from(flag))
    }
}
