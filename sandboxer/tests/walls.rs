//! Rules on the modules of the crate that the compiler does not hold.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules that read the messages of CRI that a slot keeps.
const READERS_OF_CRI: [&str; 4] = ["cri", "live/cri.rs", "live/decode.rs", "live/setup.rs"];

/// Texts in code that reads such a message.
const READS_OF_CRI: [&str; 7] = [
    "k8s_cri",
    "container.cri",
    "pod.cri",
    "sandbox.cri",
    ".cri.as_",
    ".cri.is_",
    ".cri.clone",
];

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Returns the files below `src` whose code contains one of the texts, with the text.
fn containing(texts: &[&str]) -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let mut found = Vec::new();
    for path in all {
        let code = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(&src).unwrap().display().to_string();
        let contained = texts.iter().filter(|text| code.contains(**text));
        found.extend(contained.map(|text| (name.clone(), (*text).to_owned())));
    }
    found
}

#[test]
fn only_the_edges_of_the_live_sandboxer_read_messages_of_cri() {
    let found = containing(&READS_OF_CRI);
    let (allowed, others): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|(file, _)| READERS_OF_CRI.iter().any(|reader| file.starts_with(reader)));
    assert!(!allowed.is_empty(), "the texts are in no file: update them");
    assert!(others.is_empty(), "ask the slot for its origin: {others:?}");
}

#[test]
fn only_the_binary_knows_clap() {
    let binary = ["main.rs", "cli.rs", "cli/", "serve.rs", "logging.rs"];
    let found = containing(&["use clap", "clap::"]);
    let others: Vec<_> = found
        .iter()
        .filter(|(file, _)| !binary.iter().any(|part| file.starts_with(part)))
        .collect();
    assert!(others.is_empty() && !found.is_empty(), "{others:?}");
}
