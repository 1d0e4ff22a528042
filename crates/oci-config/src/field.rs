//! A field of a spec, and the ways to decode one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A field of a spec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// The field is absent or `null`.
    #[default]
    Absent,
    /// The value of the field.
    Value(T),
    /// The field holds a value of another type or range, given as JSON.
    Unreadable(Box<str>),
}

/// A field with a value that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: cannot read {}: expected {expected}", Shown(value))]
pub struct InvalidField {
    /// Path of the field in the spec, such as `process.args`.
    pub path: &'static str,
    /// The value, as JSON.
    pub value: String,
    /// Description of a valid value.
    pub expected: &'static str,
}

/// Most characters of a value in a message.
const SHOWN: usize = 64;

/// Shows the beginning of a value, with control characters escaped.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        for c in chars.by_ref().take(SHOWN) {
            if c.is_control() {
                write!(f, "{}", c.escape_debug())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        if chars.as_str().is_empty() {
            Ok(())
        } else {
            f.write_str("…")
        }
    }
}

impl<T> Field<T> {
    /// Returns the value; `None` if the field is absent or unreadable.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Unreadable(_) => None,
        }
    }

    /// Returns the value; `None` if the field is absent.
    ///
    /// # Errors
    /// The field, if it is unreadable. `path` is its path in the spec, `expected` describes a
    /// valid value.
    ///
    /// ```
    /// use oci_config::Field;
    ///
    /// let field = Field::<u32>::Unreadable("\"root\"".into());
    /// let error = field.read("process.user.uid", "the number of a user").unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "process.user.uid: cannot read \"root\": expected the number of a user"
    /// );
    /// ```
    pub fn read(
        &self,
        path: &'static str,
        expected: &'static str,
    ) -> Result<Option<&T>, InvalidField> {
        match self {
            Self::Absent => Ok(None),
            Self::Value(value) => Ok(Some(value)),
            Self::Unreadable(value) => Err(InvalidField {
                path,
                value: value.to_string(),
                expected,
            }),
        }
    }

    /// Returns the value as [`Field::read`] does, or adds the field to `invalid`.
    pub fn take(
        self,
        path: &'static str,
        expected: &'static str,
        invalid: &mut Vec<InvalidField>,
    ) -> Option<T> {
        match self.read(path, expected) {
            Err(field) => {
                invalid.push(field);
                None
            }
            Ok(_) => match self {
                Self::Value(value) => Some(value),
                Self::Absent | Self::Unreadable(_) => None,
            },
        }
    }
}

fn unreadable<T>(text: &str) -> Field<T> {
    Field::Unreadable(text.into())
}

/// Decodes a value that is small: its text is looked through before it is decoded.
pub(crate) fn small<'de, D, T>(deserializer: D) -> Result<Field<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let text = <&RawValue>::deserialize(deserializer)?.get();
    Ok(match serde_json::from_str(text) {
        Ok(Some(value)) => Field::Value(value),
        Ok(None) => Field::Absent,
        Err(_) => unreadable(text),
    })
}

/// Decodes a whole number from -2^63 to 2^64 - 1, the numbers of the runtime spec's types. A
/// number may have a fraction of zero or an exponent.
pub(crate) fn integer<'de, D>(deserializer: D) -> Result<Field<i128>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = <&RawValue>::deserialize(deserializer)?.get();
    if text == "null" {
        return Ok(Field::Absent);
    }
    let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
    let number = text.parse().ok().or_else(|| whole(text));
    Ok(number
        .filter(|number| range.contains(number))
        .map_or_else(|| unreadable(text), Field::Value))
}

/// Parses a decimal fraction whose value is a whole number.
fn whole(text: &str) -> Option<i128> {
    let number: f64 = text.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float-to-integer cast saturates, and the caller checks the range"
    )]
    let integer = number as i128;
    // A text such as `inf` is no JSON and does not get here.
    (number.fract() == 0.0).then_some(integer)
}

/// Decodes a section, which may be large: its members are decoded as they are read.
pub(crate) fn section<'de, D, T>(deserializer: D) -> Result<Field<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(Section(PhantomData))
}

/// Decodes a JSON object, such as a whole spec.
///
/// # Errors
/// A description of text that is no JSON object.
///
/// ```
/// use oci_config::LinuxResources;
///
/// let update: LinuxResources = oci_config::from_slice(br#"{"pids": {"limit": -1}}"#)?;
/// assert!(update.cpu.value().is_none());
/// assert!(oci_config::from_slice::<LinuxResources>(b"[]").is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn from_slice<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let object = section(&mut deserializer)?;
    deserializer.end()?;
    match object {
        Field::Value(object) => Ok(object),
        Field::Absent => Err(no_object("null")),
        Field::Unreadable(text) => Err(no_object(&text)),
    }
}

fn no_object(text: &str) -> serde_json::Error {
    serde_json::Error::custom(format!("expected an object, not {}", Shown(text)))
}

struct Section<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Section<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Field::Value)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(unreadable(&value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(unreadable(&value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(unreadable(&value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(unreadable(&value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(unreadable(&format!("{value:?}")))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut text = "[]";
        while items.next_element::<IgnoredAny>()?.is_some() {
            text = "[…]";
        }
        Ok(unreadable(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Holder {
        #[serde(default, deserialize_with = "integer")]
        number: Field<i128>,
        #[serde(default, deserialize_with = "small")]
        list: Field<Vec<u32>>,
    }

    fn number(text: &str) -> Field<i128> {
        let holder = format!("{{\"number\": {text} }}");
        serde_json::from_str::<Holder>(&holder).unwrap().number
    }

    #[test]
    fn a_number_may_be_written_in_each_way_of_json() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("-1", -1),
            ("100000.0", 100_000),
            ("1e5", 100_000),
            ("1.5E1", 15),
            ("9223372036854775807", i128::from(i64::MAX)),
            ("-9223372036854775808", i128::from(i64::MIN)),
            ("18446744073709551615", i128::from(u64::MAX)),
        ] {
            assert_eq!(number(text), Field::Value(value), "{text}");
        }
        assert_eq!(number("null"), Field::Absent);
        for text in [
            "0.5",
            "18446744073709551616",
            "-9223372036854775809",
            "1e20",
            "1e999",
            "\"1\"",
            "true",
            "[1]",
            "{}",
        ] {
            assert_eq!(number(text), Field::Unreadable(text.into()), "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_kept_with_its_text() {
        let list = |text: &str| {
            let holder = format!("{{\"list\":{text}}}");
            serde_json::from_str::<Holder>(&holder).unwrap().list
        };
        assert_eq!(list("[1, 2]"), Field::Value(vec![1, 2]));
        assert_eq!(list("null"), Field::Absent);
        assert_eq!(list("[1, -2]"), Field::Unreadable("[1, -2]".into()));
        let long = list(&format!("\"\\n{}\"", "x".repeat(500)));
        let message = long.read("list", "numbers").unwrap_err().to_string();
        assert!(message.len() < 120, "{message}");
        assert!(
            message.starts_with("list: cannot read \"\\nxx"),
            "{message}"
        );
    }

    #[test]
    fn an_unreadable_field_is_taken_as_absent_and_noted() {
        let mut invalid = Vec::new();
        let taken = number("true").take("number", "a number", &mut invalid);
        assert_eq!(taken, None);
        assert_eq!(invalid[0].path, "number");
        assert_eq!(
            number("7").take("number", "a number", &mut invalid),
            Some(7)
        );
        assert_eq!(invalid.len(), 1);
    }
}
