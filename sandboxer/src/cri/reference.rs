//! References of images, parsed and completed as Docker and containerd do.
//!
//! The type `Reference` of the crate `oci-spec` does not fit: it refuses a registry that is
//! an IPv6 address (`[::1]:5000/a`), takes a bare hexadecimal id for a name and digests
//! with upper-case digits, keeps a tag beside a digest, and limits the repository instead
//! of the whole name to 255 bytes.

use std::fmt::Write;

use containerd_sandbox::{Error, Result, quoted};
use sha2::{Digest, Sha256};

use super::id::hex;

/// Registry of a name without one, and the directory of a bare name there.
const DEFAULT_DOMAIN: &str = "docker.io";
const OFFICIAL: &str = "library";
/// Tag of a name with neither tag nor digest.
const DEFAULT_TAG: &str = "latest";
/// Longest name and tag, in bytes (distribution's `reference` package).
const MAX_NAME_LEN: usize = 255;
const MAX_TAG_LEN: usize = 128;

/// A complete reference of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// Registry and path, such as `docker.io/library/busybox`.
    name: String,
    version: Version,
    /// Digest of the image; `None` for one that is derived from name and tag.
    digest: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    Tag(String),
    Digest(String),
}

impl Reference {
    /// Parses a reference. A digest takes precedence over a tag.
    ///
    /// # Errors
    /// `InvalidArgument`, with the reason.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let invalid =
            |reason: &str| Error::invalid_argument(format!("image {}: {reason}", quoted(text)));
        if is_id(text) {
            return Err(invalid("the id of no image that is there"));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(invalid(
                "a digest such as sha256: and 64 hex digits is needed after @",
            ));
        }
        // A colon before the last slash separates a registry's port.
        let after_slash = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[after_slash..].split_once(':') {
            Some((last, tag)) => (&rest[..after_slash + last.len()], Some(tag)),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(invalid(
                "a tag of at most 128 letters, digits, '_', '.' and '-' is needed after :",
            ));
        }
        let name = complete(name);
        let (domain, path) = name.split_once('/').unwrap_or((DEFAULT_DOMAIN, &name));
        if name.len() > MAX_NAME_LEN || !is_domain(domain) || !path.split('/').all(is_part) {
            return Err(invalid(
                "a name such as registry.k8s.io/pause of at most 255 lower-case letters, digits \
                 and separators is needed",
            ));
        }
        let version = match (digest, tag) {
            (Some(digest), _) => Version::Digest(digest.to_owned()),
            (None, tag) => Version::Tag(tag.unwrap_or(DEFAULT_TAG).to_owned()),
        };
        Ok(Self {
            name,
            version,
            digest: None,
        })
    }

    /// Returns the name with the tag, such as `docker.io/library/busybox:latest`; `None`
    /// for a reference by digest.
    pub(super) fn by_tag(&self) -> Option<String> {
        match &self.version {
            Version::Tag(tag) => Some(format!("{}:{tag}", self.name)),
            Version::Digest(_) => None,
        }
    }

    /// Returns the name with the digest, such as `docker.io/library/busybox@sha256:…`.
    pub(super) fn by_digest(&self) -> String {
        format!("{}@{}", self.name, self.digest())
    }

    /// Returns the reference with a tag, whose digest is a known one.
    pub(super) fn with_digest(&self, digest: &str) -> Self {
        Self {
            digest: Some(digest.to_owned()),
            ..self.clone()
        }
    }

    /// Returns the stated digest, or one derived from name and tag.
    pub(super) fn digest(&self) -> String {
        if let Some(digest) = &self.digest {
            return digest.clone();
        }
        match &self.version {
            Version::Digest(digest) => digest.clone(),
            Version::Tag(tag) => digest_of(&format!("{}:{tag}", self.name)),
        }
    }
}

/// Derives a digest from a text.
pub(super) fn digest_of(text: &str) -> String {
    let mut digest = "sha256:".to_owned();
    // Writing to a string cannot fail.
    let _ = write!(digest, "{}", hex(&Sha256::digest(text)));
    digest
}

fn complete(name: &str) -> String {
    match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => {
            let domain = match first {
                "index.docker.io" => DEFAULT_DOMAIN,
                other => other,
            };
            if domain == DEFAULT_DOMAIN && !rest.contains('/') {
                return format!("{domain}/{OFFICIAL}/{rest}");
            }
            format!("{domain}/{rest}")
        }
        Some(_) => format!("{DEFAULT_DOMAIN}/{name}"),
        None => format!("{DEFAULT_DOMAIN}/{OFFICIAL}/{name}"),
    }
}

/// Returns whether the first part of a name is a registry rather than a directory.
fn is_registry(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !domain.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let is_v6 = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        inner.is_some_and(|inner| inner.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'))
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    port.is_none_or(is_port) && (is_v6(host) || host.split('.').all(is_label))
}

/// Returns whether a part of a path consists of lower-case letters and digits, joined by
/// `.`, `_`, `__` or any number of `-`.
fn is_part(part: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends_well = |c: Option<char>| c.is_some_and(is_letter);
    let separators = part.split(is_letter).filter(|between| !between.is_empty());
    ends_well(part.chars().next())
        && ends_well(part.chars().next_back())
        && separators
            .into_iter()
            .all(|between| matches!(between, "." | "_" | "__") || between.chars().all(|c| c == '-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=MAX_TAG_LEN).contains(&tag.len())
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

/// Returns whether a text can only be the id of an image: names may not look like ids.
pub(super) fn is_id(text: &str) -> bool {
    is_digest(text) || is_digest(&format!("sha256:{text}"))
}

pub(super) fn is_digest(digest: &str) -> bool {
    let lengths = [("sha256", 64), ("sha384", 96), ("sha512", 128)];
    digest.split_once(':').is_some_and(|(algorithm, digits)| {
        lengths.contains(&(algorithm, digits.len()))
            && digits
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;
    use proptest::prelude::*;

    #[test]
    fn names_are_completed_as_docker_does() {
        for (text, tag) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1.36", "docker.io/library/busybox:1.36"),
            ("kubernetes/pause", "docker.io/kubernetes/pause:latest"),
            ("docker.io/busybox", "docker.io/library/busybox:latest"),
            ("index.docker.io/a/b:c", "docker.io/a/b:c"),
            ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
            ("localhost/a", "localhost/a:latest"),
            ("localhost:5000/a/b-c__d:e", "localhost:5000/a/b-c__d:e"),
            ("[::1]:5000/a", "[::1]:5000/a:latest"),
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(reference.by_tag().as_deref(), Some(tag));
        }
    }

    #[test]
    fn a_digest_counts_more_than_a_tag() {
        let digest = digest_of("x");
        let reference = Reference::parse(&format!("a/b:c@{digest}")).unwrap();
        assert_eq!(reference.by_tag(), None);
        assert_eq!(reference.by_digest(), format!("docker.io/a/b@{digest}"));
    }

    #[test]
    fn a_made_up_digest_is_the_same_each_time_and_for_every_spelling() {
        let digest = |text| Reference::parse(text).unwrap().digest();
        assert_eq!(
            digest("busybox"),
            digest("docker.io/library/busybox:latest")
        );
        assert_ne!(digest("busybox"), digest("busybox:1"));
        assert!(is_digest(&digest("busybox")));
    }

    #[test]
    fn an_invalid_reference_is_refused() {
        for text in [
            "",
            ":",
            "@",
            "a:",
            "a@",
            "Upper/x/Y",
            "a b",
            "a/",
            "/a",
            "a//b",
            "-a",
            "a_",
            "a..b",
            "a___b",
            "a@sha256:12",
            "a:b:c",
            "ex.com:x/a",
            "ä",
            "a/B",
        ] {
            let error = Reference::parse(text).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{text}");
        }
        assert!(Reference::parse(&"a".repeat(300)).is_err());
        assert!(Reference::parse(&format!("a:{}", "t".repeat(129))).is_err());
    }

    proptest! {
        #[test]
        fn a_complete_reference_is_complete(text in "[a-z.:/@-]{0,40}|\\PC{0,40}") {
            if let Ok(reference) = Reference::parse(&text) {
                let complete = reference.by_tag().unwrap_or_else(|| reference.by_digest());
                prop_assert_eq!(Reference::parse(&complete), Ok(reference));
            }
        }
    }
}
