//! The table of images that a user states: names, digests, sizes and configurations.
//!
//! Without an entry, an image is known by its name alone: every name is an image of its own, and
//! runs as root. With one, all names of the entry are one image, as they are on a registry that
//! has one digest for them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use containerd_sandbox::{Error, Result, quoted};
use serde::Deserialize;

use super::reference::{Reference, digest_of, is_digest};
use super::stop_signal;
use crate::units::bytes_of_document;
use slot::ImageConfig;

/// Most bytes of the file.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// Most bytes of one entry, which the journal keeps for each container of the image.
const MAX_ENTRY_BYTES: usize = 64 << 10;

/// Format of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    image: Vec<toml::Table>,
}

/// Keys of an entry that are about the image and not its configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Identity {
    names: Vec<String>,
    digest: Option<String>,
    #[serde(deserialize_with = "bytes_of_document")]
    size_bytes: Option<u64>,
}

/// One image of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Digest that the registry would have for the image.
    pub(super) digest: String,
    /// Size in bytes; `None` if it is not stated.
    pub(super) size_bytes: Option<u64>,
    /// Configuration.
    pub(super) config: ImageConfig,
}

/// Images by name.
#[derive(Debug, Default)]
pub struct ImageTable {
    /// Images by name with a tag or digest.
    names: BTreeMap<String, Arc<Entry>>,
    digests: BTreeMap<String, Arc<Entry>>,
    ids: BTreeMap<String, Arc<Entry>>,
}

impl ImageTable {
    /// Reads a table of images, in TOML.
    ///
    /// # Errors
    /// `InvalidArgument` for a file that cannot be read, has more than 4 MiB or is invalid, with
    /// its path and the reason.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |e: &dyn std::fmt::Display| {
            Error::invalid_argument(format!("table of images {}: {e}", path.display()))
        };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|e| failed(&e))?;
        let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
        let read = u64::try_from(read.map_err(|e| failed(&e))?).unwrap_or(u64::MAX);
        if read > MAX_FILE_BYTES {
            return Err(failed(&format!("more than {MAX_FILE_BYTES} bytes")));
        }
        Self::parse(&text).map_err(|e| failed(&e))
    }

    fn parse(text: &str) -> Result<Self> {
        let invalid = |e: &dyn std::fmt::Display| Error::invalid_argument(e.to_string());
        let file: File = toml::from_str(text).map_err(|e| invalid(&e))?;
        let mut table = Self::default();
        for entry in file.image {
            table.add(entry)?;
        }
        Ok(table)
    }

    fn add(&mut self, entry: toml::Table) -> Result<()> {
        const OWN: [&str; 3] = ["names", "digest", "size-bytes"];
        let invalid = |e: &dyn std::fmt::Display| Error::invalid_argument(e.to_string());
        let (own, config): (toml::Table, toml::Table) = entry
            .into_iter()
            .partition(|(key, _)| OWN.contains(&key.as_str()));
        let own: Identity = own.try_into().map_err(|e| invalid(&e))?;
        if config.to_string().len() > MAX_ENTRY_BYTES {
            let names = own.names.join(", ");
            return Err(invalid(&format!(
                "image {}: more than {MAX_ENTRY_BYTES} bytes",
                quoted(&names)
            )));
        }
        let config: ImageConfig = config.try_into().map_err(|e| invalid(&e))?;
        let signal = &config.stop_signal;
        if !signal.is_empty() && stop_signal::of_image(signal).is_none() {
            return Err(invalid(&format!(
                "stop-signal {}: a signal such as SIGQUIT, 3 or SIGRTMIN+3 is needed",
                quoted(signal)
            )));
        }
        let references = own.names.iter().map(|name| Reference::parse(name));
        let references: Vec<Reference> = references.collect::<Result<_>>()?;
        let Some(first) = references.first() else {
            return Err(invalid(&"an image without names"));
        };
        let digest = match own.digest {
            Some(digest) if !is_digest(&digest) => {
                return Err(invalid(&format!(
                    "digest {}: sha256: and 64 hex digits are needed",
                    quoted(&digest)
                )));
            }
            Some(digest) => digest,
            None => first.digest(),
        };
        let entry = Arc::new(Entry {
            digest: digest.clone(),
            size_bytes: own.size_bytes,
            config,
        });
        let names: BTreeSet<String> = references
            .iter()
            .map(|reference| reference.by_tag().unwrap_or_else(|| reference.by_digest()))
            .collect();
        for name in names {
            let shown = quoted(&name);
            if self.names.insert(name, Arc::clone(&entry)).is_some() {
                return Err(invalid(&format!("image {shown}: stated twice")));
            }
        }
        let shown = quoted(&digest);
        self.ids.insert(id_of(&digest), Arc::clone(&entry));
        if self.digests.insert(digest, entry).is_some() {
            return Err(invalid(&format!(
                "digest {shown}: stated twice; an image is one entry with all its names"
            )));
        }
        Ok(())
    }

    /// Returns the entry of a reference, by name or by digest.
    pub(super) fn of(&self, reference: &Reference) -> Option<&Arc<Entry>> {
        let by_name = match reference.by_tag() {
            Some(tag) => self.names.get(&tag),
            None => self.names.get(&reference.by_digest()),
        };
        by_name.or_else(|| self.digests.get(&reference.digest()))
    }

    /// Returns the entry of the image with an id.
    pub(super) fn with_id(&self, id: &str) -> Option<&Arc<Entry>> {
        self.ids.get(id)
    }
}

/// Returns the id of an image: the digest that the configuration of an image with this digest
/// would have.
pub(super) fn id_of(digest: &str) -> String {
    digest_of(&format!("configuration of {digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"
        [[image]]
        names = ["registry.k8s.io/pause:3.9", "k8s.gcr.io/pause:3.9"]
        size-bytes = "300KB"
        entrypoint = ["/pause"]

        [[image]]
        names = ["www"]
        digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        user = "www-data"
        passwd = ["www-data:x:33:33::/var/www:/bin/false"]
        files = { "/etc/motd" = "hello\n" }
    "#;

    fn of<'t>(table: &'t ImageTable, name: &str) -> Option<&'t Arc<Entry>> {
        table.of(&Reference::parse(name).unwrap())
    }

    #[test]
    fn all_names_of_an_entry_are_one_image() {
        let table = ImageTable::parse(TABLE).unwrap();
        let pause = of(&table, "registry.k8s.io/pause:3.9").unwrap();
        assert_eq!(of(&table, "k8s.gcr.io/pause:3.9"), Some(pause));
        assert_eq!(pause.size_bytes, Some(300_000));
        assert_eq!(of(&table, "registry.k8s.io/pause:3.8"), None);
        let www = of(&table, "docker.io/library/www:latest").unwrap();
        assert_eq!(www.config.username(), "www-data");
        assert_eq!(
            of(&table, &format!("elsewhere.example/x@{}", www.digest)),
            Some(www)
        );
        assert_eq!(table.with_id(&id_of(&www.digest)), Some(www));
    }

    #[test]
    fn an_invalid_table_is_refused_with_the_reason() {
        for (text, reason) in [
            ("[[image]]", "without names"),
            ("[[image]]\nnames = ['?']", "a name such as"),
            ("[[image]]\nnames = ['a']\nentrypont = []", "entrypont"),
            ("[[image]]\nnames = ['a']\ndigest = 'x'", "64 hex digits"),
            (
                "[[image]]\nnames = ['a']\n[[image]]\nnames = ['a:latest']",
                "stated twice",
            ),
            ("[image]", "invalid type"),
        ] {
            let error = ImageTable::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let error = ImageTable::read(Path::new("/nowhere"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere"), "{error}");
    }
}
