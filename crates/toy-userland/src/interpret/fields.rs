//! Fields: the words of a command while they are expanded and split.

use std::collections::BTreeSet;

use crate::pattern::escape_into;

/// The characters of `IFS`.
#[derive(Debug, Clone, Default)]
pub(super) struct Separators {
    /// Those of ASCII, one bit each.
    ascii: u128,
    others: BTreeSet<char>,
}

impl Separators {
    pub(super) fn new(text: &str) -> Self {
        let mut separators = Self::default();
        for c in text.chars() {
            match u8::try_from(c) {
                Ok(byte) if byte.is_ascii() => separators.ascii |= 1 << byte,
                _ => drop(separators.others.insert(c)),
            }
        }
        separators
    }

    pub(super) fn contains(&self, c: char) -> bool {
        match u8::try_from(c) {
            Ok(byte) if byte.is_ascii() => self.ascii >> byte & 1 == 1,
            _ => self.others.contains(&c),
        }
    }
}

/// One expanded word, as text and as a pattern in which quoted characters are escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) text: String,
    pub(super) pattern: String,
}

/// The expansion has more bytes or words than the limits allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

/// The fields that an expansion has produced so far.
#[derive(Debug)]
pub(super) struct Fields {
    done: Vec<Field>,
    /// Field to which the next text is added, if it adjoins.
    open: Option<Field>,
    room: usize,
    most: usize,
    /// Whether whitespace in the result of an expansion has just ended a field, so that a
    /// separator after it belongs to the same gap.
    separated: bool,
}

impl Fields {
    pub(super) fn new(max_bytes: usize, max_fields: usize) -> Self {
        Self {
            done: Vec::new(),
            open: None,
            room: max_bytes,
            most: max_fields,
            separated: false,
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), TooLong> {
        self.room = self.room.checked_sub(bytes).ok_or(TooLong)?;
        Ok(())
    }

    /// Adds quoted text. An empty text makes a field, too.
    pub(super) fn quoted(&mut self, text: &str) -> Result<(), TooLong> {
        self.take(text.len())?;
        self.separated = false;
        let field = self.open.get_or_insert_default();
        field.text.push_str(text);
        escape_into(&mut field.pattern, text);
        Ok(())
    }

    /// Adds text in which `*`, `?` and `[` are special.
    pub(super) fn plain(&mut self, text: &str) -> Result<(), TooLong> {
        self.take(text.len())?;
        self.separated = false;
        let field = self.open.get_or_insert_default();
        field.text.push_str(text);
        for (index, part) in text.split('\\').enumerate() {
            if index > 0 {
                // The parser has removed the script's own backslashes, so this one is literal.
                field.pattern.push_str("\\\\");
            }
            field.pattern.push_str(part);
        }
        Ok(())
    }

    /// Adds the result of an expansion, split at `separators`: a run of whitespace among them
    /// is one separator, and each other character is one, POSIX XCU 2.6.5. A text can be added
    /// in pieces.
    pub(super) fn split(&mut self, text: &str, separators: &Separators) -> Result<(), TooLong> {
        let is_blank = |c: char| matches!(c, ' ' | '\t' | '\n') && separators.contains(c);
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if is_blank(c) {
                rest = rest.trim_start_matches(is_blank);
                self.separated |= self.open.is_some();
                self.end()?;
            } else if separators.contains(c) {
                rest = &rest[c.len_utf8()..];
                if self.separated {
                    self.separated = false;
                } else {
                    self.open.get_or_insert_default();
                    self.end()?;
                }
                rest = rest.trim_start_matches(is_blank);
            } else {
                let end = rest.find(|c| separators.contains(c)).unwrap_or(rest.len());
                self.plain(&rest[..end])?;
                rest = &rest[end..];
            }
        }
        Ok(())
    }

    /// Ends the open field.
    pub(super) fn end(&mut self) -> Result<(), TooLong> {
        if let Some(field) = self.open.take() {
            if self.done.len() >= self.most {
                return Err(TooLong);
            }
            self.done.push(field);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Vec<Field>, TooLong> {
        self.end()?;
        Ok(self.done)
    }

    /// Returns the one field of an expansion without splitting.
    pub(super) fn whole(self) -> Field {
        self.open.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, separators: &str) -> Vec<String> {
        // Each cut of the text gives the same fields.
        let whole = split_at(text, text.len(), separators);
        for (at, _) in text.char_indices() {
            assert_eq!(split_at(text, at, separators), whole, "{text:?} {at}");
        }
        whole
    }

    fn split_at(text: &str, at: usize, separators: &str) -> Vec<String> {
        let separators = Separators::new(separators);
        let mut fields = Fields::new(1000, 100);
        fields.split(&text[..at], &separators).unwrap();
        fields.split(&text[at..], &separators).unwrap();
        let fields = fields.finish().unwrap();
        fields.into_iter().map(|field| field.text).collect()
    }

    #[test]
    fn an_expansion_is_split_at_its_separators() {
        for (text, separators, expected) in [
            (" a  b\n", " \t\n", vec!["a", "b"]),
            ("a:b::c:", ":", vec!["a", "b", "", "c"]),
            ("a : b", " :", vec!["a", "b"]),
            (":a", ":", vec!["", "a"]),
            ("", " ", vec![]),
            ("a b", "", vec!["a b"]),
            (" a é: b", " é:", vec!["a", "", "b"]),
            ("aéb", "é", vec!["a", "b"]),
        ] {
            assert_eq!(split(text, separators), expected, "{text:?}");
        }
    }

    #[test]
    fn quoted_text_joins_its_neighbours_and_is_no_pattern() {
        let mut fields = Fields::new(1000, 100);
        fields.plain("a*").unwrap();
        fields.quoted("*b c").unwrap();
        fields.split(" d", &Separators::new(" ")).unwrap();
        fields.quoted("").unwrap();
        let fields = fields.finish().unwrap();
        let texts: Vec<_> = fields.iter().map(|field| field.text.as_str()).collect();
        assert_eq!(texts, ["a**b c", "d"]);
        assert_eq!(fields[0].pattern, "a*\\*b c");
    }

    #[test]
    fn an_expansion_is_bounded() {
        let mut fields = Fields::new(3, 2);
        assert_eq!(fields.quoted("abcd"), Err(TooLong));
        assert_eq!(fields.split("a b c", &Separators::new(" ")), Ok(()));
        assert_eq!(fields.finish(), Err(TooLong));
    }
}
