//! The rules of ARCHITECTURE.md that no crate's border holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::imports::Imports;

/// The crate of the sandboxer, and the crates that only the sandboxer is made of.
const SANDBOXER: [&str; 8] = [
    "sandboxer",
    "journal",
    "pod-resources",
    "slot",
    "spdy",
    "terminal",
    "toy-userland",
    "views",
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the library of a package, by the path of the package.
fn library(package: &str) -> Imports {
    Imports::of(&workspace().join(package).join("src"))
}

fn assert_without_circle(package: &str) {
    for levels in [1, 2] {
        let circle = library(package).circle(levels);
        assert!(circle.is_empty(), "{package}: {}", circle.join(" -> "));
    }
}

#[test]
fn no_modules_of_loadgen_import_each_other_in_a_circle() {
    assert_without_circle("loadgen");
}

#[test]
fn no_modules_of_the_sandboxer_import_each_other_in_a_circle() {
    assert_without_circle("sandboxer");
}

#[test]
fn no_modules_of_a_library_import_each_other_in_a_circle() {
    for package in fs::read_dir(workspace().join("crates")).unwrap() {
        let name = package.unwrap().file_name();
        assert_without_circle(&format!("crates/{}", name.display()));
    }
}

#[test]
fn modules_of_the_toy_userland_import_only_modules_below_them() {
    /// The modules, from the lowest to the highest.
    const MODULES: [&str; 12] = [
        "limits",
        "outcome",
        "pattern",
        "variables",
        "budget",
        "syntax",
        "world",
        "streams",
        "directory",
        "commands",
        "interpret",
        "idle",
    ];
    let height = |module: &str| {
        let height = MODULES.iter().position(|known| *known == module);
        height.unwrap_or_else(|| panic!("{module} has no place in the order"))
    };
    let edges = library("crates/toy-userland").edges(1);
    assert_eq!(edges.len(), MODULES.len());
    for (module, imports) in edges {
        for import in imports {
            let is_below = height(&import) < height(&module);
            assert!(is_below, "{module} imports {import}");
        }
    }
}

#[test]
fn loadgen_names_clap_in_its_command_layer_only() {
    let loadgen = library("loadgen");
    let naming = loadgen.naming("clap");
    assert!(!naming.is_empty(), "the command line is read with clap");
    let commands = workspace().join("loadgen/src/commands");
    for file in naming {
        assert!(file.starts_with(&commands), "{}", file.display());
    }
}

#[test]
fn only_the_binary_of_the_sandboxer_names_clap() {
    assert_eq!(library("sandboxer").naming("clap"), Vec::<&Path>::new());
}

#[test]
fn only_the_edges_of_the_live_sandboxer_read_messages_of_cri() {
    const READERS: [&str; 5] = [
        "cri",
        "live/cri.rs",
        "live/decode.rs",
        "live/lists.rs",
        "live/setup",
    ];
    const READS: [&str; 7] = [
        "cri_api",
        "container.cri",
        "pod.cri",
        "sandbox.cri",
        ".cri.as_",
        ".cri.is_",
        ".cri.clone",
    ];
    let sandboxer = library("sandboxer");
    let src = workspace().join("sandboxer/src");
    let is_reader = |file: &&Path| {
        READERS
            .iter()
            .any(|reader| file.starts_with(src.join(reader)))
    };
    let files = sandboxer.containing(&READS);
    let (readers, others): (Vec<_>, Vec<_>) = files.into_iter().partition(is_reader);
    assert!(!readers.is_empty(), "the texts are in no file: update them");
    assert!(others.is_empty(), "ask the slot for its origin: {others:?}");
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

/// A plan is computed from files alone: the planner waits for no socket.
#[test]
fn the_planner_depends_on_no_runtime_and_on_neither_other_program() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(["--format", "{p}", "-p", "slotplan"])
        .current_dir(workspace())
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let names: Vec<_> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.contains(&"inventory"), "{tree}");
    for other in [
        "tokio",
        "tonic",
        "hyper",
        "sandboxer",
        "loadgen",
        "journal",
        "cri-api",
    ] {
        assert!(!names.contains(&other), "{other}");
    }
}
