//! Identifiers of sandboxes and containers, and the key of an id within its namespace.

use std::cmp::Ordering;
use std::fmt;

use crate::error::{Error, Result};

/// Greatest length of an identifier, in bytes: containerd's limit (`pkg/identifiers`).
pub const MAX_ID_LEN: usize = 76;

/// Namespace of a call that names none: the namespace of CRI.
pub const DEFAULT_NAMESPACE: &str = "k8s.io";

/// Key of a sandbox or container: its id and the containerd namespace in which the id is unique.
///
/// ```
/// use containerd_sandbox::Key;
///
/// let pod = Key::new("k8s.io", "pod-1")?;
/// let container = pod.sibling("container-1")?;
/// assert_eq!((container.namespace(), container.id()), ("k8s.io", "container-1"));
/// assert!(Key::new("k8s.io", "../etc").is_err());
/// # Ok::<(), containerd_sandbox::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// `None` for [`DEFAULT_NAMESPACE`], which nearly every key has, to save memory.
    namespace: Option<Box<str>>,
    id: Box<str>,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.namespace(), self.id()).cmp(&(other.namespace(), other.id()))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Key {
    /// Creates a key from parts that both follow the rule of [`check_id`].
    ///
    /// # Errors
    /// `InvalidArgument`, with the name of the part, its value and the rule.
    pub fn new(namespace: &str, id: &str) -> Result<Self> {
        Self::named("id", namespace, id)
    }

    /// Creates a key like [`Key::new`]; errors call the id by the name `field`.
    pub(crate) fn named(field: &str, namespace: &str, id: &str) -> Result<Self> {
        check_id(field, id)?;
        check_id("namespace", namespace)?;
        Ok(Self {
            namespace: (namespace != DEFAULT_NAMESPACE).then(|| namespace.into()),
            id: id.into(),
        })
    }

    /// Returns the key of another id in the same namespace.
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn sibling(&self, id: &str) -> Result<Self> {
        check_id("id", id)?;
        Ok(Self {
            namespace: self.namespace.clone(),
            id: id.into(),
        })
    }

    /// Returns the containerd namespace.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE)
    }

    /// Returns the id within the namespace.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_none() {
            f.write_str(&self.id)
        } else {
            write!(f, "{}/{}", self.namespace(), self.id)
        }
    }
}

/// Checks containerd's identifier rule: ASCII letters and digits, in groups
/// joined by single `.`, `_` or `-`, at most [`MAX_ID_LEN`] bytes. A valid id is safe as a file
/// name.
///
/// # Errors
/// `InvalidArgument`, with `field`, the value and the rule.
pub fn check_id(field: &str, value: &str) -> Result<()> {
    let reason = if value.is_empty() {
        "it is empty".to_owned()
    } else if value.len() > MAX_ID_LEN {
        format!("it is {} bytes long, over {MAX_ID_LEN}", value.len())
    } else if !is_joined_groups(value) {
        "only ASCII letters and digits, joined by single '.', '_' or '-', are allowed".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::invalid_argument(format!(
        "{field} {}: {reason}",
        quoted(value)
    )))
}

/// Classes of bytes in an identifier.
const OTHER: u8 = 0;
const SEPARATOR: u8 = 1;
const ALPHANUMERIC: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'.' | b'_' | b'-' => SEPARATOR,
            _ if byte.is_ascii_alphanumeric() => ALPHANUMERIC,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};

/// Checks the grammar of an id in one pass with a table, because every request carries ids.
fn is_joined_groups(value: &str) -> bool {
    let mut before = SEPARATOR;
    for byte in value.bytes() {
        let class = CLASSES[usize::from(byte)];
        if class == OTHER || class & before == SEPARATOR {
            return false;
        }
        before = class;
    }
    before == ALPHANUMERIC
}

/// Quotes a value for an error message: escaped, and cut after 80 characters.
pub fn quoted(value: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = value.chars().take(SHOWN).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use proptest::prelude::*;

    #[test]
    fn ids_that_containerd_accepts_are_accepted() {
        for id in [
            "a",
            "Abc09",
            "test-sandbox",
            "k8s.io",
            "a_b-c.d",
            &"f".repeat(64),
            &"x".repeat(MAX_ID_LEN),
        ] {
            assert_eq!(check_id("id", id), Ok(()), "{id}");
        }
    }

    #[test]
    fn ids_that_containerd_refuses_are_refused_with_field_and_value() {
        for id in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "/a",
            "a\0b",
            "-a",
            "a-",
            "a--b",
            "a..b",
            "a b",
            "ä",
            &"x".repeat(MAX_ID_LEN + 1),
        ] {
            let error = check_id("sandbox_id", id).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.to_string().starts_with("sandbox_id \""), "{error}");
        }
    }

    #[test]
    fn a_huge_id_gives_a_short_message() {
        let error = check_id("id", &"\u{1}".repeat(1 << 20)).unwrap_err();
        assert!(error.to_string().len() < 1000);
    }

    proptest! {
        #[test]
        fn an_accepted_id_is_one_harmless_path_component(id in "[a./-]{1,6}|\\PC{0,90}") {
            if check_id("id", &id).is_ok() {
                let path = std::path::Path::new(&id);
                prop_assert_eq!(path.components().count(), 1);
                prop_assert_eq!(path.file_name().and_then(|n| n.to_str()), Some(id.as_str()));
            }
        }
    }
}
