//! A snapshot: the state after a record, one sandbox a line.
//!
//! A header line says after which record, a last line that nothing is missing;
//! every line is sealed. It is written beside its place, made durable, and
//! only then renamed: under its name it is whole.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use containerd_sandbox::Key;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::damage::Dropped;
use super::directory::{Directory, FILE_MODE};
use super::error::StoreError;
use super::fold::{Fold, Slots, Span};
use super::format::FORMAT;
use super::line;
use super::record;
use crate::slot::Slot;

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "snapshot")]
    seq: u64,
    format: u32,
    #[serde(rename = "crc", skip_serializing)]
    _crc: Option<IgnoredAny>,
}

#[derive(Serialize)]
struct Entry<'a> {
    ns: &'a str,
    sandbox: &'a str,
    slot: &'a Slot,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine<'a, S> {
    ns: &'a str,
    sandbox: &'a str,
    slot: S,
    #[serde(rename = "crc")]
    _crc: IgnoredAny,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    #[serde(rename = "end")]
    seq: u64,
    sandboxes: u64,
    #[serde(rename = "crc", skip_serializing)]
    _crc: Option<IgnoredAny>,
}

/// A snapshot as far as it can be read.
#[derive(Debug)]
pub(super) struct Snapshot<F> {
    pub(super) folded: F,
    /// What cannot be; empty for a whole snapshot.
    pub(super) dropped: Vec<Dropped>,
}

/// The sandboxes of a state in the order in which a snapshot has them.
pub(super) fn sorted(
    slots: &Slots,
) -> impl ExactSizeIterator<Item = Result<(&Key, &Slot), StoreError>> {
    let mut sorted: Vec<_> = slots.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    sorted.into_iter().map(Ok)
}

/// Writes the sandboxes that there are after record `seq`, durably, and gives
/// the size in bytes.
pub(super) fn write<K: Borrow<Key>, S: Borrow<Slot>>(
    directory: &Directory,
    seq: u64,
    slots: impl ExactSizeIterator<Item = Result<(K, S), StoreError>>,
) -> Result<u64, StoreError> {
    let temporary = directory.temporary(seq);
    let written = write_file(&temporary, seq, slots).and_then(|bytes| {
        let path = directory.snapshot(seq);
        fs::rename(&temporary, &path).map_err(StoreError::of("rename to", &path))?;
        directory.sync()?;
        Ok(bytes)
    });
    if written.is_err() {
        // It takes the space that may be what is missing; failing that, the next start removes it.
        let _ = Directory::remove(&temporary);
    }
    written
}

fn write_file<K: Borrow<Key>, S: Borrow<Slot>>(
    path: &Path,
    seq: u64,
    slots: impl ExactSizeIterator<Item = Result<(K, S), StoreError>>,
) -> Result<u64, StoreError> {
    let sandboxes = slots.len() as u64;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(StoreError::of("create", path))?;
    let mut lines = LineWriter {
        out: BufWriter::new(&file),
        path,
        line: Vec::new(),
        bytes: 0,
    };
    lines.write(&Header {
        seq,
        format: FORMAT,
        _crc: None,
    })?;
    for sandbox in slots {
        let (key, slot) = sandbox?;
        lines.write(&Entry {
            ns: key.borrow().namespace(),
            sandbox: key.borrow().id(),
            slot: slot.borrow(),
        })?;
    }
    lines.write(&End {
        seq,
        sandboxes,
        _crc: None,
    })?;
    lines
        .out
        .flush()
        .map_err(StoreError::of("write to", path))?;
    let bytes = lines.bytes;
    drop(lines);
    file.sync_all().map_err(StoreError::of("sync", path))?;
    Ok(bytes)
}

struct LineWriter<'a> {
    out: BufWriter<&'a File>,
    path: &'a Path,
    line: Vec<u8>,
    bytes: u64,
}

impl LineWriter<'_> {
    fn write<T: Serialize>(&mut self, object: &T) -> Result<(), StoreError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, object).map_err(StoreError::Encode)?;
        // The seal closes the object.
        self.line.pop();
        line::seal(&mut self.line);
        self.bytes += self.line.len() as u64;
        self.out
            .write_all(&self.line)
            .map_err(StoreError::of("write to", self.path))
    }
}

/// Reads the snapshot that is named for record `seq`, as far as it can be read.
pub(super) fn read<F: Fold>(path: &Path, seq: u64) -> Result<Snapshot<F>, StoreError> {
    let failed = || StoreError::of("read", path);
    let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(failed())?);
    let mut snapshot = Snapshot {
        folded: F::default(),
        dropped: Vec::new(),
    };
    snapshot.folded.open(path);
    let mut raw = Vec::new();
    let (mut line, mut offset) = (0, 0);
    let mut ended = false;
    loop {
        raw.clear();
        let len = file.read_until(b'\n', &mut raw).map_err(failed())?;
        if len == 0 {
            break;
        }
        let span = Span { offset, len };
        offset += len as u64;
        line += 1;
        let understood = match line::unseal(&raw) {
            Err(e) => Err(e.to_string()),
            Ok(_) if ended => Err("there is more after the last line".to_owned()),
            Ok(object) if line == 1 => header(path, object, seq)?,
            Ok(object) if object.starts_with(b"{\"end\":") => {
                ended = true;
                end(object, seq, snapshot.folded.len())
            }
            Ok(object) => entry(object, &mut snapshot.folded, span),
        };
        if let Err(reason) = understood {
            snapshot.dropped.push(Dropped {
                file: path.to_owned(),
                line,
                reason,
                records: u64::from(line > 1 && !ended),
                sandboxes: record::guess_key(&raw).into_iter().collect(),
            });
        }
    }
    if !ended {
        snapshot.dropped.push(Dropped {
            file: path.to_owned(),
            line: line + 1,
            reason: "the last line is missing".to_owned(),
            records: 0,
            sandboxes: BTreeSet::new(),
        });
    }
    Ok(snapshot)
}

/// What is wrong with a line that is sealed.
pub(super) type Understood = Result<(), String>;

fn header(path: &Path, object: &[u8], seq: u64) -> Result<Understood, StoreError> {
    Ok(match serde_json::from_slice::<Header>(object) {
        Err(e) => Err(format!("not a header: {e}")),
        Ok(header) if header.format != FORMAT => {
            return Err(StoreError::Format {
                path: path.to_owned(),
                format: header.format,
                known: FORMAT,
            });
        }
        Ok(header) if header.seq != seq => Err(format!(
            "it is the state after record {}, not {seq}",
            header.seq
        )),
        Ok(_) => Ok(()),
    })
}

fn end(object: &[u8], seq: u64, sandboxes: usize) -> Understood {
    let end: End = serde_json::from_slice(object).map_err(|e| format!("not an end: {e}"))?;
    if (end.seq, end.sandboxes) == (seq, sandboxes as u64) {
        Ok(())
    } else {
        Err(format!(
            "{} sandboxes after record {} were written, {sandboxes} after {seq} are here",
            end.sandboxes, end.seq
        ))
    }
}

/// Takes the sandbox of a line into `folded`.
pub(super) fn read_entry<F: Fold>(raw: &[u8], folded: &mut F, span: Span) -> Understood {
    let object = line::unseal(raw).map_err(|e| e.to_string())?;
    entry(object, folded, span)
}

fn entry<F: Fold>(object: &[u8], folded: &mut F, span: Span) -> Understood {
    let entry: EntryLine<'_, F::Slot> =
        serde_json::from_slice(object).map_err(|e| format!("not a sandbox: {e}"))?;
    let key = Key::new(entry.ns, entry.sandbox).map_err(|e| format!("not a sandbox: {e}"))?;
    if folded.insert(key, entry.slot, span) {
        Ok(())
    } else {
        Err(format!("sandbox {} is there twice", entry.sandbox))
    }
}
