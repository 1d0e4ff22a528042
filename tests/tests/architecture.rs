//! The rules of ARCHITECTURE.md that no crate's border holds.

use std::fs;
use std::path::{Path, PathBuf};

use tests::imports::Imports;

/// The crate of the sandboxer, and the crates that only the sandboxer is made of.
const SANDBOXER: [&str; 6] = [
    "sandboxer",
    "journal",
    "pod-resources",
    "slot",
    "toy-userland",
    "views",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn loadgen() -> Imports {
    Imports::of(&workspace().join("loadgen/src"))
}

#[test]
fn no_modules_of_loadgen_import_each_other_in_a_circle() {
    for levels in [1, 2] {
        let circle = loadgen().circle(levels);
        assert!(circle.is_empty(), "{}", circle.join(" -> "));
    }
}

#[test]
fn no_modules_of_the_sandboxer_import_each_other_in_a_circle() {
    let imports = Imports::of(&workspace().join("sandboxer/src"));
    for levels in [1, 2] {
        let circle = imports.circle(levels);
        assert!(circle.is_empty(), "{}", circle.join(" -> "));
    }
}

#[test]
fn no_modules_of_a_library_import_each_other_in_a_circle() {
    let crates = fs::read_dir(workspace().join("crates")).unwrap();
    for library in crates {
        let sources = library.unwrap().path().join("src");
        for levels in [1, 2] {
            let circle = Imports::of(&sources).circle(levels);
            let shown = circle.join(" -> ");
            assert!(circle.is_empty(), "{}: {shown}", sources.display());
        }
    }
}

#[test]
fn loadgen_names_clap_in_its_command_layer_only() {
    let loadgen = loadgen();
    let naming = loadgen.naming("clap");
    assert!(!naming.is_empty(), "the command line is read with clap");
    let commands = workspace().join("loadgen/src/commands");
    for file in naming {
        assert!(file.starts_with(&commands), "{}", file.display());
    }
}

/// loadgen checks the sandboxer's replies by code of its own, because shared code would share its
/// faults.
#[test]
fn loadgen_does_not_depend_on_the_sandboxer() {
    let manifest = fs::read_to_string(workspace().join("loadgen/Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(dependencies) = manifest.get(kind) else {
            continue;
        };
        let dependencies = dependencies.as_table().unwrap();
        for part in SANDBOXER {
            assert!(!dependencies.contains_key(part), "{part} in {kind}");
        }
    }
}
