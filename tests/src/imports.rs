//! Reads a crate's imports from its source, by text, and finds circles in them.
//!
//! A node of the graph is a module, cut to a few levels: at level 1 the folders and
//! files below `src/`, at level 2 also those inside them. Test modules are left out.
//! Imports are `use` declarations and paths that begin with `crate::`; a name that a
//! `mod.rs` re-exports counts as an import of the module that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Path of a module from the crate's root, such as `["drive", "engine"]`.
type Module = Vec<String>;

/// The modules of a crate and their imports.
#[derive(Debug)]
pub struct Imports {
    files: BTreeMap<Module, File>,
}

/// One source file without its comments and test modules.
#[derive(Debug)]
struct File {
    path: PathBuf,
    code: String,
    /// Full paths of the names in the file, and whether the file re-exports each.
    names: Vec<(Module, bool)>,
}

impl Imports {
    /// Reads the crate with its sources in `src`.
    ///
    /// # Panics
    /// If a file cannot be read.
    pub fn of(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        read(src, &Module::new(), &mut files);
        Self { files }
    }

    /// Returns the files that name `word` in their code, test modules left out.
    pub fn naming(&self, word: &str) -> Vec<&Path> {
        let named = |code: &str| code.split(|c: char| !is_word(c)).any(|found| found == word);
        let files = self.files.values().filter(|file| named(&file.code));
        files.map(|file| file.path.as_path()).collect()
    }

    /// Returns the files with one of the texts in their code, test modules left out.
    pub fn containing(&self, texts: &[&str]) -> Vec<&Path> {
        let contains = |file: &&File| texts.iter().any(|text| file.code.contains(text));
        let files = self.files.values().filter(contains);
        files.map(|file| file.path.as_path()).collect()
    }

    /// Returns the modules of one circle, cut to `levels`, the first of them once more
    /// at the end; empty without any circle.
    pub fn circle(&self, levels: usize) -> Vec<String> {
        let edges = self.edges(levels);
        let mut done = BTreeSet::new();
        for node in edges.keys() {
            let mut way = Vec::new();
            if let Some(circle) = walk(node, &edges, &mut way, &mut done) {
                return circle;
            }
        }
        Vec::new()
    }

    /// Returns the modules that each module imports, both cut to `levels`.
    pub fn edges(&self, levels: usize) -> BTreeMap<String, BTreeSet<String>> {
        let mut edges = BTreeMap::<_, BTreeSet<_>>::new();
        let cut = |module: &Module| module[..module.len().min(levels)].join("::");
        for (module, file) in self.files.iter().filter(|(module, _)| !module.is_empty()) {
            let from = cut(module);
            let to = file.names.iter().filter(|(_, exported)| !exported);
            let to = to.map(|(name, _)| cut(&self.defining(name)));
            let others = to.filter(|to| *to != from && !to.is_empty());
            edges.entry(from.clone()).or_default().extend(others);
        }
        edges
    }

    /// Returns the module in which a name is defined.
    fn defining(&self, name: &[String]) -> Module {
        let mut module = Module::new();
        for (place, part) in name.iter().enumerate() {
            let mut inner = module.clone();
            inner.push(part.clone());
            if self.files.contains_key(&inner) {
                module = inner;
                continue;
            }
            let exports = self.files.get(&module).map_or(&[][..], |file| &file.names);
            let exported = exports
                .iter()
                .find(|(path, exported)| *exported && path.last() == Some(part));
            return match exported {
                Some((path, _)) if path[..] != name[..=place] => self.defining(path),
                _ => module,
            };
        }
        module
    }
}

fn walk(
    node: &str,
    edges: &BTreeMap<String, BTreeSet<String>>,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(start) = way.iter().position(|passed| passed == node) {
        let circle = way[start..].iter().cloned();
        return Some(circle.chain([node.to_owned()]).collect());
    }
    if done.contains(node) {
        return None;
    }
    way.push(node.to_owned());
    for next in edges.get(node).into_iter().flatten() {
        if let Some(circle) = walk(next, edges, way, done) {
            return Some(circle);
        }
    }
    way.pop();
    done.insert(node.to_owned());
    None
}

/// Reads the file of a module and those of the modules that it declares.
fn read(dir: &Path, module: &Module, files: &mut BTreeMap<Module, File>) {
    let path = match module.last() {
        None => dir.join("lib.rs"),
        Some(name) if dir.join(name).join("mod.rs").exists() => dir.join(name).join("mod.rs"),
        Some(name) => dir.join(format!("{name}.rs")),
    };
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (code, children) = code_of(&text);
    let below = match module.last() {
        Some(name) => dir.join(name),
        None => dir.to_owned(),
    };
    for child in children {
        let mut inner = module.clone();
        inner.push(child);
        read(&below, &inner, files);
    }
    let names = names_in(&code, module);
    files.insert(module.clone(), File { path, code, names });
}

/// Returns a file's code without comments and test modules, and the modules that it
/// declares outside of tests.
fn code_of(text: &str) -> (String, Vec<String>) {
    let mut code = String::new();
    let mut children = Vec::new();
    let mut only_in_tests = false;
    for line in text.lines() {
        let declared = line
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        let module = declared.strip_prefix("mod ");
        if line == "#[cfg(test)]" {
            only_in_tests = true;
        } else if only_in_tests {
            // No code follows a test module at the end of a file.
            if module.is_some_and(|module| module.ends_with('{')) {
                break;
            }
            only_in_tests = line.starts_with("#[");
        } else if let Some(name) = module.and_then(|module| module.strip_suffix(';')) {
            children.push(name.to_owned());
        } else {
            let line = line.split("//").next().unwrap_or_default();
            code.extend([line, "\n"]);
        }
    }
    (code, children)
}

/// Returns the full paths of all that a file names from its own crate.
fn names_in(code: &str, module: &Module) -> Vec<(Module, bool)> {
    let mut names = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let before = &rest[..at];
        let line = before.rsplit('\n').next().unwrap_or_default().trim();
        rest = &rest[at + "use ".len()..];
        if !["", "pub", "pub(crate)", "pub(super)"].contains(&line) {
            continue;
        }
        let tree = rest.split(';').next().unwrap_or_default();
        let exported = !line.is_empty();
        for path in expanded(tree) {
            names.extend(absolute(&path, module).map(|path| (path, exported)));
        }
    }
    for (at, begin) in code.match_indices("crate::") {
        let path = code[at + begin.len()..].split(|c: char| !is_word(c) && c != ':');
        let path: Module = path.take(1).flat_map(parts).collect();
        names.push((path, false));
    }
    names
}

/// Returns each path of a tree such as `a::{b, c::{d, e}}`.
fn expanded(tree: &str) -> Vec<Module> {
    let Some((begin, inner)) = tree.split_once('{') else {
        return vec![parts(tree.split(" as ").next().unwrap_or_default()).collect()];
    };
    let inner = inner.trim().trim_end_matches('}');
    let mut depth = 0;
    let each = inner.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    let trees: Vec<&str> = each
        .map(str::trim)
        .filter(|tree| !tree.is_empty())
        .collect();
    let begin: Module = parts(begin).collect();
    let paths = trees.into_iter().flat_map(expanded);
    paths.map(|path| [begin.clone(), path].concat()).collect()
}

fn parts(path: &str) -> impl Iterator<Item = String> {
    let parts = path.split("::").map(str::trim);
    parts.filter(|part| !part.is_empty()).map(str::to_owned)
}

/// Returns a path from the crate's root; `None` for a path of another crate.
fn absolute(path: &[String], module: &Module) -> Option<Module> {
    let mut base = module.clone();
    let mut rest = path;
    match path.first()?.as_str() {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            while let Some(("super", after)) = rest.split_first().map(|(f, r)| (f.as_str(), r)) {
                base.pop();
                rest = after;
            }
            base.extend_from_slice(rest);
            return Some(base);
        }
        _ => return None,
    }
    base.extend_from_slice(&rest[1..]);
    Some(base)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a circle in a crate of these files.
    fn circle_of(files: &[(&str, &str)], levels: usize) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Imports::of(dir.path()).circle(levels)
    }

    const ROOT: (&str, &str) = ("lib.rs", "pub mod a;\npub mod b;\n");

    #[test]
    fn a_circle_of_two_rooms_is_found_however_it_is_written() {
        for back in [
            "use crate::a::A;",
            "use crate::{a::A};",
            "use super::a::{self, A};",
            "fn f() -> crate::a::A { crate::a::A }",
        ] {
            let files = [ROOT, ("a.rs", "use crate::b::B;\n"), ("b.rs", back)];
            assert_eq!(circle_of(&files, 1), ["a", "b", "a"], "{back}");
        }
    }

    #[test]
    fn tests_and_comments_are_no_imports() {
        for back in [
            "// use crate::a::A;\n/// [`crate::a`]\n",
            "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n",
        ] {
            let files = [ROOT, ("a.rs", "use crate::b::B;\n"), ("b.rs", back)];
            assert!(circle_of(&files, 1).is_empty(), "{back}");
        }
    }

    #[test]
    fn inside_a_room_a_re_exported_name_is_its_modules() {
        let root = ("lib.rs", "pub mod room;\n");
        let face = ("room/mod.rs", "mod x;\nmod y;\npub use self::y::Y;\n");
        let y = |text| ("room/y.rs", text);
        let x = ("room/x.rs", "use super::Y;\n");
        assert!(circle_of(&[root, face, x, y("")], 2).is_empty());
        let back = y("use super::x::X;\n");
        assert_eq!(
            circle_of(&[root, face, x, back], 2),
            ["room::x", "room::y", "room::x"]
        );
    }
}
