//! Reader of the sandboxer's journal: pods as they came and went.
//!
//! The files have the form that `docs/reference/journal.md` describes. The reader takes them in
//! order: the newest snapshot, if the reading begins with one, then the segments.
//!
//! # Modules
//!
//! - `line`: the checksum and the parts of a line.
//! - `change`, `config`, `wire`, `amounts`: the contents of a change, of the messages within, and
//!   their numbers.
//! - `shared`: facts that equal pods share. `template` makes the template of a pod out of them.
//! - `living`: the pods that live at a place of the journal.
//! - `notes`: what was taken for granted, counted.

mod amounts;
mod change;
mod config;
mod line;
mod living;
mod notes;
mod shared;
mod snapshot;
mod template;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod wire;

use std::io::BufRead;
use std::sync::Arc;

use crate::lines::Lines;
use crate::{InventoryBuilder, ReadError, Source, Timestamp};
use change::Change;
use living::Living;

pub(crate) use amounts::of_shares as request_of_shares;

/// Format of the files that the reader knows, which the file `format` of a journal states.
pub const FORMAT: u32 = 1;

/// Facts that a journal does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalOptions {
    /// Memory of the node in bytes, which turns OOM score adjustments into memory requests.
    pub node_memory: Option<u64>,
}

/// Place of a segment among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Number of its first record, which is its name.
    pub first: u64,
    /// Number of the first record of the next segment; `None` for the last one.
    pub next: Option<u64>,
}

/// Reader of one journal.
#[derive(Debug)]
pub struct JournalReader {
    living: Living,
    /// Number of the record that is expected next.
    next: u64,
    /// Last record that the snapshot contains.
    base: u64,
    /// Time of the first record; `None` before it.
    began: Option<Timestamp>,
}

impl JournalReader {
    /// Returns the reader of a journal. `name` is the directory, for messages, and `base` the
    /// last record before the first segment that will be read: 0 for the beginning, or the number
    /// of the snapshot.
    pub fn new(name: &str, base: u64, options: JournalOptions) -> Self {
        Self {
            living: Living::new(name, options),
            next: base + 1,
            base,
            began: None,
        }
    }

    /// Reads the snapshot of the record with which the reading begins.
    ///
    /// # Errors
    /// A snapshot that cannot be read, is of another format, or is damaged.
    pub fn snapshot(
        &mut self,
        builder: &mut InventoryBuilder,
        file: &str,
        reader: &mut dyn BufRead,
    ) -> Result<(), ReadError> {
        snapshot::read(file, self.base, reader, &mut |source, entry| {
            self.living.restore(builder, source, entry)
        })
    }

    /// Reads a snapshot after all segments, for the pods that the first segment of a journal
    /// that does not go back to its beginning does not create.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub fn older(
        &mut self,
        builder: &mut InventoryBuilder,
        file: &str,
        seq: u64,
        reader: &mut dyn BufRead,
    ) -> Result<(), ReadError> {
        let began = self.began;
        snapshot::read(file, seq, reader, &mut |source, entry| {
            let is_older = began.is_none_or(|began| entry.created_at() < Some(began));
            if is_older {
                self.living.restore(builder, source, entry)?;
            }
            Ok(())
        })
    }

    /// Reads a segment.
    ///
    /// # Errors
    /// A segment that cannot be read, or a line that is damaged, missing or unknown. An
    /// incomplete last line of the last segment is no error: it is what a crash leaves.
    pub fn segment(
        &mut self,
        builder: &mut InventoryBuilder,
        file: &str,
        segment: Segment,
        reader: &mut dyn BufRead,
    ) -> Result<(), ReadError> {
        let file = builder.text(file);
        let place = |line| Source {
            file: Arc::clone(&file),
            line,
        };
        if segment.first > self.next {
            return Err(missing(place(1), self.next, segment.first));
        }
        // The first line that cannot be used; the lines after it decide whether that is damage.
        let mut suspect: Option<(u64, String)> = None;
        let mut last = 0;
        let mut lines = Lines::new(reader);
        loop {
            let line = lines.next().map_err(|error| ReadError::Io {
                file: file.to_string(),
                error,
            })?;
            let Some((number, raw)) = line else { break };
            last = number;
            let Some(raw) = raw.strip_suffix(b"\n") else {
                // An append that was interrupted, and the end of the file.
                if suspect.is_none() && segment.next.is_none() {
                    self.living.notes.torn(&place(number));
                } else {
                    let what = "the line does not end".to_owned();
                    suspect.get_or_insert((number, what));
                }
                break;
            };
            let record = line::unseal(raw)
                .map_err(str::to_owned)
                .and_then(line::record);
            let record = match record {
                Ok(record) if segment.next.is_none_or(|next| record.seq < next) => record,
                Ok(record) => {
                    let what = format!("record {} is in the next segment, too", record.seq);
                    suspect.get_or_insert((number, what));
                    continue;
                }
                Err(what) => {
                    suspect.get_or_insert((number, what));
                    continue;
                }
            };
            if record.seq <= self.base {
                suspect = None;
                continue;
            }
            if let Some((line, what)) = suspect.take() {
                return Err(ReadError::wrong(place(line), "", what));
            }
            if record.seq > self.next {
                return Err(missing(place(number), self.next, record.seq));
            }
            if record.seq < self.next {
                let what = format!("record {} comes after record {}", record.seq, self.next - 1);
                return Err(ReadError::wrong(place(number), "", what));
            }
            self.next += 1;
            self.began.get_or_insert(record.at);
            let wrong = |what| ReadError::wrong(place(number), "do", what);
            let change = Change::read(record.change).map_err(wrong)?;
            self.living
                .apply(builder, &place, number, &record, change)
                .map_err(wrong)?;
        }
        match (suspect, segment.next) {
            // The remains of one append that failed: nothing is missing.
            (Some(_), Some(next)) if self.next == next => Ok(()),
            (Some((line, what)), _) => Err(ReadError::wrong(place(line), "", what)),
            (None, Some(next)) if self.next < next => {
                Err(missing(place(last.max(1)), self.next, next))
            }
            (None, _) => Ok(()),
        }
    }

    /// Adds the pods that live at the end of the journal, and what was taken for granted.
    pub fn finish(self, builder: &mut InventoryBuilder) {
        self.living.finish(builder);
    }
}

fn missing(place: Source, from: u64, to: u64) -> ReadError {
    let what = match to - from {
        1 => format!("record {from} is missing"),
        _ => format!("records {from} to {} are missing", to - 1),
    };
    ReadError::wrong(place, "", what)
}
