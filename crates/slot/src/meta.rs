//! Labels and annotations of pods and containers.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Labels and annotations of a pod, as far as no other field of the slot has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodMeta {
    /// Labels.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub labels: Texts,
    /// Annotations.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    pub annotations: Texts,
}

/// Texts by name, in the order of the names; an object in JSON.
///
/// Takes less memory than a map does: a slot keeps few texts, and nothing looks them up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(Box<[(Box<str>, Box<str>)]>);

impl Texts {
    /// Returns the texts of the first names that together have at most `most` bytes with their
    /// names, without those that alone are too long, and the number of those that are left out.
    ///
    /// ```
    /// use slot::Texts;
    ///
    /// let texts = [("b", "long text"), ("c", "y"), ("a", "x")];
    /// let (kept, left_out) = Texts::bounded(texts, 4);
    /// assert_eq!(kept.iter().collect::<Vec<_>>(), [("a", "x"), ("c", "y")]);
    /// assert_eq!(left_out, 1);
    /// ```
    pub fn bounded<'a>(
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
        most: usize,
    ) -> (Self, usize) {
        let mut texts: Vec<(&str, &str)> = texts.into_iter().collect();
        texts.sort_unstable();
        texts.dedup_by_key(|(name, _)| *name);
        let (all, mut left) = (texts.len(), most);
        let fits = |(name, text): &(&str, &str)| {
            let rest = left.checked_sub(name.len() + text.len());
            left = rest.unwrap_or(left);
            rest.is_some()
        };
        let kept: Vec<_> = texts.into_iter().filter(fits).collect();
        let left_out = all - kept.len();
        let owned = |(name, text): (&str, &str)| (name.into(), text.into());
        (Self(kept.into_iter().map(owned).collect()), left_out)
    }

    /// Returns whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the names and texts in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, text)| (&**name, &**text))
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

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
        let mut texts = Vec::new();
        while let Some(member) = members.next_entry()? {
            texts.push(member);
        }
        Ok(Texts(texts.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_from_their_json() {
        let (texts, _) = Texts::bounded([("team", "a\"b\n"), ("app", "")], 100);
        let json = serde_json::to_string(&texts).unwrap();
        assert_eq!(json, r#"{"app":"","team":"a\"b\n"}"#);
        assert_eq!(serde_json::from_str::<Texts>(&json).unwrap(), texts);
        assert!(serde_json::from_str::<Texts>(r#"{"a":1}"#).is_err());
    }

    #[test]
    fn a_long_text_is_left_out_and_those_after_it_are_kept() {
        let long = "x".repeat(20);
        let texts = [("a", "1"), ("b", long.as_str()), ("c", "2"), ("d", "3")];
        let (kept, left_out) = Texts::bounded(texts, 5);
        assert_eq!(kept.iter().collect::<Vec<_>>(), [("a", "1"), ("c", "2")]);
        assert_eq!(left_out, 2);
        assert_eq!(Texts::bounded([], 0), (Texts::default(), 0));
    }
}
