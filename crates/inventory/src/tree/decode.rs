//! Trees to types.

use std::fmt;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::{Tree, Value};

/// Wrong value of a document, with its line and field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) struct DecodeError {
    /// Line, once the value is known.
    line: Option<u64>,
    /// Path of the field, from the root.
    field: String,
    message: String,
}

/// Step from a value to one within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// Value of a key of a map.
    Key(&'a str),
    /// Item of a list.
    Item(usize),
}

impl DecodeError {
    /// Returns the error of the value that lies these steps within a tree. Its line is that of
    /// the last value on the way.
    pub fn of(tree: &Tree, steps: &[Step<'_>], message: impl Into<String>) -> Self {
        let mut last = tree;
        for step in steps {
            let next = match step {
                Step::Key(key) => last.get(key),
                Step::Item(place) => last.item(*place),
            };
            match next {
                Some(next) => last = next,
                None => break,
            }
        }
        let error = Self::at(last.line, message);
        steps.iter().rev().fold(error, |error, step| match step {
            Step::Key(key) => error.within(key),
            Step::Item(place) => error.within_item(*place),
        })
    }

    /// Returns the error of a line.
    pub fn at(line: u64, message: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            field: String::new(),
            message: message.into(),
        }
    }

    /// Puts the name of the enclosing field before the path.
    #[must_use]
    pub fn within(mut self, key: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let key = if !key.is_empty() && key.chars().all(is_plain) {
            key.to_owned()
        } else {
            format!("[{key}]")
        };
        self.prepend(&key);
        self
    }

    /// Puts the place in the enclosing list before the path.
    #[must_use]
    pub fn within_item(mut self, place: usize) -> Self {
        self.prepend(&format!("[{place}]"));
        self
    }

    fn prepend(&mut self, segment: &str) {
        let dot = if self.field.is_empty() || self.field.starts_with('[') {
            ""
        } else {
            "."
        };
        self.field = format!("{segment}{dot}{}", self.field);
    }

    fn or_line(mut self, line: u64) -> Self {
        self.line.get_or_insert(line);
        self
    }

    /// Returns line, field and message.
    pub fn into_parts(self) -> (u64, String, String) {
        (self.line.unwrap_or(0), self.field, self.message)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "{line}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            line: None,
            field: String::new(),
            message: message.to_string(),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let expected = match expected.as_str() {
            "i32" | "i64" | "u32" | "u64" => "a whole number",
            text if text.starts_with("struct ") => "a map",
            text => text,
        };
        let hint = match found {
            Unexpected::Bool(_) if expected == "a string" => {
                " (YAML reads a plain yes, no, on, off, y or n so: quote it)"
            }
            _ => "",
        };
        let found = match found {
            Unexpected::Map => "a map".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Unit => "null".to_owned(),
            Unexpected::Str(text) => format!("{text:?}"),
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Signed(value) => value.to_string(),
            Unexpected::Unsigned(value) => value.to_string(),
            Unexpected::Float(value) => value.to_string(),
            other => other.to_string(),
        };
        Self::custom(format_args!("{found} is not {expected}{hint}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let range = match expected.to_string().as_str() {
            "i32" => (i64::from(i32::MIN), i64::from(i32::MAX)),
            "i64" => (i64::MIN, i64::MAX),
            "u32" => (0, i64::from(u32::MAX)),
            _ => return Self::invalid_type(found, expected),
        };
        let number = match found {
            Unexpected::Signed(value) => value.to_string(),
            Unexpected::Unsigned(value) => value.to_string(),
            _ => return Self::invalid_type(found, expected),
        };
        let (least, most) = range;
        Self::custom(format_args!("{number} is not from {least} to {most}"))
    }
}

/// Reads a value of a type from a tree. As in Go, `null` is the empty value of its type.
pub(crate) fn decode<'de, T: Deserialize<'de>>(tree: &'de Tree) -> Result<T, DecodeError> {
    T::deserialize(Decoder(tree)).map_err(|error| error.or_line(tree.line))
}

#[derive(Clone, Copy)]
struct Decoder<'de>(&'de Tree);

/// Methods that read `null` as an empty value.
macro_rules! empty_if_null {
    ($($method:ident => $visit:ident($empty:expr),)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.0.value {
                Value::Null => visitor.$visit($empty),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Decoder<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Signed(value) => visitor.visit_i64(*value),
            Value::Unsigned(value) => visitor.visit_u64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            // A struct is also made of a list of its fields, which no manifest means.
            Value::List(_) => Err(de::Error::custom("a list is not a map")),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match &self.0.value {
            Value::Text(text) => visitor.visit_enum(UnitVariant(text)),
            _ => self.deserialize_any(visitor),
        }
    }

    empty_if_null! {
        deserialize_bool => visit_bool(false),
        deserialize_i8 => visit_i64(0),
        deserialize_i16 => visit_i64(0),
        deserialize_i32 => visit_i64(0),
        deserialize_i64 => visit_i64(0),
        deserialize_u8 => visit_u64(0),
        deserialize_u16 => visit_u64(0),
        deserialize_u32 => visit_u64(0),
        deserialize_u64 => visit_u64(0),
        deserialize_f32 => visit_f64(0.0),
        deserialize_f64 => visit_f64(0.0),
        deserialize_str => visit_borrowed_str(""),
        deserialize_string => visit_borrowed_str(""),
        deserialize_seq => visit_seq(Items { items: &[], next: 0 }),
        deserialize_map => visit_map(Entries { entries: &[], next: 0 }),
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct Items<'de> {
    items: &'de [Tree],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        let place = self.next;
        self.next += 1;
        seed.deserialize(Decoder(item))
            .map(Some)
            .map_err(|error| error.or_line(item.line).within_item(place))
    }
}

struct Entries<'de> {
    entries: &'de [(String, Tree)],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        let Some((key, _)) = self.entries.get(self.next) else {
            return Ok(None);
        };
        let key: StrDeserializer<'_, DecodeError> = key.as_str().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let Some((key, tree)) = self.entries.get(self.next) else {
            return Err(de::Error::custom("a value without a key"));
        };
        self.next += 1;
        seed.deserialize(Decoder(tree))
            .map_err(|error| error.or_line(tree.line).within(key))
    }
}

/// Text that names a variant without contents.
struct UnitVariant<'de>(&'de str);

impl<'de> EnumAccess<'de> for UnitVariant<'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), DecodeError> {
        let name: StrDeserializer<'_, DecodeError> = self.0.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for UnitVariant<'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        _seed: T,
    ) -> Result<T::Value, DecodeError> {
        Err(de::Error::custom("a text is not a map"))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        _visitor: V,
    ) -> Result<V::Value, DecodeError> {
        Err(de::Error::custom("a text is not a list"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, DecodeError> {
        Err(de::Error::custom("a text is not a map"))
    }
}
