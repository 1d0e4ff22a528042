//! Quoting, for the output of `set`, `export` and `trap`.

/// Returns a value in single quotes, as a shell can read it back.
pub(super) fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\"'\"'"))
}
