//! Volumes that show the files of an image.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::error::FileError;
use super::node::{Node, NodeKind};
use super::path::{absolute, is_within};
use super::rootfs::etc;
use super::setup::Setup;
use super::volume::Volume;

/// Makes a volume of the files of an image, or of those below `part`: programs of these names in
/// `/bin`, the usual accounts, and the given files by absolute path.
///
/// # Errors
/// [`FileError::NotFound`] if the image has nothing at `part`.
pub(crate) fn of_image(
    files: &[(String, Vec<u8>)],
    part: &str,
    programs: &[&str],
) -> Result<Volume, FileError> {
    let part = absolute("/", part);
    let node = |kind, mode| Node {
        kind,
        mode,
        uid: 0,
        gid: 0,
        modified: SystemTime::UNIX_EPOCH,
    };
    let setup = Setup::default();
    let accounts = [
        ("/etc/passwd", etc::passwd(&setup)),
        ("/etc/group", etc::group(&setup)),
    ];
    let accounts = accounts.map(|(path, text)| (path.to_owned(), text.into_bytes()));
    let programs = programs.iter();
    let mut all: BTreeMap<String, Node> = programs
        .map(|name| (format!("/bin/{name}"), node(NodeKind::Program, 0o755)))
        .collect();
    for (path, content) in accounts.iter().chain(files) {
        let content = NodeKind::File(Arc::new(content.clone()));
        all.insert(absolute("/", path), node(content, 0o644));
    }
    let mut nodes = BTreeMap::new();
    for (path, file) in all {
        if !is_within(&path, &part) {
            continue;
        }
        let within = &path[part.trim_end_matches('/').len()..];
        for (end, _) in within.match_indices('/') {
            let directory = within[..end].trim_start_matches('/').to_owned();
            let node = node(NodeKind::Directory, 0o755);
            nodes.entry(directory).or_insert(node);
        }
        nodes.insert(within.trim_start_matches('/').to_owned(), file);
    }
    if nodes.is_empty() {
        return Err(FileError::NotFound);
    }
    Ok(Volume::of_nodes(nodes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_image_may_be_a_directory_or_a_file() {
        let files = [("/etc/motd".to_owned(), b"hello".to_vec())];
        let names = |part: &str| of_image(&files, part, &["sh"]).unwrap().names("").unwrap();
        assert_eq!(names(""), ["bin", "etc"]);
        assert_eq!(names("etc/"), ["group", "motd", "passwd"]);
        let file = of_image(&files, "etc/motd", &[]).unwrap();
        let node = file.get("").unwrap().unwrap();
        assert_eq!(node.size(), 5);
        for part in ["none", "et", "etc/motd/x", "bin/ls"] {
            let found = of_image(&files, part, &["sh"]).map(drop);
            assert_eq!(found, Err(FileError::NotFound), "{part}");
        }
    }
}
