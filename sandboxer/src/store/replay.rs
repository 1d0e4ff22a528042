//! The state as the fold of records, and the judgement of what does not fit.
//!
//! Sequence numbers are contiguous and a segment's name says where it takes
//! over, so that a loss is always noticed, and so that the remains of a failed
//! append at the end of an abandoned segment are told from a loss: nothing is
//! missing if the next segment begins with the very number that was expected.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use containerd_sandbox::Key;

use super::damage::Dropped;
use super::error::StoreError;
use super::fold::{Fold, Span};
use super::record::{self, Record};

/// Bytes read at once.
const BUFFER: usize = 1 << 18;

/// The fold so far.
#[derive(Debug)]
pub(super) struct Replay<F> {
    pub(super) folded: F,
    /// The last record that the snapshot holds already.
    base: u64,
    /// The sequence number expected next.
    pub(super) next: u64,
    /// How many records were applied.
    pub(super) records: u64,
    pub(super) dropped: Vec<Dropped>,
}

/// How a segment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentEnd {
    /// Up to where it is whole, in bytes.
    pub(super) valid_len: u64,
    /// The sequence number that its next record would have.
    pub(super) next: u64,
    /// What lies behind that.
    pub(super) torn: Option<Torn>,
}

/// The remains of an append that did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) line: u64,
    pub(super) bytes: u64,
}

/// Lines that are of no use, judged once it is known what follows them.
struct Suspect {
    line: u64,
    offset: u64,
    reason: String,
    sandboxes: BTreeSet<Key>,
    /// How many of them end.
    terminated: u64,
    /// How many of them are records that the next segment has taken the number of.
    superseded: u64,
}

impl<F: Fold> Replay<F> {
    /// Starts from what was made of the snapshot of record `base`; 0 and nothing for the beginning.
    pub(super) fn new(base: u64, folded: F) -> Self {
        Self {
            folded,
            base,
            next: base + 1,
            records: 0,
            dropped: Vec::new(),
        }
    }

    /// Folds a segment in. `limit` is where the next segment takes over, `None` for the last.
    pub(super) fn segment(
        &mut self,
        path: &Path,
        first: u64,
        limit: Option<u64>,
    ) -> Result<SegmentEnd, StoreError> {
        let failed = || StoreError::of("read", path);
        self.folded.open(path);
        let mut file = BufReader::with_capacity(BUFFER, File::open(path).map_err(failed())?);
        let mut raw = Vec::new();
        let (mut line, mut offset) = (0_u64, 0_u64);
        let mut suspect: Option<Suspect> = None;
        let mut end = SegmentEnd {
            valid_len: 0,
            next: first,
            torn: None,
        };
        if first > self.next {
            self.lost_before(path, 1, first);
        }
        loop {
            raw.clear();
            let read = file.read_until(b'\n', &mut raw).map_err(failed())?;
            if read == 0 {
                break;
            }
            line += 1;
            let start = offset;
            offset += read as u64;
            let superseded = |seq: u64| limit.is_some_and(|limit| seq >= limit);
            let (reason, key, is_superseded) = match record::decode(&raw) {
                Ok(record) if !superseded(record.seq) => {
                    if let Some(suspect) = suspect.take() {
                        self.judge(path, &suspect, record.seq);
                    }
                    end.next = record.seq + 1;
                    end.valid_len = offset;
                    let span = Span {
                        offset: start,
                        len: read,
                    };
                    self.record(path, line, record, span);
                    continue;
                }
                Ok(record) => {
                    let reason = format!("record {} is in the next segment, too", record.seq);
                    (reason, Some(record.key), true)
                }
                Err(e) => (e.to_string(), record::guess_key(&raw), false),
            };
            let suspect = suspect.get_or_insert_with(|| Suspect {
                line,
                offset: start,
                reason,
                sandboxes: BTreeSet::new(),
                terminated: 0,
                superseded: 0,
            });
            suspect.sandboxes.extend(key);
            suspect.terminated += u64::from(raw.ends_with(b"\n"));
            suspect.superseded += u64::from(is_superseded);
        }
        self.end(path, line, limit, suspect.as_ref(), offset, &mut end);
        Ok(end)
    }

    fn end(
        &mut self,
        path: &Path,
        line: u64,
        limit: Option<u64>,
        suspect: Option<&Suspect>,
        len: u64,
        end: &mut SegmentEnd,
    ) {
        let Some(limit) = limit else {
            match suspect {
                // An append that was cut short wrote no newline.
                Some(suspect) if suspect.terminated == 0 => {
                    end.torn = Some(Torn {
                        line: suspect.line,
                        bytes: len - suspect.offset,
                    });
                }
                Some(suspect) => self.drop_suspect(path, suspect, self.next + suspect.terminated),
                None => {}
            }
            return;
        };
        match suspect {
            // One append failed and could not be undone.
            Some(suspect) if self.next == limit && suspect.superseded <= 1 => {}
            Some(suspect) => self.drop_suspect(path, suspect, limit),
            None if self.next < limit => self.lost_before(path, line, limit),
            None => {}
        }
    }

    /// Folds a record in, if it is its turn.
    fn record(&mut self, path: &Path, line: u64, record: Record<F::Change>, span: Span) {
        let seq = record.seq;
        if seq <= self.base {
            return;
        }
        let key = record.key.clone();
        if seq < self.next {
            let reason = format!("record {seq} comes after record {}", self.next - 1);
            self.drop_record(path, line, reason, key);
            return;
        }
        if seq > self.next {
            self.lost_before(path, line, seq);
        }
        self.next = seq + 1;
        match self.folded.apply(record, span) {
            Ok(()) => self.records += 1,
            Err(refusal) => {
                let reason = format!("record {seq} of sandbox {key}: {refusal}");
                self.drop_record(path, line, reason, key);
            }
        }
    }

    /// Judges useless lines that record `seq` follows.
    fn judge(&mut self, path: &Path, suspect: &Suspect, seq: u64) {
        // Before the snapshot nothing can be missed.
        if seq > self.base {
            self.drop_suspect(path, suspect, seq);
        }
    }

    /// Gives useless lines up, and with them the records up to `seq`.
    fn drop_suspect(&mut self, path: &Path, suspect: &Suspect, seq: u64) {
        self.dropped.push(Dropped {
            file: path.to_owned(),
            line: suspect.line,
            reason: suspect.reason.clone(),
            records: seq.saturating_sub(self.next),
            sandboxes: suspect.sandboxes.clone(),
        });
        self.next = self.next.max(seq);
    }

    fn drop_record(&mut self, path: &Path, line: u64, reason: String, key: Key) {
        self.dropped.push(Dropped {
            file: path.to_owned(),
            line,
            reason,
            records: 1,
            sandboxes: BTreeSet::from([key]),
        });
    }

    /// Notes that the records from the expected one up to `seq` are missing.
    pub(super) fn lost_before(&mut self, path: &Path, line: u64, seq: u64) {
        let reason = if seq - self.next == 1 {
            format!("record {} is missing", self.next)
        } else {
            format!("records {} to {} are missing", self.next, seq - 1)
        };
        self.dropped.push(Dropped {
            file: path.to_owned(),
            line,
            reason,
            records: seq - self.next,
            sandboxes: BTreeSet::new(),
        });
        self.next = seq;
    }
}
