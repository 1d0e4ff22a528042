//! JSON to trees.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::rc::Rc;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Tree, Value};

/// Field that is skipped: it is large, and says only which program set which field.
const SKIPPED: &str = "managedFields";

/// Line up to which a reader was read, from 1.
#[derive(Debug, Clone)]
pub(crate) struct LineCounter(Rc<Cell<u64>>);

impl LineCounter {
    /// Returns a counter and a reader that moves it. The counter is exact for a consumer that
    /// reads byte by byte, as `serde_json` does.
    pub fn new<R: Read>(inner: R) -> (Self, CountingReader<R>) {
        let lines = Rc::new(Cell::new(1));
        let reader = CountingReader {
            inner,
            lines: Rc::clone(&lines),
            chunk: vec![0; CHUNK],
            unread: 0..0,
        };
        (Self(lines), reader)
    }

    /// Returns a counter for a format without lines, which stays at 0.
    pub fn without_lines() -> Self {
        Self(Rc::new(Cell::new(0)))
    }

    /// Returns the line.
    pub fn line(&self) -> u64 {
        self.0.get()
    }
}

/// Bytes that are read at once.
const CHUNK: usize = 1 << 16;

/// Reader that counts lines. It has a buffer of its own, because its consumer asks for single
/// bytes.
pub(crate) struct CountingReader<R> {
    inner: R,
    lines: Rc<Cell<u64>>,
    chunk: Vec<u8>,
    unread: Range<usize>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() {
            self.unread = 0..self.inner.read(&mut self.chunk)?;
        }
        let length = buffer.len().min(self.unread.len());
        let end = self.unread.start + length;
        let read = &self.chunk[self.unread.start..end];
        buffer[..length].copy_from_slice(read);
        let breaks = line_breaks(read);
        if breaks > 0 {
            self.lines.set(self.lines.get() + breaks);
        }
        self.unread.start = end;
        Ok(length)
    }
}

/// Counts the line breaks of a text.
pub(crate) fn line_breaks(text: &[u8]) -> u64 {
    text.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Reads a value with the line of each node.
#[derive(Clone, Copy)]
pub(crate) struct TreeSeed<'a>(pub &'a LineCounter);

impl TreeSeed<'_> {
    fn tree(self, value: Value) -> Tree {
        Tree {
            line: self.0.line(),
            value,
        }
    }
}

impl<'de> DeserializeSeed<'de> for TreeSeed<'_> {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeSeed<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(self.tree(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(self.tree(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(self.tree(Value::Signed(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        let value = i64::try_from(value).map_or(Value::Unsigned(value), Value::Signed);
        Ok(self.tree(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(self.tree(Value::Float(value)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
        Ok(self.tree(Value::Text(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Tree, E> {
        Ok(self.tree(Value::Text(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let line = self.0.line();
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        let value = Value::List(list);
        Ok(Tree { line, value })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let line = self.0.line();
        let mut entries: Vec<(String, Tree)> = Vec::new();
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == SKIPPED {
                map.next_value::<de::IgnoredAny>()?;
                continue;
            }
            let value = map.next_value_seed(self)?;
            if is_twice(&key, &entries, &mut seen) {
                let message = format_args!("{key}: the key is there twice");
                return Err(de::Error::custom(message));
            }
            entries.push((key, value));
        }
        let value = Value::Map(entries);
        Ok(Tree { line, value })
    }
}

/// Returns whether a key is among the entries. `seen` is kept only for large maps.
fn is_twice(key: &str, entries: &[(String, Tree)], seen: &mut HashSet<String>) -> bool {
    const FEW: usize = 32;
    if entries.len() < FEW {
        return entries.iter().any(|(name, _)| name == key);
    }
    if seen.is_empty() {
        seen.extend(entries.iter().map(|(name, _)| name.clone()));
    }
    !seen.insert(key.to_owned())
}
