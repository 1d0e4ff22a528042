//! Values.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::opaque::{NamedFormat, Quantity, Semver, Url};
use crate::types::Type;

/// Value of an expression. Copies share texts, lists and maps.
#[derive(Debug, Clone)]
pub enum Value {
    /// `null`.
    Null,
    /// Truth value.
    Bool(bool),
    /// Signed integer.
    Int(i64),
    /// Unsigned integer.
    Uint(u64),
    /// Floating-point number.
    Double(f64),
    /// Text.
    String(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// Point in time, in nanoseconds since 1970.
    Timestamp(i128),
    /// Length of time, in nanoseconds.
    Duration(i64),
    /// List.
    List(Arc<Vec<Value>>),
    /// Map.
    Map(Arc<Map>),
    /// Value that may be absent.
    Optional(Option<Arc<Value>>),
    /// Type.
    Type(Arc<Type>),
    /// Quantity of a resource.
    Quantity(Quantity),
    /// URL.
    Url(Arc<Url>),
    /// IP address.
    Ip(IpAddr),
    /// Block of IP addresses.
    Cidr(IpNet),
    /// Semantic version.
    Semver(Arc<Semver>),
    /// Format of texts.
    Format(NamedFormat),
}

/// Map; the entries are in the order of their keys.
#[derive(Debug, Clone, Default)]
pub struct Map(Vec<(Value, Value)>);

impl Map {
    /// Returns the value of a key.
    pub fn get(&self, key: &Value) -> Option<&Value> {
        let place = self.0.binary_search_by(|(other, _)| order(other, key));
        place.ok().and_then(|place| Some(&self.0.get(place)?.1))
    }

    /// Returns the value of a text key.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let place = self.0.binary_search_by(|(other, _)| match other {
            Value::String(text) => text.as_ref().cmp(name),
            other => rank(other).cmp(&STRING_RANK),
        });
        place.ok().and_then(|place| Some(&self.0.get(place)?.1))
    }

    /// Sets the value of a key; returns `false` if the key was there.
    pub fn insert(&mut self, key: Value, value: Value) -> bool {
        match self.0.binary_search_by(|(other, _)| order(other, &key)) {
            Ok(place) => {
                self.0[place].1 = value;
                false
            }
            Err(place) => {
                self.0.insert(place, (key, value));
                true
            }
        }
    }

    /// Returns the entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the map has no entries.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Value, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (Value, Value)>>(entries: I) -> Self {
        let mut map = Self::default();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

const STRING_RANK: u8 = 3;

fn rank(key: &Value) -> u8 {
    match key {
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Uint(_) | Value::Double(_) => 2,
        Value::String(_) => STRING_RANK,
        _ => 4,
    }
}

/// Returns the order of two keys of maps; numbers of different types that are equal are one key.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        _ => rank(a)
            .cmp(&rank(b))
            .then_with(|| compare_numbers(a, b).unwrap_or(Ordering::Equal)),
    }
}

/// Compares two numbers of any types; `None` if one is no number or NaN.
pub(crate) fn compare_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), b) => compare_double(*a, integer(b)?),
        (a, Value::Double(b)) => compare_double(*b, integer(a)?).map(Ordering::reverse),
        (a, b) => Some(integer(a)?.cmp(&integer(b)?)),
    }
}

fn integer(number: &Value) -> Option<i128> {
    match number {
        Value::Int(number) => Some(i128::from(*number)),
        Value::Uint(number) => Some(i128::from(*number)),
        _ => None,
    }
}

/// Compares a floating-point number with an integer without rounding either.
fn compare_double(double: f64, integer: i128) -> Option<Ordering> {
    if double.is_nan() {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "such a cast saturates")]
    let whole = double.trunc() as i128;
    let fraction = double.fract().partial_cmp(&0.0)?;
    Some(whole.cmp(&integer).then(fraction))
}

impl Value {
    /// Returns a text.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::String(text.into())
    }

    /// Returns a list.
    pub fn list(values: impl IntoIterator<Item = Self>) -> Self {
        Self::List(Arc::new(values.into_iter().collect()))
    }

    /// Returns a map.
    pub fn map(entries: impl IntoIterator<Item = (Self, Self)>) -> Self {
        Self::Map(Arc::new(entries.into_iter().collect()))
    }

    /// Returns a map with text keys.
    pub fn fields<'a>(entries: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let entries = entries.into_iter();
        Self::map(entries.map(|(name, value)| (Self::string(name), value)))
    }

    /// Returns an optional value.
    pub fn optional(value: Option<Self>) -> Self {
        Self::Optional(value.map(Arc::new))
    }

    /// Returns a JSON value as the API server passes it to expressions: whole numbers are integers.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(truth) => Self::Bool(*truth),
            serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Self::Int(whole),
                (None, Some(double)) => Self::Double(double),
                (None, None) => Self::Null,
            },
            serde_json::Value::String(text) => Self::string(text.as_str()),
            serde_json::Value::Array(values) => Self::list(values.iter().map(Self::from_json)),
            serde_json::Value::Object(fields) => {
                let fields = fields.iter();
                Self::fields(fields.map(|(name, value)| (name.as_str(), Self::from_json(value))))
            }
        }
    }

    /// Returns the type of the value, with `dyn` inside of lists and maps.
    pub fn type_of(&self) -> Type {
        match self {
            Self::Null => Type::Null,
            Self::Bool(_) => Type::Bool,
            Self::Int(_) => Type::Int,
            Self::Uint(_) => Type::Uint,
            Self::Double(_) => Type::Double,
            Self::String(_) => Type::String,
            Self::Bytes(_) => Type::Bytes,
            Self::Timestamp(_) => Type::Timestamp,
            Self::Duration(_) => Type::Duration,
            Self::List(_) => Type::list(Type::Dyn),
            Self::Map(_) => Type::map(Type::Dyn, Type::Dyn),
            Self::Optional(_) => Type::optional(Type::Dyn),
            Self::Type(of) => Type::Type(Arc::clone(of)),
            Self::Quantity(_) => Type::parse("quantity"),
            Self::Url(_) => Type::parse("url"),
            Self::Ip(_) => Type::parse("ip"),
            Self::Cidr(_) => Type::parse("cidr"),
            Self::Semver(_) => Type::parse("semver"),
            Self::Format(_) => Type::parse("format"),
        }
    }

    /// Returns whether the value may stand where this type is wanted, without a look into lists
    /// and maps.
    pub(crate) fn fits(&self, wanted: &Type) -> bool {
        match (wanted, self) {
            (Type::Dyn | Type::Var(_), _)
            | (Type::List(_), Self::List(_))
            | (Type::Map(..), Self::Map(_))
            | (Type::Optional(_), Self::Optional(_))
            | (Type::Type(_), Self::Type(_)) => true,
            (wanted, value) => *wanted == value.type_of(),
        }
    }

    /// Returns whether two values are equal. Values of different types differ, but numbers of
    /// different types are equal if they are the same number.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::String(a), Self::String(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b))
            }
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .all(|(key, value)| b.get(key).is_some_and(|other| value.equals(other)))
            }
            (Self::Optional(a), Self::Optional(b)) => match (a, b) {
                (Some(a), Some(b)) => a.equals(b),
                (a, b) => a.is_none() && b.is_none(),
            },
            (Self::Type(a), Self::Type(b)) => outer(a) == outer(b),
            (Self::Quantity(a), Self::Quantity(b)) => a == b,
            (Self::Url(a), Self::Url(b)) => a == b,
            (Self::Ip(a), Self::Ip(b)) => a == b,
            (Self::Cidr(a), Self::Cidr(b)) => a == b,
            (Self::Semver(a), Self::Semver(b)) => a == b,
            (Self::Format(a), Self::Format(b)) => a == b,
            (a, b) => compare_numbers(a, b) == Some(Ordering::Equal),
        }
    }

    /// Returns the order of two values of a type that has one.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::String(a), Self::String(b)) => Some(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Timestamp(a), Self::Timestamp(b)) => Some(a.cmp(b)),
            (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (a, b) => compare_numbers(a, b),
        }
    }

    /// Returns the size by which functions that walk the value are charged.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            Self::String(text) => text.len() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::List(values) => values.len() as u64,
            Self::Map(map) => map.len() as u64,
            _ => 1,
        }
    }
}

/// Returns the name of a type without its parameters: `type([1]) == list`.
fn outer(of: &Type) -> String {
    match of {
        Type::List(_) => "list".to_owned(),
        Type::Map(..) => "map".to_owned(),
        Type::Optional(_) => "optional_type".to_owned(),
        Type::Type(_) => "type".to_owned(),
        plain => plain.to_string(),
    }
}
