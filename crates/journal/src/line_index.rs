//! Index of the lines that the state consists of: for each sandbox that exists, the places of
//! its lines in the journal's files.
//!
//! The index takes a few bytes per line, so that a compaction can write the state anew without
//! holding it in memory.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use containerd_sandbox::Key;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::damage::{Damage, Dropped};
use super::error::JournalError;
use super::fold::{self, Fold, Slots, Span};
use super::record;
use super::snapshot;
use slot::Moment;
use slot::{Refusal, Slot};

/// Kind of a change, as far as it decides which lines count.
///
/// An error in a change shows when the lines of its sandbox are applied, if the sandbox still
/// exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Delete,
    Other,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

/// Reads the JSON form of an enum and skips the content of the variant.
#[derive(Clone, Copy)]
struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a change")
    }

    fn visit_str<E>(self, name: &str) -> Result<Kind, E> {
        Ok(match name {
            "create" => Kind::Create,
            "delete" => Kind::Delete,
            _ => Kind::Other,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut kind = Kind::Other;
        while let Some(name) = map.next_key::<&str>()? {
            map.next_value::<IgnoredAny>()?;
            kind = self.visit_str(name)?;
        }
        Ok(kind)
    }
}

/// Place of a line.
#[derive(Debug, Clone, Copy)]
struct LineRef {
    /// Index in [`LineIndex::files`].
    file: u32,
    len: u32,
    offset: u64,
}

/// The lines of every sandbox that exists at the end of the journal.
#[derive(Debug, Default)]
pub(super) struct LineIndex {
    files: Vec<PathBuf>,
    sandboxes: HashMap<Key, SandboxLines>,
}

/// The lines of one sandbox.
#[derive(Debug)]
struct SandboxLines {
    /// Whether the first line is an entry of a snapshot.
    from_snapshot: bool,
    lines: Vec<LineRef>,
}

impl LineIndex {
    fn line(&self, span: Span) -> LineRef {
        LineRef {
            // Both numbers fit: no journal has 2^32 files, and a line holds at most one message
            // of 16 MiB.
            file: u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX),
            len: u32::try_from(span.len).unwrap_or(u32::MAX),
            offset: span.offset,
        }
    }

    /// Reads the sandboxes one after the other, in the order of their keys.
    pub(super) fn slots(
        self,
    ) -> Result<impl ExactSizeIterator<Item = Result<(Key, Box<Slot>), JournalError>>, JournalError>
    {
        let mut reader = Reader {
            files: self
                .files
                .into_iter()
                .map(|path| match File::open(&path) {
                    Ok(file) => Ok((path, file)),
                    Err(e) => Err(JournalError::io("open", &path, e)),
                })
                .collect::<Result<_, _>>()?,
            raw: Vec::new(),
            slots: Slots::new(),
        };
        let mut sorted: Vec<_> = self.sandboxes.into_iter().collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(sorted.into_iter().map(move |(key, lines)| {
            let slot = reader.slot(&key, &lines)?;
            Ok((key, slot))
        }))
    }
}

impl Fold for LineIndex {
    type Change = Kind;
    type Slot = IgnoredAny;

    fn open(&mut self, path: &Path) {
        self.files.push(path.to_owned());
    }

    fn insert(&mut self, key: Key, _slot: IgnoredAny, span: Span) -> Option<Key> {
        let lines = SandboxLines {
            from_snapshot: true,
            lines: vec![self.line(span)],
        };
        fold::insert(&mut self.sandboxes, key, lines)
    }

    fn apply(&mut self, key: &Key, _at: Moment, change: Kind, span: Span) -> Result<(), Refusal> {
        let line = self.line(span);
        match (self.sandboxes.get_mut(key), change) {
            (None, Kind::Create) => {
                let lines = SandboxLines {
                    from_snapshot: false,
                    lines: vec![line],
                };
                self.sandboxes.insert(key.clone(), lines);
            }
            (None, _) => return Err(fold::unknown(key)),
            (Some(_), Kind::Delete) => drop(self.sandboxes.remove(key)),
            (Some(sandbox), _) => sandbox.lines.push(line),
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.sandboxes.len()
    }
}

struct Reader {
    files: Vec<(PathBuf, File)>,
    raw: Vec<u8>,
    /// State of the sandbox that is being read; empty otherwise.
    slots: Slots,
}

impl Reader {
    fn slot(&mut self, key: &Key, sandbox: &SandboxLines) -> Result<Box<Slot>, JournalError> {
        self.slots.clear();
        for (i, line) in sandbox.lines.iter().enumerate() {
            let (path, file) = &self.files[line.file as usize];
            self.raw.resize(line.len as usize, 0);
            file.read_exact_at(&mut self.raw, line.offset)
                .map_err(JournalError::of("read", path))?;
            let span = Span {
                offset: line.offset,
                len: self.raw.len(),
            };
            let read = if i == 0 && sandbox.from_snapshot {
                snapshot::read_entry(&self.raw, &mut self.slots, span)
            } else {
                record::decode(&self.raw)
                    .map_err(|e| e.to_string())
                    .and_then(|record| {
                        let seq = record.seq;
                        self.slots
                            .apply(&record.key, record.at, record.change, span)
                            .map_err(|e| format!("record {seq} of sandbox {key}: {e}"))
                    })
            };
            read.map_err(|reason| damaged(path, file, line.offset, key, reason))?;
        }
        let (path, file) = &self.files[sandbox.lines[0].file as usize];
        let slot = self.slots.remove(key);
        slot.ok_or_else(|| {
            let reason = "another sandbox's line is in its place".to_owned();
            damaged(path, file, sandbox.lines[0].offset, key, reason)
        })
    }
}

/// Returns the damage of one line, given the offset of the line.
fn damaged(path: &Path, file: &File, offset: u64, key: &Key, reason: String) -> JournalError {
    let before = lines_before(file, offset);
    let dropped = Dropped {
        open_ended: false,
        file: path.to_owned(),
        line: before.map_or(1, |lines| lines + 1),
        reason,
        records: 1,
        sandboxes: [key.clone()].into(),
    };
    let others = Vec::new();
    JournalError::Damaged {
        damage: Box::new(Damage {
            first: dropped,
            others,
        }),
    }
}

fn lines_before(file: &File, offset: u64) -> io::Result<u64> {
    let mut lines = 0;
    let mut from_start = BufReader::new(file.try_clone()?).take(offset);
    while from_start.skip_until(b'\n')? > 0 {
        lines += 1;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::compaction::compact;
    use crate::directory::Directory;
    use crate::load;
    use crate::parallel_decode::Decoding;
    use crate::testing::{churn, create, creates, fold, key, scripts, write_journal};
    use proptest::prelude::*;
    use slot::Timestamp;
    use std::fs;

    fn index(dir: &Path) -> LineIndex {
        let directory = Directory::of(dir);
        let listing = directory.list().unwrap();
        let loaded = load::load::<LineIndex>(&directory, &listing, None, Decoding::Here).unwrap();
        assert_eq!(loaded.report.dropped, []);
        loaded.folded
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_indexed_lines_lead_to_the_state(entries in scripts(60), cut in 0..60_usize) {
            let cut = cut.min(entries.len());
            let dir = tempfile::tempdir().unwrap();
            write_journal(dir.path(), Options::default(), &entries[..cut]);
            if cut > 0 {
                compact(&Directory::of(dir.path()), cut as u64, false).unwrap();
            }
            write_journal(dir.path(), Options::default(), &entries[cut..]);
            let read: Vec<_> = index(dir.path()).slots().unwrap().map(Result::unwrap).collect();
            prop_assert!(read.is_sorted_by(|(a, _), (b, _)| a < b));
            prop_assert_eq!(read.into_iter().collect::<Slots>(), fold(&entries));
        }
    }

    #[test]
    fn a_removed_sandbox_is_not_in_the_index() {
        let dir = tempfile::tempdir().unwrap();
        write_journal(dir.path(), Options::default(), &churn(50));
        assert_eq!(index(dir.path()).len(), 0);
    }

    #[test]
    fn a_line_that_changes_after_indexing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        write_journal(dir.path(), Options::default(), &creates(3));
        let path = Directory::of(dir.path()).segment(1);
        let (mut body, mut other_sandbox) = (Vec::new(), Vec::new());
        let at = Timestamp::default();
        record::encode_body(&mut body, &key("s9"), at.into(), &create(1)).unwrap();
        record::encode(&mut other_sandbox, 2, &body);
        for (change, reason) in [
            (None, "the checksum is missing or wrong"),
            (
                Some(other_sandbox),
                "another sandbox's line is in its place",
            ),
        ] {
            let whole = fs::read(&path).unwrap();
            let second = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
            let mut index = index(dir.path());
            let mut changed = whole.clone();
            match change {
                None => changed[second + 9] ^= 1,
                Some(other) => {
                    let line = &mut index.sandboxes.get_mut(&key("s1")).unwrap().lines[0];
                    line.len = u32::try_from(other.len()).unwrap();
                    changed.splice(second.., other);
                }
            }
            fs::write(&path, changed).unwrap();
            let read: Vec<_> = index.slots().unwrap().take(2).collect();
            assert!(read[0].is_ok());
            let message = read[1].as_ref().unwrap_err().to_string();
            assert!(message.contains("line 2"), "{message}");
            assert!(message.contains(reason), "{message}");
            fs::write(&path, whole).unwrap();
        }
    }
}
