//! YAML to trees.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::decode::DecodeError;
use super::scalar::resolve;
use super::{MAX_DEPTH, Tree, Value};

/// Most nodes that the aliases of one file may copy. An alias of an alias multiplies, so a small
/// file could ask for more memory than there is.
const MAX_COPIES: usize = 100_000;

/// Returns the documents of a YAML text one by one; an empty document is left out.
pub(crate) fn documents(text: &str) -> Documents<'_> {
    Documents {
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        copies: 0,
        failed: false,
    }
}

/// Documents of a YAML text.
pub(crate) struct Documents<'a> {
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, (Tree, usize)>,
    copies: usize,
    failed: bool,
}

/// Collection whose end was not read yet.
struct Open {
    line: u64,
    anchor: usize,
    /// Nodes below it, for the limit of copies.
    nodes: usize,
    content: Content,
}

enum Content {
    List(Vec<Tree>),
    Map {
        entries: Vec<(String, Tree)>,
        /// Places of the keys, once there are many of them.
        seen: HashMap<String, u64>,
        key: Option<(String, u64)>,
        merged: Vec<Tree>,
    },
}

impl Iterator for Documents<'_> {
    type Item = Result<Tree, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let document = self.document();
            self.failed = document.is_err();
            match document {
                Ok(None) => return None,
                Ok(Some(tree)) if tree.value == Value::Null => {}
                Ok(Some(tree)) => return Some(Ok(tree)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}

impl Documents<'_> {
    fn document(&mut self) -> Result<Option<Tree>, DecodeError> {
        let mut open: Vec<Open> = Vec::new();
        let mut root = None;
        while let Some(event) = self.parser.next_event() {
            let (event, span) = event.map_err(|error| scan_error(&error))?;
            let line = line(span);
            let (node, nodes, anchor) = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let value = scalar(&text, style, tag.as_deref());
                    (Tree { line, value }, 1, anchor)
                }
                Event::Alias(anchor) => {
                    let (tree, nodes) = self.copy(anchor, line)?;
                    (tree, nodes, 0)
                }
                Event::SequenceStart(anchor, _) => {
                    open.push(Open::new(line, anchor, Content::List(Vec::new())));
                    deep(&open, line)?;
                    continue;
                }
                Event::MappingStart(anchor, _) => {
                    open.push(Open::new(line, anchor, Content::map()));
                    deep(&open, line)?;
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some(open) => {
                        let (nodes, anchor) = (open.nodes, open.anchor);
                        (open.close()?, nodes, anchor)
                    }
                    None => continue,
                },
                Event::DocumentEnd => {
                    self.anchors.clear();
                    return Ok(root);
                }
                Event::DocumentStart(_)
                | Event::StreamStart
                | Event::StreamEnd
                | Event::Nothing => continue,
            };
            if anchor > 0 {
                self.anchors.insert(anchor, (node.clone(), nodes));
            }
            match open.last_mut() {
                Some(open) => open.add(node, nodes)?,
                None => root = Some(node),
            }
        }
        Ok(None)
    }

    fn copy(&mut self, anchor: usize, line: u64) -> Result<(Tree, usize), DecodeError> {
        let Some((tree, nodes)) = self.anchors.get(&anchor) else {
            return Err(DecodeError::at(line, "an alias within its own anchor"));
        };
        self.copies = self.copies.saturating_add(*nodes);
        if self.copies > MAX_COPIES {
            let message = format!("the aliases of the file copy more than {MAX_COPIES} values");
            return Err(DecodeError::at(line, message));
        }
        Ok((tree.clone(), *nodes))
    }
}

impl Open {
    fn new(line: u64, anchor: usize, content: Content) -> Self {
        Self {
            line,
            anchor,
            nodes: 1,
            content,
        }
    }

    fn add(&mut self, mut node: Tree, nodes: usize) -> Result<(), DecodeError> {
        self.nodes = self.nodes.saturating_add(nodes);
        match &mut self.content {
            Content::List(items) => items.push(node),
            Content::Map {
                entries,
                seen,
                key,
                merged,
            } => match key.take() {
                None => {
                    let line = node.line;
                    *key = Some((key_text(node)?, line));
                }
                Some((name, _)) if name == "<<" => merged.push(node),
                Some((name, line)) => {
                    if matches!(node.value, Value::List(_) | Value::Map(_)) {
                        // A reader looks for the field, not for the first line below it.
                        node.line = line;
                    }
                    if let Some(first) = seen.insert(name.clone(), node.line) {
                        let message = format!("the key is there twice, first on line {first}");
                        return Err(DecodeError::at(node.line, message).within(&name));
                    }
                    entries.push((name, node));
                }
            },
        }
        Ok(())
    }

    fn close(self) -> Result<Tree, DecodeError> {
        let value = match self.content {
            Content::List(items) => Value::List(items),
            Content::Map {
                mut entries,
                mut seen,
                merged,
                ..
            } => {
                for tree in merged {
                    merge(tree, &mut entries, &mut seen)?;
                }
                Value::Map(entries)
            }
        };
        Ok(Tree {
            line: self.line,
            value,
        })
    }
}

impl Content {
    fn map() -> Self {
        Self::Map {
            entries: Vec::new(),
            seen: HashMap::new(),
            key: None,
            merged: Vec::new(),
        }
    }
}

/// Adds the entries of a map, or of each map of a list, whose keys are not there yet (`<<`).
fn merge(
    tree: Tree,
    entries: &mut Vec<(String, Tree)>,
    seen: &mut HashMap<String, u64>,
) -> Result<(), DecodeError> {
    match tree.value {
        Value::Map(more) => {
            for (key, tree) in more {
                if !seen.contains_key(&key) {
                    seen.insert(key.clone(), tree.line);
                    entries.push((key, tree));
                }
            }
            Ok(())
        }
        Value::List(maps) if maps.iter().all(|map| matches!(map.value, Value::Map(_))) => maps
            .into_iter()
            .try_for_each(|map| merge(map, entries, seen)),
        _ => Err(DecodeError::at(
            tree.line,
            "<< merges a map or a list of maps",
        )),
    }
}

fn key_text(node: Tree) -> Result<String, DecodeError> {
    match node.value {
        Value::Text(text) => Ok(text),
        Value::Bool(value) => Ok(value.to_string()),
        Value::Signed(value) => Ok(value.to_string()),
        Value::Unsigned(value) => Ok(value.to_string()),
        Value::Float(value) => Ok(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => {
            Err(DecodeError::at(node.line, "the key of a map is no text"))
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    if style == ScalarStyle::Plain && !is_text {
        resolve(text)
    } else {
        Value::Text(text.to_owned())
    }
}

fn deep(open: &[Open], line: u64) -> Result<(), DecodeError> {
    if open.len() > MAX_DEPTH {
        let message = format!("more than {MAX_DEPTH} levels");
        return Err(DecodeError::at(line, message));
    }
    Ok(())
}

fn line(span: Span) -> u64 {
    u64::try_from(span.start.line()).unwrap_or(u64::MAX)
}

fn scan_error(error: &ScanError) -> DecodeError {
    let line = u64::try_from(error.marker().line()).unwrap_or(u64::MAX);
    DecodeError::at(line, format!("not YAML: {}", error.info()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Result<Vec<serde_json::Value>, String> {
        documents(text)
            .map(|tree| tree.map(|tree| tree.to_json()).map_err(|e| e.to_string()))
            .collect()
    }

    #[test]
    fn documents_are_read_one_by_one_without_the_empty_ones() {
        let text = "---\na: 1\n---\n# nothing\n---\n- b\n...\n";
        assert_eq!(
            all(text).unwrap(),
            [serde_json::json!({"a": 1}), serde_json::json!(["b"])]
        );
    }

    #[test]
    fn aliases_and_merges_are_copies() {
        let text = "base: &b {x: 1, z: 2}\nother:\n  <<: *b\n  z: 3\nsame: *b\n";
        let expected = serde_json::json!({
            "base": {"x": 1, "z": 2}, "other": {"z": 3, "x": 1}, "same": {"x": 1, "z": 2}
        });
        assert_eq!(all(text).unwrap(), [expected]);
    }

    #[test]
    fn hostile_documents_are_refused() {
        use std::fmt::Write as _;
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..10 {
            let below = level - 1;
            let aliases = vec![format!("*a{below}"); 10].join(", ");
            writeln!(bomb, "a{level}: &a{level} [{aliases}]").unwrap();
        }
        assert!(all(&bomb).unwrap_err().contains("aliases"), "{bomb}");
        let deep = "[".repeat(100_000);
        assert!(all(&deep).is_err());
        assert!(all("a: &a [*a]").is_err());
        let error = all("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(error, "3: a: the key is there twice, first on line 1");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*") {
            let _ = all(&text);
        }

        #[test]
        fn no_text_of_yaml_characters_makes_the_reader_panic(
            text in "[-:{}\\[\\], \n\t&*!|>'\"%@`a0#?.<~]{0,60}"
        ) {
            let _ = all(&text);
        }
    }
}
