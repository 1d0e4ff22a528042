//! Patterns of image names.

use containerd_sandbox::{Error, Result, quoted};

/// Largest length of a pattern in bytes.
const MAX_LEN: usize = 512;

/// Pattern of the names of images: text in which `*` stands for any text, also for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImagePattern {
    /// Text before the first `*`; the whole pattern without one.
    start: String,
    /// Texts between two `*` each, in order; `None` without a `*`.
    rest: Option<(Vec<String>, String)>,
}

impl ImagePattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// `InvalidArgument` for an empty or too long text.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.is_empty() || text.len() > MAX_LEN {
            return Err(Error::invalid_argument(format!(
                "image {}: a pattern of 1 to {MAX_LEN} bytes is needed",
                quoted(text)
            )));
        }
        let mut parts = text.split('*').map(str::to_owned);
        let start = parts.next().unwrap_or_default();
        let mut middle: Vec<String> = parts.collect();
        let rest = middle.pop().map(|end| (middle, end));
        Ok(Self { start, rest })
    }

    /// Returns whether a name has the pattern.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let Some((middle, end)) = &self.rest else {
            return name == self.start;
        };
        let Some(mut left) = name.strip_prefix(self.start.as_str()) else {
            return false;
        };
        for part in middle {
            // The earliest place leaves the most for the parts that follow.
            match left.find(part.as_str()) {
                Some(place) => left = &left[place + part.len()..],
                None => return false,
            }
        }
        left.ends_with(end.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, matching, other) in [
            ("nginx", "nginx", "nginx:1"),
            ("*", "", ""),
            ("nginx:*", "nginx:1.27", "nginx"),
            ("*/app", "example.com/app", "example.com/app2"),
            ("a*b*c", "a-b-bc", "a-c-b"),
            ("a*a", "aa", "a"),
            ("*ab*ab", "abab", "ab"),
            ("**:1", "x:1", "x:2"),
        ] {
            let parsed = ImagePattern::parse(pattern).unwrap();
            assert!(parsed.matches(matching), "{pattern} {matching}");
            assert!(
                other.is_empty() || !parsed.matches(other),
                "{pattern} {other}"
            );
        }
        assert!(ImagePattern::parse("").is_err());
        assert!(ImagePattern::parse(&"x".repeat(MAX_LEN + 1)).is_err());
    }
}
