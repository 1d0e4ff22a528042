//! Mounts, and the text of the files in `/proc` that list them.

use std::fmt::Write;

use super::path::is_within;

/// A mount of a container's OCI spec.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// Source: a device, a path of the node, or a word such as `tmpfs`.
    pub source: String,
    /// Mount point: an absolute path.
    pub target: String,
    /// Type of the file system, such as `proc` or `ext4`.
    pub kind: String,
    /// Mount options, such as `ro` and `nosuid`.
    pub options: Vec<String>,
}

impl Mount {
    /// Returns whether the options include `ro`.
    pub fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }

    /// Returns the options in the form of `/proc/mounts`: `rw` or `ro` first.
    pub(crate) fn shown_options(&self) -> String {
        let access = if self.is_read_only() { "ro" } else { "rw" };
        let rest = self.options.iter().map(String::as_str);
        let rest = rest.filter(|option| !matches!(*option, "ro" | "rw" | "bind" | "rbind"));
        std::iter::once(access)
            .chain(rest)
            .collect::<Vec<_>>()
            .join(",")
    }
}

/// Returns the innermost mount that holds a path. Of several mounts on one point, the last
/// counts.
pub(crate) fn mount_of<'m>(mounts: &'m [Mount], path: &str) -> Option<&'m Mount> {
    let holding = mounts.iter().filter(|mount| is_within(path, &mount.target));
    holding.max_by_key(|mount| mount.target.trim_end_matches('/').len())
}

/// Returns the text of `/proc/mounts`, proc_pid_mounts(5).
pub(super) fn proc_mounts(mounts: &[Mount]) -> String {
    let mut text = String::new();
    for mount in mounts {
        let (source, target) = (escaped(&mount.source), escaped(&mount.target));
        let options = mount.shown_options();
        let _ = writeln!(text, "{source} {target} {} {options} 0 0", mount.kind);
    }
    text
}

/// Returns the text of `/proc/self/mountinfo`, proc_pid_mountinfo(5). Mount ids and device
/// numbers are invented.
pub(super) fn proc_mountinfo(mounts: &[Mount]) -> String {
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
        }
    }

    #[test]
    fn a_path_is_on_the_innermost_mount() {
        let mounts = [
            mount("/", &["ro"]),
            mount("/tmp", &[]),
            mount("/tmp/x", &["ro"]),
        ];
        let read_only = |path| mount_of(&mounts, path).unwrap().is_read_only();
        assert!(read_only("/etc") && !read_only("/tmp/a") && read_only("/tmp/x/y"));
        assert!(read_only("/tmpfile"));
    }

    #[test]
    fn mounts_are_listed_as_the_kernel_does() {
        let mounts = [mount("/a b", &["rbind", "nosuid", "ro"])];
        assert_eq!(proc_mounts(&mounts), "tmpfs /a\\040b tmpfs ro,nosuid 0 0\n");
        assert_eq!(
            proc_mountinfo(&mounts),
            "100 99 0:100 / /a\\040b ro,nosuid - tmpfs tmpfs ro,nosuid\n"
        );
    }
}
