//! The journal's write end: all that appends share, under one lock.

use std::fs::File;
use std::sync::Arc;

use super::directory::Directory;
use super::error::StoreError;
use super::record;
use super::segment::Segment;
use super::stats::JournalStats;
use super::worth::Worth;
use threads::mpsc;

/// After so many bytes it is looked anew how much room the file system has left.
const LOOK: u64 = 16 << 10;

/// The state behind the journal's lock.
#[derive(Debug)]
pub(super) struct Writer {
    directory: Directory,
    segment: Segment,
    /// Whether lines may follow what the segment holds.
    usable: bool,
    next_seq: u64,
    /// Reused by every append.
    line: Vec<u8>,
    /// Bytes of closed and open segments that no compaction was asked for yet.
    uncompacted: u64,
    /// At how many of them the room is looked at.
    look_at: u64,
    worth: Worth,
    /// Where compactions are asked for; `None` once closed.
    compactor: Option<mpsc::Sender<u64>>,
    /// Closed segments that are not durable yet, each with its last record.
    unsynced: Vec<(u64, Arc<File>)>,
    /// Whether the directory has names that are not durable.
    names_unsynced: bool,
    /// Records up to this one are only durable by a snapshot: an `fdatasync` of them failed.
    pub(super) distrusted: Option<u64>,
    /// The highest record whose durability someone waits for.
    pub(super) wanted: u64,
    pub(super) closed: bool,
    pub(super) stats: JournalStats,
}

/// What is to be made durable together.
#[derive(Debug)]
pub(super) struct Batch {
    /// The last record in it.
    pub(super) through: u64,
    pub(super) files: Vec<Arc<File>>,
    /// Whether the directory belongs to it.
    pub(super) names: bool,
}

/// What a writer starts from.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) directory: Directory,
    pub(super) segment: Segment,
    pub(super) next_seq: u64,
    pub(super) uncompacted: u64,
    pub(super) worth: Worth,
    pub(super) compactor: mpsc::Sender<u64>,
    /// Closed segments that may not be durable, each with its last record.
    pub(super) unsynced: Vec<(u64, Arc<File>)>,
}

impl Writer {
    pub(super) fn new(start: Start) -> Self {
        let mut writer = Self {
            directory: start.directory,
            segment: start.segment,
            usable: true,
            next_seq: start.next_seq,
            line: Vec::new(),
            uncompacted: start.uncompacted,
            look_at: 0,
            worth: start.worth,
            compactor: Some(start.compactor),
            unsynced: start.unsynced,
            names_unsynced: false,
            distrusted: None,
            wanted: 0,
            closed: false,
            stats: JournalStats::default(),
        };
        if writer.worth.pays_at_start(writer.uncompacted) {
            writer.compact();
        }
        writer
    }

    /// The last record's sequence number, 0 if there is none.
    pub(super) fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// Appends a record, given its body, and gives its sequence number.
    ///
    /// # Errors
    /// Then the record is not in the journal, and never will be.
    pub(super) fn append(&mut self, body: &[u8]) -> Result<u64, StoreError> {
        let appended = self.write(body);
        let compact = match &appended {
            Ok(_) => self.worth.pays(self.uncompacted) || self.is_short_of_room(),
            Err(StoreError::NoSpace { .. }) => self.worth.pays_in_need(self.uncompacted),
            Err(_) => false,
        };
        if compact {
            self.compact();
        }
        appended
    }

    fn write(&mut self, body: &[u8]) -> Result<u64, StoreError> {
        if self.closed {
            return Err(StoreError::Closed);
        }
        if !self.usable {
            self.roll()?;
        }
        let seq = self.next_seq;
        self.line.clear();
        record::encode(&mut self.line, seq, body);
        if let Err(failed) = self.segment.append(&self.line) {
            if !failed.undone {
                self.abandon_segment();
            }
            return Err(failed.error);
        }
        self.next_seq += 1;
        self.uncompacted += self.line.len() as u64;
        self.stats.appended(self.line.len());
        Ok(seq)
    }

    /// Whether the last moment has come in which there is room for a snapshot,
    /// which needs it before it gives any back.
    fn is_short_of_room(&mut self) -> bool {
        let appended = self.uncompacted;
        if appended < self.look_at || !self.worth.pays_in_need(appended) {
            return false;
        }
        self.look_at = appended + LOOK;
        let needed = self.worth.room_needed(appended);
        self.segment.room().is_some_and(|room| room < needed)
    }

    /// Closes the segment and asks for a snapshot of everything up to here.
    fn compact(&mut self) {
        // One that was given up is closed.
        let closed = if self.usable { self.roll() } else { Ok(()) };
        match closed {
            Ok(()) => self.ask_for_snapshot(),
            // The segment at hand will do until the next append tries again.
            Err(e) => tracing::debug!("no new segment yet: {e}"),
        }
    }

    /// Asks for a snapshot through the last record.
    fn ask_for_snapshot(&mut self) {
        self.uncompacted = 0;
        self.look_at = 0;
        if let Some(compactor) = &self.compactor {
            // The compactor is only gone when the journal is being closed.
            let _ = compactor.send(self.last_seq());
        }
    }

    /// Gives the segment up: a new one takes over from the next record on, as
    /// soon as one can be made.
    fn abandon_segment(&mut self) {
        self.usable = false;
        if let Err(e) = self.roll() {
            tracing::warn!("no new segment until the next append: {e}");
        }
    }

    /// Goes on in a new segment.
    fn roll(&mut self) -> Result<(), StoreError> {
        if self.usable && self.segment.len() == 0 {
            return Ok(());
        }
        // One that never held a record has the same name and is emptied.
        let next = Segment::open(self.directory.segment(self.next_seq), 0)?;
        let old = std::mem::replace(&mut self.segment, next);
        self.unsynced.push((self.last_seq(), old.file()));
        self.names_unsynced = true;
        self.usable = true;
        self.stats.segments += 1;
        Ok(())
    }

    /// Takes what is not durable yet, to make it so.
    pub(super) fn take_batch(&mut self) -> Batch {
        let closed = self.unsynced.drain(..).map(|(_, file)| file);
        let files = closed.chain([self.segment.file()]).collect();
        Batch {
            through: self.last_seq(),
            files,
            names: std::mem::take(&mut self.names_unsynced),
        }
    }

    /// After a failed `fdatasync` the kernel may have dropped what it could not
    /// write, and a second call would succeed all the same. So nothing written
    /// so far is claimed durable until a snapshot holds it.
    pub(super) fn distrust(&mut self) {
        self.distrusted = Some(self.last_seq());
        self.unsynced.clear();
        self.names_unsynced = true;
        self.abandon_segment();
        self.ask_for_snapshot();
    }

    /// A snapshot of record `through`, of so many bytes, is durable.
    pub(super) fn compacted(&mut self, through: u64, bytes: u64) {
        self.worth = self.worth.after(bytes);
        self.stats.took_snapshot(bytes);
        self.unsynced.retain(|(last, _)| *last > through);
        if self.distrusted.is_some_and(|seq| seq <= through) {
            self.distrusted = None;
        }
    }

    /// Ends appending, and lets the compactor end.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.compactor = None;
    }

    #[cfg(test)]
    pub(super) fn segment_mut(&mut self) -> &mut Segment {
        &mut self.segment
    }

    /// Adds a file to what the next sync has to make durable.
    #[cfg(test)]
    pub(super) fn push_unsynced(&mut self, file: File) {
        self.unsynced.push((self.last_seq(), Arc::new(file)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use std::os::unix::fs::symlink;

    #[test]
    fn without_space_a_snapshot_is_asked_for_once_it_pays() {
        for (appended, asked) in [(64 << 10, None), ((64 << 10) + 1, Some(4))] {
            let dir = tempfile::tempdir().unwrap();
            let directory = Directory::of(dir.path());
            directory.create().unwrap();
            symlink("/dev/full", directory.segment(1)).unwrap();
            let (compactor, requests) = mpsc::channel();
            let mut writer = Writer::new(Start {
                segment: Segment::open(directory.segment(1), 0).unwrap(),
                directory,
                next_seq: 5,
                uncompacted: 0,
                worth: Worth::new(&Options::default(), 0),
                compactor,
                unsynced: Vec::new(),
            });
            writer.uncompacted = appended;
            let full = writer.append(b"{}").unwrap_err();
            assert!(matches!(full, StoreError::NoSpace { .. }), "{full}");
            assert_eq!(requests.try_iter().last(), asked);
            assert_eq!(writer.append(b"{}").unwrap(), 5);
        }
    }
}
