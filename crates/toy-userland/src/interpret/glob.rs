//! Pathname expansion, POSIX XCU 2.6.6.

use super::fields::Field;
use super::interpreter::Interpreter;
use crate::pattern::{is_pattern, matches, unescaped};
use crate::world::path::join;

impl Interpreter {
    /// Returns the paths that a word matches, in order, or the word itself if there are none.
    pub(super) fn glob(&self, field: Field) -> Vec<String> {
        if self.options.no_glob || !is_pattern(&field.pattern) {
            return vec![field.text];
        }
        let paths = self.matching(&field.pattern);
        if paths.is_empty() {
            vec![field.text]
        } else {
            paths
        }
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        let tree = self.directory.world.tree();
        let user = self.directory.user();
        let root = if pattern.starts_with('/') { "/" } else { "" };
        let mut paths = vec![root.to_owned()];
        for segment in pattern.split('/').filter(|segment| !segment.is_empty()) {
            let mut next = Vec::new();
            for path in paths {
                let shown = |name: &str| match path.as_str() {
                    "" => name.to_owned(),
                    directory => join(directory, name),
                };
                if !is_pattern(segment) {
                    next.push(shown(&unescaped(segment)));
                    continue;
                }
                let names = tree
                    .list(&self.directory.absolute(&path), user)
                    .unwrap_or_default();
                // Only a pattern with a literal leading dot matches a name with one.
                let hidden = segment.starts_with('.') || segment.starts_with("\\.");
                let names = names.iter().filter(|name| hidden || !name.starts_with('.'));
                next.extend(
                    names
                        .filter(|name| matches(segment, name))
                        .map(|name| shown(name)),
                );
            }
            next.truncate(self.limits.words);
            paths = next;
        }
        paths.retain(|path| tree.find(&self.directory.absolute(path)).is_some());
        paths.sort();
        paths
    }
}
