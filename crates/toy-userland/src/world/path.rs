//! Paths as text: absolute, without `.`, `..` and doubled slashes.

/// Returns the absolute form of a path that starts at a directory. The tree has no links, so
/// `..` removes the name before it.
pub(crate) fn absolute(directory: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let base = if path.starts_with('/') { "" } else { directory };
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Returns the directory that holds an absolute path. The root holds itself.
pub(crate) fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// Returns the last name of a path, without trailing slashes; `/` for the root.
pub(crate) fn base_name(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rsplit_once('/') {
        Some((_, name)) => name,
        None if trimmed.is_empty() && !path.is_empty() => "/",
        None => trimmed,
    }
}

/// Returns whether a path is the directory or lies below it. Both are absolute.
pub(crate) fn is_within(path: &str, directory: &str) -> bool {
    directory == "/"
        || path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns the path of a name in a directory.
pub(crate) fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_made_absolute() {
        for (directory, path, expected) in [
            ("/", "a", "/a"),
            ("/a/b", "../c", "/a/c"),
            ("/a", "/b//c/./d/..", "/b/c"),
            ("/", "../../x", "/x"),
            ("/a", "", "/a"),
        ] {
            assert_eq!(absolute(directory, path), expected);
        }
    }

    #[test]
    fn the_parts_of_a_path_are_told_apart() {
        assert_eq!(
            (parent("/a/b"), parent("/a"), parent("/")),
            ("/a", "/", "/")
        );
        assert_eq!(
            (base_name("/a/b/"), base_name("/"), base_name("x")),
            ("b", "/", "x")
        );
        assert!(is_within("/a/b", "/a") && is_within("/a", "/a") && is_within("/a", "/"));
        assert!(!is_within("/ab", "/a"));
        assert_eq!(
            (join("/", "x"), join("/a", "x")),
            ("/x".into(), "/a/x".into())
        );
    }
}
