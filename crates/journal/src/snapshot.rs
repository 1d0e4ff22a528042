//! A snapshot: the state after a record, one sandbox per line.
//!
//! The first line states the record, the last line states the number of sandboxes, and every
//! line carries a checksum. The file is written under another name, made durable and then
//! renamed, so a file with the name of a snapshot is whole.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use containerd_sandbox::Key;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::checksum;
use super::damage::Dropped;
use super::directory::{Directory, FILE_MODE};
use super::error::JournalError;
use super::fold::{Fold, Slots, Span};
use super::format::FORMAT;
use super::parallel_decode::{self, Decoding};
use super::record;
use slot::Slot;

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

/// The readable part of a snapshot.
#[derive(Debug)]
pub(super) struct Snapshot<F> {
    pub(super) folded: F,
    /// Places that cannot be read; empty for a whole snapshot.
    pub(super) dropped: Vec<Dropped>,
}

/// Iterates over the sandboxes of a state in the order of a snapshot.
pub(super) fn sorted(
    slots: &Slots,
) -> impl ExactSizeIterator<Item = Result<(&Key, &Box<Slot>), JournalError>> {
    let mut sorted: Vec<_> = slots.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    sorted.into_iter().map(Ok)
}

/// Writes the snapshot of the state after record `seq`, durably, and returns its size in
/// bytes.
pub(super) fn write<K: Borrow<Key>, S: Borrow<Box<Slot>>>(
    directory: &Directory,
    seq: u64,
    slots: impl ExactSizeIterator<Item = Result<(K, S), JournalError>>,
) -> Result<u64, JournalError> {
    let temporary = directory.temporary(seq);
    let written = write_file(&temporary, seq, slots).and_then(|bytes| {
        let path = directory.snapshot(seq);
        fs::rename(&temporary, &path).map_err(JournalError::of("rename to", &path))?;
        directory.sync()?;
        Ok(bytes)
    });
    if written.is_err() {
        // The file may take the space that is missing. The next start removes it otherwise.
        let _ = Directory::remove(&temporary);
    }
    written
}

fn write_file<K: Borrow<Key>, S: Borrow<Box<Slot>>>(
    path: &Path,
    seq: u64,
    slots: impl ExactSizeIterator<Item = Result<(K, S), JournalError>>,
) -> Result<u64, JournalError> {
    let sandboxes = slots.len() as u64;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(path)
        .map_err(JournalError::of("create", path))?;
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
        .map_err(JournalError::of("write to", path))?;
    let bytes = lines.bytes;
    drop(lines);
    file.sync_all().map_err(JournalError::of("sync", path))?;
    Ok(bytes)
}

struct LineWriter<'a> {
    out: BufWriter<&'a File>,
    path: &'a Path,
    line: Vec<u8>,
    bytes: u64,
}

impl LineWriter<'_> {
    fn write<T: Serialize>(&mut self, object: &T) -> Result<(), JournalError> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, object).map_err(JournalError::Encode)?;
        // `seal` adds the closing brace.
        self.line.pop();
        checksum::seal(&mut self.line);
        self.bytes += self.line.len() as u64;
        self.out
            .write_all(&self.line)
            .map_err(JournalError::of("write to", self.path))
    }
}

/// Content of a line.
enum Part<S> {
    Header(Header),
    Sandbox(Key, S),
    End(End),
}

impl<S> Part<S> {
    fn sandbox(self) -> Option<Key> {
        match self {
            Self::Sandbox(key, _) => Some(key),
            Self::Header(_) | Self::End(_) => None,
        }
    }
}

/// Reason why a line cannot be used, and its sandbox if that can be read.
type Useless = (String, Option<Key>);

/// Reads the snapshot named for record `seq`, as far as it can be read.
pub(super) fn read<F: Fold>(
    path: &Path,
    seq: u64,
    decoding: Decoding,
) -> Result<Snapshot<F>, JournalError> {
    let mut snapshot = Snapshot {
        folded: F::default(),
        dropped: Vec::new(),
    };
    snapshot.folded.open(path);
    let mut line = 0;
    let mut has_ended = false;
    parallel_decode::decode_lines(path, decoding, decode::<F::Slot>, |span, decoded| {
        line += 1;
        let taken = match decoded {
            Ok(part) if has_ended => {
                let reason = "there is more after the last line";
                Err((reason.to_owned(), part.sandbox()))
            }
            Ok(Part::Header(header)) => check_header(path, &header, seq)?,
            Ok(Part::Sandbox(key, slot)) => insert(&mut snapshot.folded, key, slot, span),
            Ok(Part::End(end)) => {
                has_ended = true;
                check_end(&end, seq, snapshot.folded.len())
            }
            Err(useless) => Err(useless),
        };
        if let Err((reason, sandbox)) = taken {
            snapshot.dropped.push(Dropped {
                file: path.to_owned(),
                line,
                reason,
                records: u64::from(line > 1 && !has_ended),
                open_ended: false,
                sandboxes: sandbox.into_iter().collect(),
            });
        }
        Ok(())
    })?;
    if !has_ended {
        snapshot.dropped.push(Dropped {
            file: path.to_owned(),
            line: line + 1,
            reason: "the last line is missing".to_owned(),
            records: 0,
            open_ended: false,
            sandboxes: BTreeSet::new(),
        });
    }
    Ok(snapshot)
}

fn check_header(
    path: &Path,
    header: &Header,
    seq: u64,
) -> Result<Result<(), Useless>, JournalError> {
    if header.format != FORMAT {
        return Err(JournalError::Format {
            path: path.to_owned(),
            format: header.format,
            known: FORMAT,
        });
    }
    if header.seq != seq {
        let reason = format!("it is the state after record {}, not {seq}", header.seq);
        return Ok(Err((reason, None)));
    }
    Ok(Ok(()))
}

fn check_end(end: &End, seq: u64, sandboxes: usize) -> Result<(), Useless> {
    if (end.seq, end.sandboxes) == (seq, sandboxes as u64) {
        return Ok(());
    }
    let reason = format!(
        "{} sandboxes after record {} were written, {sandboxes} after {seq} are here",
        end.sandboxes, end.seq
    );
    Err((reason, None))
}

fn decode<S: DeserializeOwned>(span: Span, raw: &[u8]) -> Result<Part<S>, Useless> {
    part(span, raw).map_err(|reason| (reason, record::guess_key(raw)))
}

fn part<S: DeserializeOwned>(span: Span, raw: &[u8]) -> Result<Part<S>, String> {
    let object = checksum::unseal(raw).map_err(|e| e.to_string())?;
    if span.offset == 0 {
        let header = serde_json::from_slice(object);
        header
            .map(Part::Header)
            .map_err(|e| format!("not a header: {e}"))
    } else if object.starts_with(b"{\"end\":") {
        let end = serde_json::from_slice(object);
        end.map(Part::End).map_err(|e| format!("not an end: {e}"))
    } else {
        entry(object).map(|(key, slot)| Part::Sandbox(key, slot))
    }
}

fn entry<S: DeserializeOwned>(object: &[u8]) -> Result<(Key, S), String> {
    let entry: EntryLine<'_, S> =
        serde_json::from_slice(object).map_err(|e| format!("not a sandbox: {e}"))?;
    let key = Key::new(entry.ns, entry.sandbox).map_err(|e| format!("not a sandbox: {e}"))?;
    Ok((key, entry.slot))
}

fn insert<F: Fold>(folded: &mut F, key: Key, slot: F::Slot, span: Span) -> Result<(), Useless> {
    match folded.insert(key, slot, span) {
        None => Ok(()),
        Some(key) => Err((format!("sandbox {key} is there twice"), Some(key))),
    }
}

/// Adds the sandbox of a line to `folded`.
pub(super) fn read_entry<F: Fold>(raw: &[u8], folded: &mut F, span: Span) -> Result<(), String> {
    let object = checksum::unseal(raw).map_err(|e| e.to_string())?;
    let (key, slot) = entry(object)?;
    insert(folded, key, slot, span).map_err(|(reason, _)| reason)
}
