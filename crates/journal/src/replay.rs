//! Applies the records of segments in order, and judges the lines that do not fit.
//!
//! Sequence numbers are contiguous and the name of a segment is the number of its first
//! record, so every loss is noticed. The remains of a failed append at the end of an abandoned
//! segment are no loss: nothing is missing if the next segment begins with the expected
//! number.

use std::collections::BTreeSet;
use std::path::Path;

use containerd_sandbox::Key;
use serde::de::DeserializeOwned;

use super::damage::Dropped;
use super::error::JournalError;
use super::fold::{Fold, Span};
use super::parallel_decode::{self, Decoding};
use super::record::{self, Record};

/// State after the records so far.
#[derive(Debug)]
pub(super) struct Replay<F> {
    pub(super) folded: F,
    decoding: Decoding,
    /// Last record that the snapshot contains.
    base: u64,
    /// Sequence number that is expected next.
    pub(super) next: u64,
    /// Records that were applied.
    pub(super) records: u64,
    pub(super) dropped: Vec<Dropped>,
}

/// End of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentEnd {
    /// Length of the whole lines in bytes.
    pub(super) valid_len: u64,
    /// Sequence number of the record that would come next.
    pub(super) next: u64,
    /// Remains of an append behind the whole lines.
    pub(super) torn: Option<Torn>,
}

/// Remains of an append that did not finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Torn {
    pub(super) line: u64,
    pub(super) bytes: u64,
}

/// A line that cannot be used.
struct Useless {
    reason: String,
    sandbox: Option<Key>,
    is_terminated: bool,
    /// Whether the line is a record with a number that the next segment uses again.
    is_superseded: bool,
}

/// Consecutive lines that cannot be used; the line after them decides how they are judged.
struct Suspect {
    line: u64,
    offset: u64,
    reason: String,
    sandboxes: BTreeSet<Key>,
    /// Lines that end with a newline.
    terminated: u64,
    /// Lines that are records with a number that the next segment uses again.
    superseded: u64,
}

impl<F: Fold> Replay<F> {
    /// Starts from the state of the snapshot of record `base`, or from an empty one for 0.
    pub(super) fn new(base: u64, folded: F, decoding: Decoding) -> Self {
        Self {
            folded,
            decoding,
            base,
            next: base + 1,
            records: 0,
            dropped: Vec::new(),
        }
    }

    /// Applies the records of a segment. `limit` is the first record of the next segment,
    /// `None` for the last segment.
    pub(super) fn segment(
        &mut self,
        path: &Path,
        first: u64,
        limit: Option<u64>,
    ) -> Result<SegmentEnd, JournalError> {
        self.folded.open(path);
        let (mut line, mut len) = (0_u64, 0_u64);
        let mut suspect: Option<Suspect> = None;
        let mut end = SegmentEnd {
            valid_len: 0,
            next: first,
            torn: None,
        };
        if first > self.next {
            self.lost_before(path, 1, first);
        }
        let is_superseded = |seq: u64| limit.is_some_and(|limit| seq >= limit);
        parallel_decode::decode_lines(path, self.decoding, decode, |span, decoded| {
            line += 1;
            len += span.len as u64;
            let useless = match decoded {
                Ok(record) if !is_superseded(record.seq) => {
                    if let Some(suspect) = suspect.take() {
                        self.judge(path, &suspect, record.seq);
                    }
                    end.next = record.seq + 1;
                    end.valid_len = len;
                    self.record(path, line, record, span);
                    return Ok(());
                }
                Ok(record) => Useless {
                    reason: format!("record {} is in the next segment, too", record.seq),
                    sandbox: Some(record.key),
                    is_terminated: true,
                    is_superseded: true,
                },
                Err(useless) => useless,
            };
            let suspect = suspect.get_or_insert_with(|| Suspect {
                line,
                offset: span.offset,
                reason: useless.reason,
                sandboxes: BTreeSet::new(),
                terminated: 0,
                superseded: 0,
            });
            suspect.sandboxes.extend(useless.sandbox);
            suspect.terminated += u64::from(useless.is_terminated);
            suspect.superseded += u64::from(useless.is_superseded);
            Ok(())
        })?;
        self.end(path, line, limit, suspect.as_ref(), len, &mut end);
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
                // An interrupted append wrote no newline.
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

    /// Applies a record if it is the expected one, and notes the loss if it is not.
    fn record(&mut self, path: &Path, line: u64, record: Record<F::Change>, span: Span) {
        let Record {
            seq,
            at,
            key,
            change,
        } = record;
        if seq <= self.base {
            return;
        }
        if seq < self.next {
            let reason = format!("record {seq} comes after record {}", self.next - 1);
            self.drop_record(path, line, reason, key);
            return;
        }
        if seq > self.next {
            self.lost_before(path, line, seq);
        }
        self.next = seq + 1;
        match self.folded.apply(&key, at, change, span) {
            Ok(()) => self.records += 1,
            Err(refusal) => {
                let reason = format!("record {seq} of sandbox {key}: {refusal}");
                self.drop_record(path, line, reason, key);
            }
        }
    }

    /// Judges unusable lines before record `seq`.
    fn judge(&mut self, path: &Path, suspect: &Suspect, seq: u64) {
        // The snapshot contains every record up to `base`.
        if seq > self.base {
            self.drop_suspect(path, suspect, seq);
        }
    }

    /// Gives up unusable lines and with them the records before `seq`.
    fn drop_suspect(&mut self, path: &Path, suspect: &Suspect, seq: u64) {
        self.dropped.push(Dropped {
            file: path.to_owned(),
            line: suspect.line,
            reason: suspect.reason.clone(),
            records: seq.saturating_sub(self.next),
            open_ended: false,
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
            open_ended: false,
            sandboxes: BTreeSet::from([key]),
        });
    }

    /// Notes that the records from the expected one to the one before `seq` are missing.
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
            open_ended: false,
            sandboxes: BTreeSet::new(),
        });
        self.next = seq;
    }

    /// Notes that the last segment, which begins with record `first`, is missing.
    pub(super) fn lost_end(&mut self, path: &Path, first: u64) {
        self.dropped.push(Dropped {
            file: path.to_owned(),
            line: 1,
            reason: format!("the last segment is missing, with the records from {first} on"),
            records: first.saturating_sub(self.next),
            open_ended: true,
            sandboxes: BTreeSet::new(),
        });
        self.next = self.next.max(first);
    }
}

fn decode<C: DeserializeOwned>(_span: Span, raw: &[u8]) -> Result<Record<C>, Useless> {
    record::decode(raw).map_err(|e| Useless {
        reason: e.to_string(),
        sandbox: record::guess_key(raw),
        is_terminated: raw.ends_with(b"\n"),
        is_superseded: false,
    })
}
