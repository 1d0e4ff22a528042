//! Loads the state from the journal's files: chooses the snapshot and the segments, and reads
//! only.

use std::path::PathBuf;

use super::damage::Dropped;
use super::directory::{Directory, Listing};
use super::error::JournalError;
use super::fold::Fold;
use super::parallel_decode::Decoding;
use super::replay::{Replay, SegmentEnd};
use super::report::{Report, TornTail};
use super::snapshot;

/// The content of the files.
#[derive(Debug)]
pub(super) struct Loaded<F> {
    pub(super) folded: F,
    /// Report of the reading; `dropped` holds the damage.
    pub(super) report: Report,
    /// First record and end of the last segment.
    pub(super) last: Option<(u64, SegmentEnd)>,
}

/// Reads the newest snapshot and the segments after it: all of them, or those with records up
/// to `through`.
pub(super) fn load<F: Fold>(
    directory: &Directory,
    listing: &Listing,
    through: Option<u64>,
    decoding: Decoding,
) -> Result<Loaded<F>, JournalError> {
    let upto = through.unwrap_or(u64::MAX);
    let start = start::<F>(directory, listing, upto, decoding)?;
    let mut replay = Replay::new(start.base, start.folded, decoding);
    replay.dropped = start.dropped;

    let segments: Vec<u64> = segments_from(&listing.segments, start.base + 1)
        .iter()
        .copied()
        .filter(|first| *first <= upto)
        .collect();
    let mut last = None;
    // The segment that is marked as the last one, if it is missing. A segment that the snapshot
    // replaces may be gone.
    let missing = listing.marks.last().copied().filter(|mark| {
        let is_there = listing.segments.last().is_some_and(|last| last >= mark);
        !is_there && *mark > start.base && *mark <= upto
    });
    for (i, first) in segments.iter().copied().enumerate() {
        let next = segments.get(i + 1).copied().or(missing);
        let limit = next.or(through.map(|t| t + 1));
        let path = directory.segment(first);
        last = Some((first, replay.segment(&path, first, limit)?));
    }
    if let Some(seq) = start.damaged.filter(|seq| *seq >= replay.next) {
        replay.lost_before(&directory.snapshot(seq), 1, seq + 1);
    }
    if let Some(first) = missing {
        replay.lost_end(&directory.segment(first), first);
    }
    let torn = last.as_ref().and_then(|(first, end)| {
        end.torn.as_ref().map(|torn| TornTail {
            file: directory.segment(*first),
            line: torn.line,
            bytes: torn.bytes,
        })
    });
    let in_directory = |name| directory.path().join(name);
    let report = Report {
        sandboxes: replay.folded.len(),
        last_seq: replay.next - 1,
        snapshot: (start.base > 0).then_some(start.base),
        segments: segments.len(),
        records: replay.records,
        torn,
        dropped: replay.dropped,
        damaged_snapshots: start.passed_over,
        foreign: listing.foreign.iter().map(in_directory).collect(),
        took: std::time::Duration::ZERO,
    };
    Ok(Loaded {
        folded: replay.folded,
        report,
        last,
    })
}

/// Place where the reading starts.
#[derive(Default)]
struct Start<F> {
    base: u64,
    folded: F,
    dropped: Vec<Dropped>,
    passed_over: Vec<PathBuf>,
    /// The newest snapshot, if it is damaged and an older one or none is used in its place.
    damaged: Option<u64>,
}

/// Returns the newest whole snapshot that the segments continue. Without one, returns the
/// beginning if the segments go back to it, else the readable part of the newest snapshot.
fn start<F: Fold>(
    directory: &Directory,
    listing: &Listing,
    upto: u64,
    decoding: Decoding,
) -> Result<Start<F>, JournalError> {
    let mut passed_over = Vec::new();
    let mut damaged: Option<Start<F>> = None;
    for seq in listing
        .snapshots
        .iter()
        .rev()
        .copied()
        .filter(|s| *s <= upto)
    {
        if damaged.is_some() && !continued(&listing.segments, seq) {
            break;
        }
        let path = directory.snapshot(seq);
        let read = snapshot::read(&path, seq, decoding)?;
        if read.dropped.is_empty() {
            return Ok(Start {
                base: seq,
                folded: read.folded,
                dropped: Vec::new(),
                passed_over,
                damaged: damaged.map(|newest| newest.base),
            });
        }
        passed_over.push(path);
        damaged.get_or_insert(Start {
            base: seq,
            folded: read.folded,
            dropped: read.dropped,
            ..Start::default()
        });
    }
    match damaged {
        Some(damaged) if !continued(&listing.segments, 0) => Ok(damaged),
        damaged => Ok(Start {
            passed_over,
            damaged: damaged.map(|newest| newest.base),
            ..Start::default()
        }),
    }
}

/// Returns whether the segments hold the record after record `seq`.
fn continued(segments: &[u64], seq: u64) -> bool {
    segments.first().is_some_and(|first| *first <= seq + 1)
}

/// Returns the segments from the one that holds record `seq` on.
fn segments_from(segments: &[u64], seq: u64) -> &[u64] {
    let older = segments.partition_point(|first| *first <= seq);
    &segments[older.saturating_sub(1)..]
}
