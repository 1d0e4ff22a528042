//! Mounts, and the text of the files in `/proc` that list them.

use std::fmt::Write;
use std::sync::Arc;

use super::path::{is_within, parent};
use super::volume::Volume;

/// Most mounts of a container. The kernel's limit for all mounts of a namespace is far higher,
/// `fs.mount-max` in sysctl/fs of its documentation; a pod has tens.
const MAX_MOUNTS: usize = 1024;

/// A mount of a container's OCI spec.
#[derive(Debug, Clone, Default)]
pub struct Mount {
    /// Source: a device, a path of the node, or a word such as `tmpfs`.
    pub source: String,
    /// Mount point: an absolute path.
    pub target: String,
    /// Type of the file system, such as `proc` or `ext4`.
    pub kind: String,
    /// Mount options, such as `ro` and `nosuid`.
    pub options: Vec<String>,
    /// Files that are mounted; `None` for a mount over files of the container's own tree.
    pub volume: Option<Arc<Volume>>,
}

impl Mount {
    /// Returns whether the options include `ro` or `rro`.
    pub fn is_read_only(&self) -> bool {
        let mut options = self.options.iter();
        options.any(|option| matches!(option.as_str(), "ro" | "rro"))
    }

    /// Returns whether the mounts below are read-only, too: the option `rro` of the OCI runtime
    /// specification (`config.md`).
    pub(super) fn is_recursively_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "rro")
    }

    /// Returns the options in the form of `/proc/mounts`: `rw` or `ro` first.
    pub(crate) fn shown_options(&self) -> String {
        let access = if self.is_read_only() { "ro" } else { "rw" };
        let rest = self.options.iter().map(String::as_str);
        let rest = rest.filter(|option| !matches!(*option, "ro" | "rro" | "rw" | "bind" | "rbind"));
        std::iter::once(access)
            .chain(rest)
            .collect::<Vec<_>>()
            .join(",")
    }
}

/// The mounts of a container, in the order in which they are made.
#[derive(Debug, Clone)]
pub(crate) struct Mounts(Vec<Mount>);

impl Mounts {
    /// Collects mounts whose targets are absolute and normalised. Mounts beyond the 1,024th are
    /// left out.
    pub(super) fn new(mut list: Vec<Mount>) -> Self {
        list.truncate(MAX_MOUNTS);
        Self(list)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Mount> {
        self.0.iter()
    }

    /// Returns the innermost mount that holds a path. Of several mounts on one point, the last
    /// counts.
    pub(crate) fn of(&self, path: &str) -> Option<&Mount> {
        let holding = self.iter().filter(|mount| is_within(path, &mount.target));
        holding.max_by_key(|mount| mount.target.trim_end_matches('/').len())
    }

    /// Returns whether something is mounted on a path.
    pub(super) fn is_point(&self, path: &str) -> bool {
        self.iter().any(|mount| mount.target == path)
    }

    /// Returns the names in a directory on which something is mounted.
    pub(super) fn names_in(&self, directory: &str) -> impl Iterator<Item = String> {
        let points = self.iter().map(|mount| mount.target.as_str());
        let within = points.filter(move |point| *point != "/" && parent(point) == directory);
        within.filter_map(|point| Some(point.rsplit_once('/')?.1.to_owned()))
    }
}

/// Returns the text of `/proc/mounts`, proc_pid_mounts(5).
pub(super) fn proc_mounts(mounts: &Mounts) -> String {
    let mut text = String::new();
    for mount in mounts.iter() {
        let (source, target) = (escaped(&mount.source), escaped(&mount.target));
        let options = mount.shown_options();
        let _ = writeln!(text, "{source} {target} {} {options} 0 0", mount.kind);
    }
    text
}

/// Returns the text of `/proc/self/mountinfo`, proc_pid_mountinfo(5). Mount ids and device
/// numbers are invented.
pub(super) fn proc_mountinfo(mounts: &Mounts) -> String {
    let mut text = String::new();
    for (index, mount) in mounts.iter().enumerate() {
        let (id, source, target) = (index + 100, escaped(&mount.source), escaped(&mount.target));
        let (kind, options) = (&mount.kind, mount.shown_options());
        let _ = writeln!(
            text,
            "{id} 99 0:{id} / {target} {options} - {kind} {source} {options}"
        );
    }
    text
}

/// Escapes whitespace and backslashes in octal, as the kernel does.
fn escaped(text: &str) -> String {
    let text = if text.is_empty() { "none" } else { text };
    text.replace('\\', "\\134")
        .replace(' ', "\\040")
        .replace('\t', "\\011")
        .replace('\n', "\\012")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(target: &str, options: &[&str]) -> Mount {
        Mount {
            source: "tmpfs".into(),
            target: target.into(),
            kind: "tmpfs".into(),
            options: options.iter().map(ToString::to_string).collect(),
            ..Mount::default()
        }
    }

    #[test]
    fn a_path_is_on_the_innermost_mount() {
        let mounts = Mounts::new(vec![
            mount("/", &["ro"]),
            mount("/tmp", &[]),
            mount("/tmp/x", &[]),
            mount("/tmp/x", &["ro"]),
        ]);
        let read_only = |path| mounts.of(path).unwrap().is_read_only();
        assert!(read_only("/etc") && !read_only("/tmp/a") && read_only("/tmp/x/y"));
        assert!(read_only("/tmpfile"));
        assert_eq!(mounts.names_in("/").collect::<Vec<_>>(), ["tmp"]);
    }

    #[test]
    fn mounts_are_listed_as_the_kernel_does() {
        let mounts = Mounts::new(vec![mount("/a b", &["rbind", "nosuid", "ro"])]);
        assert_eq!(proc_mounts(&mounts), "tmpfs /a\\040b tmpfs ro,nosuid 0 0\n");
        assert_eq!(
            proc_mountinfo(&mounts),
            "100 99 0:100 / /a\\040b ro,nosuid - tmpfs tmpfs ro,nosuid\n"
        );
    }
}
