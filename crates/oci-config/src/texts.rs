//! Maps and lists of texts. A value that should be a text and is another one counts as its JSON
//! text, so that the reader of the value reports it, if there is one.

use std::collections::HashMap;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A map of texts. A member that is `null` is absent.
#[derive(Debug, Default)]
pub(crate) struct Texts(pub(crate) HashMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Texts, A::Error> {
        let mut texts = HashMap::with_capacity(members.size_hint().unwrap_or(0));
        while let Some((key, value)) = members.next_entry::<String, &RawValue>()? {
            if let Some(text) = text(value.get()) {
                texts.insert(key, text);
            }
        }
        Ok(Texts(texts))
    }
}

/// Returns the text of a JSON value; `None` for `null`.
fn text(json: &str) -> Option<String> {
    match json
        .strip_prefix('"')
        .and_then(|json| json.strip_suffix('"'))
    {
        Some(plain) if !plain.contains('\\') => Some(plain.to_owned()),
        // An escaped half of a pair of surrogates is no text.
        Some(_) => Some(serde_json::from_str(json).unwrap_or_else(|_| json.to_owned())),
        None if json == "null" => None,
        None => Some(json.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_values_than_texts_count_as_their_json() {
        let texts: Texts = serde_json::from_str(
            r#"{"a": "x", "b": 5, "c": null, "d": {"e": [1]}, "f": true, "g": "\u00e9\n\"", "h": "\ud800"}"#,
        )
        .unwrap();
        let get = |key: &str| texts.0.get(key).map(String::as_str);
        assert_eq!(get("a"), Some("x"));
        assert_eq!(get("b"), Some("5"));
        assert_eq!(get("c"), None);
        assert_eq!(get("d"), Some(r#"{"e": [1]}"#));
        assert_eq!(get("f"), Some("true"));
        assert_eq!(get("g"), Some("é\n\""));
        assert_eq!(get("h"), Some(r#""\ud800""#));
    }
}
