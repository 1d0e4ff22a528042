//! One line of a journal: its checksum, and the parts of a record.
//!
//! The form is that of the sandboxer's reference, `docs/reference/journal.md`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Timestamp;

/// Length of `,"crc":"`, eight digits and `"}`.
const SEAL: usize = 8 + 8 + 2;
/// Length of a time with nine digits of a second.
const NINE_DIGITS: usize = 30;

/// Record of a segment.
#[derive(Debug, PartialEq)]
pub(super) struct Record<'a> {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    /// Namespace of containerd.
    pub(super) namespace: Cow<'a, str>,
    pub(super) sandbox: Cow<'a, str>,
    /// The change, as JSON.
    pub(super) change: &'a str,
}

/// Checks a line, given without its newline, and returns its JSON object.
///
/// # Errors
/// A checksum that is missing or wrong, and bytes that are no text.
pub(super) fn unseal(line: &[u8]) -> Result<&str, &'static str> {
    const WRONG: &str = "the checksum is missing or wrong";
    let content = line.len().checked_sub(SEAL).ok_or(WRONG)?;
    let (content, seal) = line.split_at(content);
    let digits = seal
        .strip_prefix(b",\"crc\":\"")
        .and_then(|seal| seal.strip_suffix(b"\"}"))
        .ok_or(WRONG)?;
    if hexadecimal(digits) != Some(crc32fast::hash(content)) {
        return Err(WRONG);
    }
    std::str::from_utf8(line).map_err(|_| "the line is not in UTF-8")
}

/// Reads lower-case digits.
fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((number << 4) | u32::from(value))
    })
}

/// Reads a record from the JSON object of a line.
///
/// # Errors
/// A description of an object that is no record.
pub(super) fn record(object: &str) -> Result<Record<'_>, String> {
    match plain(object) {
        Some(record) => Ok(record),
        None => general(object),
    }
}

/// Reads a record in the form that the sandboxer writes: members in their order, no spaces, no
/// escapes.
fn plain(object: &str) -> Option<Record<'_>> {
    let mut rest = Rest(object.as_bytes());
    rest.skip(b"{\"seq\":")?;
    let seq = rest.number()?;
    rest.skip(b",\"at\":\"")?;
    let at = nine_digits(rest.take(NINE_DIGITS)?)?;
    rest.skip(b"\",\"")?;
    if rest.skip(b"skew\":").is_some() {
        let _ = rest.skip(b"-");
        rest.number()?;
        rest.skip(b",\"")?;
    }
    rest.skip(b"ns\":\"")?;
    let namespace = rest.text()?;
    rest.skip(b",\"sandbox\":\"")?;
    let sandbox = rest.text()?;
    rest.skip(b",\"do\":")?;
    let begin = object.len() - rest.0.len();
    let change = object.get(begin..object.len().checked_sub(SEAL)?)?;
    Some(Record {
        seq,
        at,
        namespace: Cow::Borrowed(namespace),
        sandbox: Cow::Borrowed(sandbox),
        change,
    })
}

/// Rest of a line.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn skip(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit());
        let digits = self.take(digits.count())?;
        let first = digits.first().map(|_| 0_u64);
        digits.iter().fold(first, |number, digit| {
            number?
                .checked_mul(10)?
                .checked_add(u64::from(digit - b'0'))
        })
    }

    /// Takes a text up to its quotation mark; `None` for one with an escape.
    fn text(&mut self) -> Option<&'a str> {
        let text = self.take(memchr::memchr2(b'"', b'\\', self.0)?)?;
        self.skip(b"\"")?;
        std::str::from_utf8(text).ok()
    }
}

fn general(object: &str) -> Result<Record<'_>, String> {
    #[derive(Deserialize)]
    struct Line<'a> {
        seq: u64,
        #[serde(borrow)]
        at: Cow<'a, str>,
        #[serde(borrow)]
        ns: Cow<'a, str>,
        #[serde(borrow)]
        sandbox: Cow<'a, str>,
        #[serde(borrow, rename = "do")]
        change: &'a RawValue,
    }
    let line: Line<'_> = serde_json::from_str(object).map_err(|error| error.to_string())?;
    let at = time(&line.at).ok_or_else(|| format!("at is {:?}, no time", line.at))?;
    Ok(Record {
        seq: line.seq,
        at,
        namespace: line.ns,
        sandbox: line.sandbox,
        change: line.change.get(),
    })
}

/// Reads a time of RFC 3339.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    nine_digits(text.as_bytes()).or_else(|| text.parse().ok())
}

/// Reads a time in the form that the sandboxer writes, `2024-01-01T10:00:00.000000000Z`.
fn nine_digits(text: &[u8]) -> Option<Timestamp> {
    let bytes: &[u8; NINE_DIGITS] = text.try_into().ok()?;
    let number = |from: usize, to: usize| {
        bytes[from..to].iter().try_fold(0_i64, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    for (place, mark) in [
        (4, b'-'),
        (7, b'-'),
        (10, b'T'),
        (13, b':'),
        (16, b':'),
        (19, b'.'),
        (29, b'Z'),
    ] {
        if bytes[place] != mark {
            return None;
        }
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    // A month without this day is left to the general parser, which refuses it.
    if !(1970..2262).contains(&year) || !(1..=12).contains(&month) || !(1..=28).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some(Timestamp(seconds * 1_000_000_000 + number(20, 29)?))
}

/// Returns the days from 1970-01-01 to a date of the Gregorian calendar from 1970 on. Years begin
/// in March here, so that the day that a leap year has more is the last of a year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let before_year = year * 365 + year / 4 - year / 100 + year / 400;
    // March to July, and August to December, have 153 days each.
    let before_month = (153 * month + 2) / 5;
    before_year + before_month + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::testing::sealed;

    const RECORD: &str = r#"{"seq":17,"at":"2024-01-01T10:00:00.000000001Z","ns":"k8s.io","sandbox":"abc","do":"start""#;

    #[test]
    fn a_line_is_unsealed_and_a_flipped_bit_is_noticed() {
        let line = sealed(RECORD);
        let line = line.trim_end();
        let record = record(unseal(line.as_bytes()).unwrap()).unwrap();
        assert_eq!((record.seq, record.change), (17, "\"start\""));
        assert_eq!((&*record.namespace, &*record.sandbox), ("k8s.io", "abc"));
        assert_eq!(record.at, "2024-01-01T10:00:00.000000001Z".parse().unwrap());
        for bit in 0..line.len() * 8 {
            let mut flipped = line.as_bytes().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&flipped).is_err(), "bit {bit}");
        }
        assert!(unseal(b"").is_err());
    }

    #[test]
    fn another_form_of_the_same_record_reads_alike() {
        let plain_one = sealed(RECORD);
        let spaced = sealed(&RECORD.replace(",\"at\"", ", \"at\""));
        let skewed = sealed(&RECORD.replace(",\"ns\"", ",\"skew\":-5,\"ns\""));
        let expected = record(plain_one.trim_end()).unwrap();
        assert!(plain(spaced.trim_end()).is_none());
        assert_eq!(record(spaced.trim_end()).unwrap(), expected);
        assert_eq!(plain(skewed.trim_end()).unwrap(), expected);
        assert_eq!(general(skewed.trim_end()).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn the_fast_reading_of_a_time_agrees_with_the_general_one(
            nanos in 0..=9_000_000_000_000_000_000_i64,
        ) {
            let since = std::time::Duration::from_nanos(nanos.unsigned_abs());
            let text = humantime::format_rfc3339_nanos(std::time::UNIX_EPOCH + since).to_string();
            prop_assert_eq!(time(&text), Some(Timestamp(nanos)));
            if let Some(fast) = nine_digits(text.as_bytes()) {
                prop_assert_eq!(fast, Timestamp(nanos));
            }
        }

        #[test]
        fn no_text_causes_a_panic(text in ".{0,80}") {
            let _ = time(&text);
            let _ = record(&text);
            let _ = unseal(text.as_bytes());
        }
    }
}
