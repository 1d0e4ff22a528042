//! Documents as trees whose nodes know their lines.
//!
//! YAML and JSON become the same tree, so that one decoder names file, line and field of whatever
//! is wrong in either.

mod decode;
mod json;
mod scalar;
mod yaml;

pub(crate) use decode::{DecodeError, Step, decode};
pub(crate) use json::{LineCounter, TreeSeed, line_breaks};
pub(crate) use yaml::documents;

/// Deepest nesting that is read; Kubernetes' own types need about 20 levels.
pub(crate) const MAX_DEPTH: usize = 100;

/// Value and its line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree {
    /// Line on which the value begins, from 1.
    pub line: u64,
    /// Value.
    pub value: Value,
}

/// Value of a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    /// Entries in the order of the document; no key is there twice.
    Map(Vec<(String, Tree)>),
}

impl Tree {
    /// Returns the value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find_map(|(name, tree)| (name == key).then_some(tree)),
            _ => None,
        }
    }

    /// Returns an item of a list.
    pub fn item(&self, place: usize) -> Option<&Tree> {
        match &self.value {
            Value::List(items) => items.get(place),
            _ => None,
        }
    }

    /// Returns the items of a list.
    pub fn items(&self) -> &[Tree] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// Returns the keys of a map.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        let entries = match &self.value {
            Value::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, _)| key.as_str())
    }

    /// Removes the value of a key of a map.
    pub fn take(&mut self, key: &str) -> Option<Tree> {
        match &mut self.value {
            Value::Map(entries) => {
                let place = entries.iter().position(|(name, _)| name == key)?;
                Some(entries.remove(place).1)
            }
            _ => None,
        }
    }

    /// Returns the text, if the value is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Converts the tree to JSON; a number that JSON does not have becomes `null`.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Signed(value) => (*value).into(),
            Value::Unsigned(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(text) => text.as_str().into(),
            Value::List(items) => items.iter().map(Tree::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, tree)| (key.clone(), tree.to_json()))
                .collect(),
        }
    }
}
