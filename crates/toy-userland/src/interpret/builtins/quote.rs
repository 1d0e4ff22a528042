//! Values as `set`, `export` and `trap` print them.

/// A value as a shell can read it back.
pub(super) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\"'\"'"))
}
