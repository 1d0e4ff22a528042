//! Images that were pulled.
//!
//! Images belong to the node and to no sandbox, so they are in a file of their own and not
//! in the journal, each of whose records is about one sandbox. The file is small and
//! changes seldom: each change replaces it as a whole, before the change is acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use containerd_sandbox::{Error, Result};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::id;
use super::image_table::{ImageTable, id_of};
use super::reference::{Reference, is_id};
use crate::simulate::profile::Pulls;
use crate::wait::wait;
use journal::Document;
use slot::ImageConfig;

/// Size of the smallest image, and the range above it, in bytes: 1 MiB for a single static
/// binary up to about 256 MiB for a language's runtime.
const MIN_SIZE: u64 = 1 << 20;
const SIZES: u64 = 255 << 20;
/// Bytes of an image per file, from which the number of inodes follows.
const BYTES_PER_FILE: u64 = 64 << 10;

/// Least number of hex digits that are taken for the beginning of an id. A shorter text is
/// more likely a name, such as `cafe`.
const MIN_DIGITS: usize = 7;

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Image {
    /// Id: the digest that the image's configuration would have.
    pub(super) id: String,
    /// Size in bytes.
    pub(super) size_bytes: u64,
    /// Names with a tag.
    pub(super) repo_tags: BTreeSet<String>,
    /// Names with a digest.
    pub(super) repo_digests: BTreeSet<String>,
}

impl Image {
    fn of(reference: &Reference, pulls: Pulls, table: &ImageTable) -> Self {
        let stated = table.of(reference);
        let reference = match stated {
            Some(entry) => &reference.with_digest(&entry.digest),
            None => reference,
        };
        let size_bytes = stated
            .and_then(|entry| entry.size_bytes)
            .or(pulls.size_bytes);
        let id = id_of(&reference.digest());
        // The first hex digits of the id, a digest, serve as a random number.
        let seed = id
            .bytes()
            .rev()
            .take(15)
            .fold(0, |n, digit| n << 4 | u64::from(digit & 0xf));
        Self {
            size_bytes: size_bytes.unwrap_or(MIN_SIZE + seed % SIZES),
            repo_tags: reference.by_tag().into_iter().collect(),
            repo_digests: [reference.by_digest()].into(),
            id,
        }
    }

    /// Returns a name with a digest, or the id if the image has no such name.
    pub(super) fn reference(&self) -> &str {
        self.repo_digests.first().unwrap_or(&self.id)
    }

    /// Returns the number of inodes that the image would take.
    pub(super) fn inodes(&self) -> u64 {
        self.size_bytes.div_ceil(BYTES_PER_FILE)
    }
}

/// Images by id.
type ById = BTreeMap<String, Image>;

/// Contents of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    images: Vec<Image>,
}

/// All images that were pulled.
#[derive(Debug)]
pub(super) struct Images {
    document: Document,
    pulls: Pulls,
    table: ImageTable,
    /// Held while the file is replaced, so that changes come one after the other.
    changing: Mutex<()>,
    /// Images as of the last acknowledged change.
    acknowledged: RwLock<Arc<ById>>,
}

impl Images {
    /// Reads the images that were pulled in earlier runs. With `recover`, a damaged file is set
    /// aside.
    ///
    /// # Errors
    /// `Unavailable` if the file cannot be read or parsed.
    pub(super) fn open(dir: &Path, pulls: Pulls, table: ImageTable, recover: bool) -> Result<Self> {
        let document = Document::images(dir);
        let content: Content = document.open(recover)?.unwrap_or_default();
        let images = content.images.into_iter();
        let by_id = images.map(|image| (image.id.clone(), image)).collect();
        Ok(Self {
            document,
            pulls,
            table,
            changing: Mutex::new(()),
            acknowledged: RwLock::new(Arc::new(by_id)),
        })
    }

    /// Returns the configuration of an image; `None` if the table does not have it.
    pub(super) fn config_of(&self, id: &str) -> Option<Box<ImageConfig>> {
        let entry = self.table.with_id(id)?;
        Some(Box::new(entry.config.clone()))
    }

    /// Returns all images by id.
    pub(super) fn all(&self) -> Arc<ById> {
        Arc::clone(&self.acknowledged.read())
    }

    /// Returns the image with a reference, an id, or the beginning of an id.
    ///
    /// # Errors
    /// `InvalidArgument` for a text that is none of these, and if several ids begin with
    /// it.
    pub(super) fn find(&self, named: &str) -> Result<Option<Image>> {
        find(&self.all(), named)
    }

    /// Adds the image of a reference, unless it exists, after the time that a download of
    /// its size takes.
    ///
    /// # Errors
    /// `InvalidArgument` for an invalid reference; the error of the file, in which case
    /// nothing has changed.
    pub(super) async fn pull(&self, named: &str) -> Result<Image> {
        // The id of a known image is accepted like its names.
        if is_id(named)
            && let Some(known) = find(&self.all(), named)?
        {
            return Ok(known);
        }
        let mut image = Image::of(&Reference::parse(named)?, self.pulls, &self.table);
        let time = self.pulls.time(image.size_bytes);
        if !self.all().contains_key(&image.id) {
            wait(time).await;
        }
        let _changing = self.changing.lock().await;
        let all = self.all();
        if let Some(known) = all.get(&image.id) {
            image.size_bytes = known.size_bytes;
            image.repo_tags.extend(known.repo_tags.iter().cloned());
            image
                .repo_digests
                .extend(known.repo_digests.iter().cloned());
            if image == *known {
                return Ok(image);
            }
        }
        let mut changed = ById::clone(&all);
        changed.insert(image.id.clone(), image.clone());
        self.replace(changed).await?;
        Ok(image)
    }

    /// Removes an image with all its names. Returns whether it existed.
    ///
    /// # Errors
    /// As [`Images::find`]; the error of the file, in which case nothing has changed.
    pub(super) async fn remove(&self, named: &str) -> Result<bool> {
        let _changing = self.changing.lock().await;
        let all = self.all();
        let Some(image) = find(&all, named)? else {
            return Ok(false);
        };
        let mut changed = ById::clone(&all);
        changed.remove(&image.id);
        self.replace(changed).await?;
        Ok(true)
    }

    async fn replace(&self, images: ById) -> Result<()> {
        let document = self.document.clone();
        let content = Content {
            images: images.values().cloned().collect(),
        };
        tokio::task::spawn_blocking(move || document.write(&content))
            .await
            .map_err(|e| Error::internal(format!("write images: {e}")))??;
        *self.acknowledged.write() = Arc::new(images);
        Ok(())
    }
}

fn find(all: &ById, named: &str) -> Result<Option<Image>> {
    let reference = Reference::parse(named);
    if let Ok(reference) = &reference {
        let tag = reference.by_tag();
        let digest = reference.by_digest();
        let found = all.values().find(|image| match &tag {
            Some(tag) => image.repo_tags.contains(tag),
            None => image.repo_digests.contains(&digest),
        });
        if let Some(image) = found {
            return Ok(Some(image.clone()));
        }
    }
    let digits = named.strip_prefix("sha256:").unwrap_or(named);
    if digits.len() < MIN_DIGITS || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        // The text is neither a reference nor an id.
        return reference.map(|_| None);
    }
    let candidates = all.values().map(|image| {
        let digits = image.id.strip_prefix("sha256:").unwrap_or(&image.id);
        (digits.to_owned(), image)
    });
    Ok(id::unique("image", "images", digits, candidates)?.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    fn open(dir: &tempfile::TempDir) -> Images {
        Images::open(dir.path(), Pulls::default(), ImageTable::default(), false).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_pull_takes_as_long_as_its_size_and_rate_say_and_the_next_no_time() {
        let dir = tempfile::tempdir().unwrap();
        let pulls = toml::from_str("size-bytes = 3000\nbytes-per-second = 1000").unwrap();
        let images = Images::open(dir.path(), pulls, ImageTable::default(), false).unwrap();
        for (name, seconds) in [("busybox", 3), ("busybox", 0), ("nginx", 3)] {
            let begun = tokio::time::Instant::now();
            let pulled = images.pull(name).await.unwrap();
            assert_eq!(
                (pulled.size_bytes, begun.elapsed().as_secs()),
                (3000, seconds)
            );
        }
    }

    #[tokio::test]
    async fn a_pulled_image_is_found_by_every_name_and_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let images = open(&dir);
        let pulled = images.pull("busybox:1.36").await.unwrap();
        assert!((MIN_SIZE..MIN_SIZE + SIZES).contains(&pulled.size_bytes));
        drop(images);
        let images = open(&dir);
        let short = &pulled.id["sha256:".len()..][..12];
        for name in [
            "busybox:1.36",
            "docker.io/library/busybox:1.36",
            pulled.reference(),
            &pulled.id,
            short,
        ] {
            assert_eq!(images.find(name).unwrap().as_ref(), Some(&pulled), "{name}");
        }
        for name in ["busybox", "busybox:1", &short[..6], &"0".repeat(64)] {
            assert_eq!(images.find(name).unwrap(), None, "{name}");
        }
        assert_eq!(images.find("?").unwrap_err().code(), Code::InvalidArgument);
    }

    #[tokio::test]
    async fn one_image_may_have_many_names() {
        let dir = tempfile::tempdir().unwrap();
        let images = open(&dir);
        let first = images.pull("a:1").await.unwrap();
        let digest = first.reference().split_once('@').unwrap().1.to_owned();
        let again = images.pull(&format!("b@{digest}")).await.unwrap();
        assert_eq!(again.id, first.id);
        assert_eq!(again.repo_digests.len(), 2);
        assert_eq!(again.repo_tags, first.repo_tags);
        assert_eq!(images.pull("a:1").await.unwrap(), again);
        assert_eq!(images.pull(&first.id).await.unwrap(), again);
        assert_eq!(images.all().len(), 1);
        assert!(images.remove("a:1").await.unwrap());
        assert!(!images.remove("a:1").await.unwrap());
        assert!(open(&dir).all().is_empty());
    }

    #[tokio::test]
    async fn an_image_that_cannot_be_written_does_not_exist() {
        let dir = tempfile::tempdir().unwrap();
        let images = open(&dir);
        let kept = images.pull("a").await.unwrap();
        std::fs::remove_dir_all(dir.path()).unwrap();
        assert!(images.pull("b").await.is_err());
        assert!(images.remove("a").await.is_err());
        assert_eq!(images.find("a").unwrap(), Some(kept));
        assert_eq!(images.find("b").unwrap(), None);
    }

    #[test]
    fn an_invalid_file_stops_the_start_unless_it_is_set_aside() {
        for content in ["{}", "", "[1,"] {
            let dir = tempfile::tempdir().unwrap();
            let open = |recover| {
                Images::open(dir.path(), Pulls::default(), ImageTable::default(), recover)
            };
            std::fs::write(dir.path().join("images.json"), content).unwrap();
            let error = open(false).unwrap_err().to_string();
            assert!(error.contains("images.json"), "{error}");
            assert!(error.contains("--recover"), "{error}");
            assert!(open(true).unwrap().all().is_empty());
            assert!(open(false).unwrap().all().is_empty());
        }
    }
}
