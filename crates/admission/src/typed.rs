//! Pods as expressions see them.
//!
//! The API server decodes a pod into its Go type and passes on the map that
//! `ToUnstructured` of apimachinery makes of it: unknown fields are gone, optional fields that
//! are empty are left out, required ones and empty structs (`resources`, `status`) are there, and
//! quantities are canonical texts. `pod.types` lists the fields of those types; it is made from
//! `k8s.io/api/core/v1/types.go` of Kubernetes 1.36.2.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cel::Value;
use kube_resources::Quantity;
use serde_json::Value as Json;

const TYPES: &str = include_str!("pod.types");

/// Type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text,
    Bool,
    Int,
    Quantity,
    IntOrText,
    /// Time, bytes in base 64 or any JSON value, which stay as they are.
    Plain,
    Pointer(Box<Kind>),
    List(Box<Kind>),
    Map(Box<Kind>),
    Struct(&'static str),
}

/// Field of a struct.
#[derive(Debug)]
struct Field {
    name: &'static str,
    kind: Kind,
    /// Whether an empty value is left out.
    omits_empty: bool,
    /// Whether a struct that is zero is left out.
    omits_zero: bool,
}

static STRUCTS: LazyLock<BTreeMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let read = |line: &'static str| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or("");
        (name, words.map(field).collect())
    };
    TYPES.lines().map(read).collect()
});

/// Reads `name:kind`, with `?` for a field that is left out when empty and `0` for one that is left
/// out when zero.
fn field(text: &'static str) -> Field {
    let (name, of) = text.split_once(':').unwrap_or((text, "a"));
    let (name, omits_zero) = match name.strip_suffix('0') {
        Some(name) if name.ends_with('?') => (name, true),
        _ => (name, false),
    };
    let (name, omits_empty) = match name.strip_suffix('?') {
        Some(name) => (name, true),
        None => (name, false),
    };
    Field {
        name,
        kind: kind(of),
        omits_empty,
        omits_zero,
    }
}

fn kind(text: &'static str) -> Kind {
    match text {
        "s" => Kind::Text,
        "b" => Kind::Bool,
        "i" => Kind::Int,
        "q" => Kind::Quantity,
        "x" => Kind::IntOrText,
        "t" | "y" | "a" => Kind::Plain,
        other => match (other.get(..1), other.get(1..)) {
            (Some("*"), Some(inner)) => Kind::Pointer(Box::new(kind(inner))),
            (Some("["), Some(inner)) => Kind::List(Box::new(kind(inner))),
            (Some("{"), Some(inner)) => Kind::Map(Box::new(kind(inner))),
            _ => Kind::Struct(other),
        },
    }
}

/// Returns a pod as expressions see it, without the API server's defaults.
pub fn pod(json: &Json) -> Value {
    typed("Pod", json)
}

/// Returns an object of one of the types that a pod consists of, such as `Pod` or `PodSpec`.
pub(crate) fn typed(name: &'static str, json: &Json) -> Value {
    value(&Kind::Struct(name), json)
}

fn value(kind: &Kind, json: &Json) -> Value {
    match (kind, json) {
        (Kind::Text, Json::Null) => Value::string(""),
        // A text that YAML takes for a truth or a number.
        (Kind::Text, Json::Bool(_) | Json::Number(_)) => Value::string(json.to_string()),
        (Kind::Bool, Json::Null) => Value::Bool(false),
        (Kind::Int | Kind::IntOrText, Json::Null) => Value::Int(0),
        (Kind::Quantity, json) => quantity(json),
        (Kind::Pointer(inner), json) if !json.is_null() => value(inner, json),
        (Kind::List(inner), Json::Array(values)) => {
            Value::list(values.iter().map(|json| value(inner, json)))
        }
        (Kind::Map(inner), Json::Object(entries)) => Value::fields(
            entries
                .iter()
                .map(|(name, json)| (name.as_str(), value(inner, json))),
        ),
        (Kind::Struct(name), json) => {
            let fields = STRUCTS.get(name).map_or(&[][..], Vec::as_slice);
            let shown = fields.iter().filter_map(|field| {
                let json = json.get(field.name).unwrap_or(&Json::Null);
                (!field.leaves_out(json)).then(|| (field.name, value(&field.kind, json)))
            });
            Value::fields(shown)
        }
        (_, json) => Value::from_json(json),
    }
}

impl Field {
    fn leaves_out(&self, json: &Json) -> bool {
        let is_empty = match &self.kind {
            Kind::Struct(_) | Kind::Quantity => false,
            Kind::Pointer(_) => json.is_null(),
            _ => match json {
                Json::Null => true,
                Json::Bool(truth) => !truth,
                Json::Number(number) => number.as_f64() == Some(0.0),
                Json::String(text) => text.is_empty(),
                Json::Array(values) => values.is_empty(),
                Json::Object(fields) => fields.is_empty(),
            },
        };
        self.omits_empty && is_empty || self.omits_zero && json.is_null()
    }
}

/// Returns the canonical text of a quantity.
fn quantity(json: &Json) -> Value {
    let text = match json {
        Json::Null => "0".to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.parse::<Quantity>() {
        Ok(quantity) => Value::string(quantity.to_string()),
        Err(_) => Value::string(text),
    }
}
