//! Pathname expansion, POSIX XCU 2.6.6.

use super::fields::Field;
use super::interpreter::Interpreter;
use crate::outcome::Unwind;
use crate::pattern::{Goal, is_pattern, unescaped};
use crate::world::path::join;

/// Cost of reading a name in a directory, in bytes of text.
const NAME_COST: usize = 128;

impl Interpreter {
    /// Returns the paths that a word matches, in order, or the word itself if there are none.
    ///
    /// # Errors
    /// The end of the shell, after a message, if a part of the pattern is too long.
    pub(super) async fn glob(&mut self, field: Field) -> Result<Vec<String>, Unwind> {
        if self.options.no_glob || !is_pattern(&field.pattern) {
            return Ok(vec![field.text]);
        }
        let paths = self.matching(&field.pattern).await?;
        Ok(if paths.is_empty() {
            vec![field.text]
        } else {
            paths
        })
    }

    async fn matching(&mut self, pattern: &str) -> Result<Vec<String>, Unwind> {
        let root = if pattern.starts_with('/') { "/" } else { "" };
        let mut paths = vec![root.to_owned()];
        for segment in pattern.split('/').filter(|segment| !segment.is_empty()) {
            let mut next = Vec::new();
            if is_pattern(segment) {
                let parsed = self.parsed_pattern(segment).await?;
                // Only a pattern with a literal leading dot matches a name with one.
                let hidden = segment.starts_with('.') || segment.starts_with("\\.");
                for path in paths {
                    for name in self.names(&path).await? {
                        if (hidden || !name.starts_with('.'))
                            && self.matched(&parsed, Goal::Whole, &name).await?.is_some()
                        {
                            next.push(shown(&path, &name));
                        }
                        self.spend(NAME_COST).await?;
                    }
                    if next.len() > self.limits.words {
                        break;
                    }
                }
            } else {
                let name = unescaped(segment);
                for path in paths {
                    next.push(shown(&path, &name));
                    self.spend(NAME_COST + name.len()).await?;
                }
            }
            next.truncate(self.limits.words);
            paths = next;
        }
        let mut found = Vec::new();
        for path in paths {
            self.spend(NAME_COST + path.len()).await?;
            let absolute = self.directory.absolute(&path);
            if self.directory.world.tree().find(&absolute).is_some() {
                found.push(path);
            }
        }
        self.spend(NAME_COST * found.len()).await?;
        found.sort_unstable();
        Ok(found)
    }

    /// Returns the names in a directory; none if it cannot be read.
    async fn names(&mut self, path: &str) -> Result<Vec<String>, Unwind> {
        let path = self.directory.absolute(path);
        let names = {
            let tree = self.directory.world.tree();
            tree.list(&path, self.directory.user()).unwrap_or_default()
        };
        self.spend(NAME_COST * (1 + names.len())).await?;
        Ok(names)
    }
}

/// Returns the path of a name in a directory of a word, which is empty for the working directory.
fn shown(directory: &str, name: &str) -> String {
    match directory {
        "" => name.to_owned(),
        directory => join(directory, name),
    }
}
