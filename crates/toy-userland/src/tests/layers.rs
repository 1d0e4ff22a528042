//! The order of the modules: each one imports only modules that stand before it.

#![expect(
    clippy::disallowed_methods,
    reason = "the test reads the sources of the crate"
)]

use std::fs;
use std::path::Path;

use regex::Regex;

/// The modules of the crate, from the lowest to the highest.
const MODULES: [&str; 11] = [
    "limits",
    "outcome",
    "pattern",
    "variables",
    "syntax",
    "world",
    "streams",
    "directory",
    "commands",
    "interpret",
    "idle",
];

/// Reads all Rust source at a path: a file, or a directory with all below it.
fn source(path: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).unwrap();
    }
    let entries = fs::read_dir(path).unwrap();
    entries
        .map(|entry| source(&entry.unwrap().path()))
        .collect()
}

#[test]
fn modules_import_only_modules_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let import = Regex::new(r"crate::([a-z_]+)").unwrap();
    for (height, module) in MODULES.into_iter().enumerate() {
        let directory = root.join(module);
        let text = if directory.is_dir() {
            source(&directory)
        } else {
            source(&root.join(format!("{module}.rs")))
        };
        for found in import.captures_iter(&text) {
            let allowed = &MODULES[..=height];
            assert!(
                allowed.contains(&&found[1]),
                "{module} imports {}",
                &found[1]
            );
        }
    }
    let declared = Regex::new(r"(?m)^mod ([a-z]+);").unwrap();
    for found in declared.captures_iter(&source(&root.join("lib.rs"))) {
        let known = MODULES.contains(&&found[1]) || &found[1] == "tests";
        assert!(known, "{} has no place in the order", &found[1]);
    }
}
