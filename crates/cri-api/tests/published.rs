//! Compares the list of names and numbers with a published `api.proto`.
//!
//! `CRI_API_PROTO` names the published file; without it, `scripts/cri-api` fetches one. If there is
//! none, the test is skipped, or fails if `REQUIRE_CRI_API` is set. With `UPDATE_CRI_API`, the list
//! is written anew from the file.

mod listing;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use prost::Message as _;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

/// Returns the descriptor of one `.proto` file, by `protoc`.
fn described(published: &Path) -> FileDescriptorProto {
    let dir = tempfile::tempdir().unwrap();
    // protoc knows this option of a field since version 22; Debian 12 has an older one.
    let text = std::fs::read_to_string(published).unwrap();
    let file = dir.path().join("api.proto");
    std::fs::write(&file, text.replace("[debug_redact = true]", "")).unwrap();
    let out = dir.path().join("descriptors");
    let protoc = std::env::var_os("PROTOC").unwrap_or_else(|| "protoc".into());
    let status = Command::new(protoc)
        .arg("--proto_path")
        .arg(dir.path())
        .arg("--descriptor_set_out")
        .arg(&out)
        .arg(&file)
        .status()
        .unwrap();
    assert!(
        status.success(),
        "protoc cannot read {}",
        published.display()
    );
    only_file(&std::fs::read(out).unwrap())
}

/// Returns the path of a published `api.proto`.
fn published() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/cri-api");
    let found = Command::new(script)
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    let path = String::from_utf8(found.stdout).ok()?;
    found.status.success().then(|| path.trim_end().into())
}

fn only_file(descriptors: &[u8]) -> FileDescriptorProto {
    let mut set = FileDescriptorSet::decode(descriptors).unwrap();
    assert_eq!(set.file.len(), 1);
    set.file.remove(0)
}

#[test]
fn nothing_of_the_published_api_is_missing() {
    let Some(published) = published() else {
        assert!(
            std::env::var_os("REQUIRE_CRI_API").is_none(),
            "no published api.proto can be had"
        );
        eprintln!("SKIPPED: no published api.proto can be had");
        return;
    };
    let published = described(&published);
    if std::env::var_os("UPDATE_CRI_API").is_some() {
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/runtime.v1.proto");
        std::fs::write(ours, listing::proto(&published)).unwrap();
        return;
    }
    let ours = listing::facts(&only_file(cri_api::DESCRIPTORS));
    let missing: BTreeSet<_> = &listing::facts(&published) - &ours;
    assert!(
        missing.is_empty(),
        "the published API has more than proto/runtime.v1.proto:\n{}",
        missing.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn the_list_is_written_as_the_test_would_write_it() {
    let ours = listing::proto(&only_file(cri_api::DESCRIPTORS));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/runtime.v1.proto");
    let listed = std::fs::read_to_string(file).unwrap();
    assert!(
        listed == ours,
        "proto/runtime.v1.proto differs from its own descriptor:\n{ours}"
    );
}
