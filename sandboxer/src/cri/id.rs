//! Ids of pods and containers.

use std::fmt::Write;

use containerd_sandbox::{Error, Result, quoted};

/// Number of random bytes in an id.
const BYTES: usize = 32;
/// Length of an id in hex digits, the same as of containerd's ids.
pub(super) const LEN: usize = 2 * BYTES;

/// Returns a random id.
///
/// # Errors
/// `Unavailable` if the system gives no random bytes.
pub(super) fn random() -> Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|e| Error::unavailable(format!("make an id: {e}")))?;
    Ok(hex(&bytes))
}

/// Encodes bytes as lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the one of `candidates` whose id begins with `prefix`, if there is one. `field`
/// and `kind` name the id and the objects in messages.
///
/// # Errors
/// `InvalidArgument` if there are several, or `prefix` is empty.
pub(super) fn unique<T>(
    field: &str,
    kind: &str,
    prefix: &str,
    candidates: impl IntoIterator<Item = (String, T)>,
) -> Result<Option<T>> {
    check_given(field, prefix)?;
    let mut found = candidates
        .into_iter()
        .filter(|(id, _)| id.starts_with(prefix));
    let first = found.next();
    match found.count() {
        0 => Ok(first.map(|(_, one)| one)),
        more => Err(Error::invalid_argument(format!(
            "{field} {}: {} {kind} have ids that begin with it; more of the id is needed",
            quoted(prefix),
            more + 1
        ))),
    }
}

/// Checks an id in a request.
///
/// # Errors
/// `InvalidArgument` for an empty id.
pub(super) fn check_given(field: &str, id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::invalid_argument(format!(
            "{field} \"\": an id, or the beginning of one, is needed"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::{Code, check_id};

    #[test]
    fn an_id_is_64_hex_digits_and_another_each_time() {
        let id = random().unwrap();
        assert_eq!(id.len(), LEN);
        assert!(id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
        assert_eq!(check_id("id", &id), Ok(()));
        assert_ne!(random().unwrap(), id);
    }

    #[test]
    fn a_prefix_names_one_or_none_and_several_are_an_error() {
        let ids = ["abc1", "abc2", "def"];
        let unique = |prefix| {
            let candidates = ids.iter().map(|id| ((*id).to_owned(), *id));
            unique("container_id", "containers", prefix, candidates)
        };
        assert_eq!(unique("d"), Ok(Some("def")));
        assert_eq!(unique("abc2"), Ok(Some("abc2")));
        assert_eq!(unique("x"), Ok(None));
        for prefix in ["abc", ""] {
            let error = unique(prefix).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.to_string().contains("container_id"), "{error}");
        }
    }
}
