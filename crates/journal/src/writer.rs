//! The journal's write end: state that all appends share, under one lock.
//!
//! The writer keeps room for the records of removals in its segment (module `removal_room`), and
//! the room moves on with each new segment. A record that belongs to no removal is written only if
//! the room is whole after it.

use std::fs::File;
use std::sync::Arc;

use super::compaction_policy::CompactionPolicy;
use super::directory::Directory;
use super::error::JournalError;
use super::record;
use super::removal_room::Effect;
use super::segment::Segment;
use super::stats::JournalStats;
use threads::mpsc;

/// Appended bytes between two looks at the free space of the file system.
const LOOK: u64 = 16 << 10;

/// Bytes that are left free beside the room for removals, for the snapshot that gives the space of
/// the removed objects back.
const SLACK: u64 = 64 << 10;

/// Bytes by which a segment is allocated beyond its need, so that an allocation serves many
/// records.
const AHEAD: u64 = 256 << 10;

/// State behind the journal's lock.
#[derive(Debug)]
pub(super) struct Writer {
    directory: Directory,
    segment: Segment,
    /// Whether lines may follow the content of the segment.
    usable: bool,
    next_seq: u64,
    room: Room,
    /// First record of the segment that the directory marks as the last one.
    marked: Option<u64>,
    /// Buffer that every append reuses.
    line: Vec<u8>,
    /// Bytes of closed and open segments for which no compaction was requested yet.
    uncompacted: u64,
    /// Value of `uncompacted` at which the free space is looked at next.
    look_at: u64,
    policy: CompactionPolicy,
    /// Channel for requests of compactions; `None` once closed.
    compactor: Option<mpsc::Sender<u64>>,
    /// Closed segments that are not durable yet, each with its last record.
    unsynced: Vec<(u64, Arc<File>)>,
    /// Whether the directory has names that are not durable.
    names_unsynced: bool,
    /// Last record of a failed `fdatasync`: records up to it become durable only by a
    /// snapshot.
    pub(super) distrusted: Option<u64>,
    /// Highest record that a caller waits for.
    pub(super) wanted: u64,
    pub(super) closed: bool,
    pub(super) stats: JournalStats,
}

/// Room that the removal of live objects needs.
#[derive(Debug)]
struct Room {
    /// Room that the removal of all live objects needs, in bytes.
    owed: u64,
    /// Whether the file system allocates room in advance.
    is_kept: bool,
    /// Set while there is not enough room: the value of `owed` at the last request for a
    /// snapshot.
    short: Option<u64>,
}

/// Files to make durable together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Last record in the files.
    pub(super) through: u64,
    pub(super) files: Vec<Arc<File>>,
    /// Whether the directory's names belong to the batch.
    pub(super) names: bool,
}

/// Values that a writer starts with.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) directory: Directory,
    pub(super) segment: Segment,
    pub(super) next_seq: u64,
    /// Room that the removal of all live objects needs, in bytes.
    pub(super) owed: u64,
    /// First record of the segment that the directory marks as the last one.
    pub(super) marked: Option<u64>,
    pub(super) uncompacted: u64,
    pub(super) policy: CompactionPolicy,
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
            room: Room {
                owed: start.owed,
                is_kept: true,
                short: None,
            },
            marked: start.marked,
            line: Vec::new(),
            uncompacted: start.uncompacted,
            look_at: 0,
            policy: start.policy,
            compactor: Some(start.compactor),
            unsynced: start.unsynced,
            names_unsynced: false,
            distrusted: None,
            wanted: 0,
            closed: false,
            stats: JournalStats::default(),
        };
        if let Err(e) = writer.make_room(writer.room.owed + SLACK) {
            // What room there is serves removals, and further ones as soon as there is more.
            let _ = writer.segment.reserve(writer.room.owed);
            tracing::warn!("only removals are possible for now: {e}");
        }
        if writer.policy.pays_at_start(writer.uncompacted) {
            writer.compact();
        }
        writer
    }

    /// Returns the sequence number of the last record; 0 if there is none.
    pub(super) fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// Appends a record, given its body and its effect, and returns its sequence number.
    ///
    /// # Errors
    /// The reason why the record is not in the journal and never will be.
    pub(super) fn append(&mut self, body: &[u8], effect: Effect) -> Result<u64, JournalError> {
        let appended = self.write(body, effect);
        let compact = match &appended {
            Ok(_) => {
                self.policy.pays(self.uncompacted) || self.is_short_of_room() || self.is_relieved()
            }
            Err(e) if e.is_out_of_space() => self.policy.pays_when_space_is_short(self.uncompacted),
            Err(_) => false,
        };
        if compact {
            self.compact();
        }
        appended
    }

    fn write(&mut self, body: &[u8], effect: Effect) -> Result<u64, JournalError> {
        if self.closed {
            return Err(JournalError::Closed);
        }
        if !self.usable {
            self.roll()?;
        }
        let seq = self.next_seq;
        self.line.clear();
        record::encode(&mut self.line, seq, body);
        let added = match effect {
            Effect::Adds(room) => Some(room),
            Effect::None => Some(0),
            Effect::Removes(_) => None,
        };
        if let Some(added) = added {
            self.make_room(self.line.len() as u64 + self.room.owed + added + SLACK)?;
        }
        if let Err(failed) = self.segment.append(&self.line) {
            if !failed.undone {
                self.abandon_segment();
            }
            return Err(failed.error);
        }
        self.room.owed = match effect {
            Effect::Adds(room) => self.room.owed + room,
            Effect::Removes(room) => self.room.owed.saturating_sub(room),
            Effect::None => self.room.owed,
        };
        self.next_seq += 1;
        self.uncompacted += self.line.len() as u64;
        self.stats.appended(self.line.len());
        Ok(seq)
    }

    /// Makes the room behind the last line at least `bytes` large.
    ///
    /// # Errors
    /// A lack of space; the room stays as it was.
    fn make_room(&mut self, bytes: u64) -> Result<(), JournalError> {
        if !self.room.is_kept || bytes <= self.segment.reserved() {
            return Ok(());
        }
        let made = match self.segment.reserve(bytes + AHEAD) {
            Err(_) => self.segment.reserve(bytes),
            made => made,
        };
        match made {
            Ok(true) => self.room.short = None,
            Ok(false) => {
                self.room.is_kept = false;
                tracing::warn!(
                    "the file system of {} allocates no room in advance: on a full disk, \
                     removals fail like other changes",
                    self.directory.path().display()
                );
            }
            Err(e) => {
                self.room.short.get_or_insert(self.room.owed);
                return Err(e);
            }
        }
        Ok(())
    }

    /// Returns whether so many objects were removed on a full disk that a snapshot may fit now.
    fn is_relieved(&self) -> bool {
        self.room
            .short
            .is_some_and(|then| then > 0 && self.room.owed <= then / 2)
    }

    /// Returns whether the free space has shrunk to the size of the next snapshot, which takes
    /// that space before it frees any.
    fn is_short_of_room(&mut self) -> bool {
        let appended = self.uncompacted;
        if appended < self.look_at || !self.policy.pays_when_space_is_short(appended) {
            return false;
        }
        self.look_at = appended + LOOK;
        let needed = self.policy.room_needed(appended);
        self.segment.room().is_some_and(|room| room < needed)
    }

    /// Closes the segment and requests a snapshot of every record so far.
    fn compact(&mut self) {
        // An abandoned segment is closed already.
        let closed = if self.usable { self.roll() } else { Ok(()) };
        match closed {
            Ok(()) => self.ask_for_snapshot(),
            // The present segment stays in use; the next append tries again.
            Err(e) => tracing::debug!("no new segment yet: {e}"),
        }
    }

    /// Requests a snapshot through the last record.
    fn ask_for_snapshot(&mut self) {
        self.uncompacted = 0;
        self.look_at = 0;
        self.room.short = self.room.short.map(|_| self.room.owed);
        if let Some(compactor) = &self.compactor {
            // The receiver ends only when the journal is being closed.
            let _ = compactor.send(self.last_seq());
        }
    }

    /// Gives the segment up. A new one takes the next record as soon as it can be made.
    fn abandon_segment(&mut self) {
        self.usable = false;
        if let Err(e) = self.roll() {
            tracing::warn!("no new segment until the next append: {e}");
        }
    }

    /// Continues in a new segment.
    fn roll(&mut self) -> Result<(), JournalError> {
        if self.usable && self.segment.len() == 0 {
            return Ok(());
        }
        // A segment without a record has the same name and is emptied by the opening.
        let path = self.directory.segment(self.next_seq);
        let mut next = Segment::open(path.clone(), 0)?;
        if let Err(e) = self.move_room(&mut next) {
            // A record of its number must not follow in the present segment while it exists.
            if self.usable && Directory::remove(&path).is_ok() {
                return Err(e);
            }
        }
        let old = std::mem::replace(&mut self.segment, next);
        self.mark();
        self.unsynced.push((self.last_seq(), old.file()));
        self.names_unsynced = true;
        self.usable = true;
        self.stats.segments += 1;
        Ok(())
    }

    /// Gives the next segment the room that removals need. On a full disk it is the room of the
    /// present segment.
    fn move_room(&mut self, next: &mut Segment) -> Result<(), JournalError> {
        if !self.room.is_kept {
            return Ok(());
        }
        if next.reserve(self.room.owed + SLACK).is_ok() {
            self.segment.release();
            return Ok(());
        }
        let kept = self.segment.reserved();
        self.segment.release();
        self.room.short.get_or_insert(self.room.owed);
        next.reserve(self.room.owed).map(drop).inspect_err(|_| {
            // Something else has taken the room.
            next.release();
            let _ = self.segment.reserve(kept);
        })
    }

    /// Marks the present segment as the last one.
    ///
    /// A crash before leaves a marker of an earlier segment, which says less and nothing wrong.
    fn mark(&mut self) {
        match self.directory.mark(self.marked, self.next_seq) {
            Ok(()) => self.marked = Some(self.next_seq),
            Err(e) => tracing::warn!("{e}"),
        }
    }

    /// Returns the files that are not durable yet, and counts them as taken.
    pub(super) fn take_batch(&mut self) -> Batch {
        let closed = self.unsynced.drain(..).map(|(_, file)| file);
        let files = closed.chain([self.segment.file()]).collect();
        Batch {
            through: self.last_seq(),
            files,
            names: std::mem::take(&mut self.names_unsynced),
        }
    }

    /// Stops trusting the segments written so far.
    ///
    /// After a failed `fdatasync` the kernel may have dropped the pages that it could not
    /// write, and a second call would succeed all the same. So no record written so far counts
    /// as durable until a snapshot holds it.
    pub(super) fn distrust(&mut self) {
        self.distrusted = Some(self.last_seq());
        self.unsynced.clear();
        self.names_unsynced = true;
        self.abandon_segment();
        self.ask_for_snapshot();
    }

    /// Notes that a snapshot of record `through` with `bytes` bytes is durable.
    pub(super) fn compacted(&mut self, through: u64, bytes: u64) {
        self.policy = self.policy.after(bytes);
        self.stats.took_snapshot(bytes);
        self.unsynced.retain(|(last, _)| *last > through);
        if self.distrusted.is_some_and(|seq| seq <= through) {
            self.distrusted = None;
        }
    }

    /// Ends appending, and lets the compacting thread end.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.compactor = None;
    }

    #[cfg(test)]
    pub(super) fn segment_mut(&mut self) -> &mut Segment {
        &mut self.segment
    }

    /// Adds a file to the next batch.
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
    fn on_a_full_disk_a_snapshot_is_requested_once_it_pays() {
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
                owed: 0,
                marked: None,
                uncompacted: 0,
                policy: CompactionPolicy::new(&Options::default(), 0),
                compactor,
                unsynced: Vec::new(),
            });
            writer.uncompacted = appended;
            let full = writer.append(b"{}", Effect::None).unwrap_err();
            assert!(full.is_out_of_space(), "{full}");
            assert_eq!(requests.try_iter().last(), asked);
            assert_eq!(writer.append(b"{}", Effect::None).unwrap(), 5);
        }
    }
}
