//! The journal: every change, appended before it is acknowledged.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use containerd_sandbox::Key;
use threads::watch;
use threads::{Condvar, Mutex};

use super::compaction_policy::CompactionPolicy;
use super::damage::Damage;
use super::directory::{Directory, Listing};
use super::error::JournalError;
use super::fold::Slots;
use super::format;
use super::load::{self, Loaded};
use super::options::Options;
use super::parallel_decode::Decoding;
use super::record;
use super::removal_room;
use super::report::Recovered;
use super::segment::Segment;
use super::shared::{Progress, Shared};
use super::snapshot;
use super::stats::JournalStats;
use super::sync::Sync;
use super::writer::{Start, Writer};
use slot::{Change, Moment, Slot};
use threads::thread::{self, JoinHandle};
use threads::{mpsc, thread_local};

/// A journal that is open for appending. Dropping it closes it.
pub struct Journal {
    pub(super) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

thread_local! {
    /// Buffer in which a thread encodes records outside the lock of the journal.
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Journal {
    /// Opens the journal in the state directory `dir`, or makes one, and returns the state
    /// that the journal holds. The caller must hold the directory's
    /// [`DirLock`](super::DirLock).
    ///
    /// The remains of an unfinished append are cut off and logged. Files with damage that
    /// [`Options::recover`] gives up are copied to a directory beside them first.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] if records cannot be used and [`Options::recover`] is not
    /// set, [`JournalError::Format`] if a version with another format wrote the journal, and
    /// failures of the file system.
    ///
    /// ```
    /// use journal::{Journal, Options};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let (journal, recovered) = Journal::open(dir.path(), Options::default())?;
    /// assert!(recovered.slots.is_empty());
    /// journal.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovered), JournalError> {
        let started = Instant::now();
        let directory = Directory::of(dir);
        directory.create()?;
        format::ensure(&directory, options.recover)?;
        let listing = directory.list()?;
        for name in &listing.temporary {
            Directory::remove(&directory.path().join(name))?;
        }
        let mut loaded = load::load::<Slots>(&directory, &listing, None, Decoding::Everywhere)?;
        if !options.recover
            && let Some(damage) = Damage::of(std::mem::take(&mut loaded.report.dropped))
        {
            let damage = Box::new(damage);
            return Err(JournalError::Damaged { damage });
        }
        let next_seq = loaded.report.last_seq + 1;
        if !loaded.report.dropped.is_empty() {
            set_aside(&directory, &listing, &mut loaded)?;
        }
        let (first, segment) = last_segment(&directory, &loaded)?;
        let marked = mark_last(&directory, first);
        directory.sync()?;

        let (compactor, asked) = mpsc::channel();
        let sizes = Sizes::of(&directory)?;
        let unsynced = older_segments(&directory, next_seq)?;
        let writer = Writer::new(Start {
            directory: directory.clone(),
            segment,
            next_seq,
            owed: loaded
                .folded
                .iter()
                .map(|(key, slot)| removal_room::of(key, slot))
                .sum(),
            marked,
            uncompacted: sizes.appended,
            policy: CompactionPolicy::new(&options, sizes.snapshot),
            compactor,
            unsynced,
        });
        let shared = Arc::new(Shared {
            directory,
            options,
            writer: Mutex::new(writer),
            work: Condvar::new(),
            closing: Condvar::new(),
            progress: watch::channel(Progress::default()).0,
        });
        let journal = Self {
            shared: Arc::clone(&shared),
            threads: Mutex::new(Vec::new()),
        };
        let compacting = Arc::clone(&shared);
        journal.spawn("journal-compact", move || compacting.compact_loop(&asked))?;
        if options.sync != Sync::None {
            journal.spawn("journal-sync", move || shared.sync_loop())?;
        }

        let mut report = loaded.report;
        report.took = started.elapsed();
        for warning in report.warnings() {
            tracing::warn!("{warning}");
        }
        let slots = loaded.folded;
        Ok((journal, Recovered { slots, report }))
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), JournalError> {
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(JournalError::of(
                "start a thread for",
                self.shared.directory.path(),
            ))?;
        self.threads.lock().push(thread);
        Ok(())
    }

    /// Appends a change and returns the sequence number of its record.
    ///
    /// The record has then reached the kernel, so a crash of this process cannot lose it. The
    /// call takes microseconds: it makes no sync.
    ///
    /// # Errors
    /// The reason why the change is not in the journal. A lack of space
    /// ([`FileError::is_out_of_space`](crate::FileError::is_out_of_space)) may pass later.
    ///
    /// ```
    /// use containerd_sandbox::Key;
    /// use journal::{Journal, Options};
    /// use slot::{Change, NewSandbox, Timestamp};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let key = Key::new("k8s.io", "web")?;
    /// let (journal, _) = Journal::open(dir.path(), Options::default())?;
    /// let create = Change::Create(NewSandbox::default());
    /// assert_eq!(journal.append(&key, Timestamp::now(), &create)?, 1);
    /// assert_eq!(journal.append(&key, Timestamp::now(), &Change::Start)?, 2);
    /// journal.close()?;
    ///
    /// let (_journal, recovered) = Journal::open(dir.path(), Options::default())?;
    /// assert!(recovered.slots.contains_key(&key));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(
        &self,
        key: &Key,
        at: impl Into<Moment>,
        change: &Change,
    ) -> Result<u64, JournalError> {
        self.append_to(None, key, at, change)
    }

    /// Appends as [`Journal::append`] does, given the sandbox before the change.
    ///
    /// The journal keeps room for the records of removals. It learns from the sandbox how many
    /// objects a removal takes along, and so how much room is needed after it.
    ///
    /// # Errors
    /// As [`Journal::append`]. A record of a removal is refused for a lack of space only if the
    /// file system does not allocate room in advance.
    pub fn append_to(
        &self,
        before: Option<&Slot>,
        key: &Key,
        at: impl Into<Moment>,
        change: &Change,
    ) -> Result<u64, JournalError> {
        let effect = removal_room::effect(key, change, before);
        BODY.with(|body| {
            let body = &mut *body.borrow_mut();
            body.clear();
            record::encode_body(body, key, at.into(), change).map_err(JournalError::Encode)?;
            let seq = self.shared.writer.lock().append(body, effect)?;
            if matches!(self.shared.options.sync, Sync::Interval(_)) {
                self.shared.work.notify_one();
            }
            Ok(seq)
        })
    }

    /// Waits, with [`Sync::Always`], until record `seq` and all records before it are durable;
    /// in the other modes returns at once.
    ///
    /// # Errors
    /// [`JournalError::NotDurable`] if the disk failed.
    pub async fn durable(&self, seq: u64) -> Result<(), JournalError> {
        if self.shared.options.sync != Sync::Always {
            return Ok(());
        }
        let mut progress = self.shared.progress.subscribe();
        if progress.borrow().synced >= seq {
            return Ok(());
        }
        {
            let mut writer = self.shared.writer.lock();
            if !writer.closed {
                writer.wanted = writer.wanted.max(seq);
                self.shared.work.notify_one();
            }
        }
        let decided = progress.wait_for(|p| p.synced.max(p.failed) >= seq).await;
        match decided {
            Ok(progress) if progress.synced >= seq => Ok(()),
            Ok(_) | Err(_) => Err(JournalError::NotDurable { seq }),
        }
    }

    /// Waits until every record appended so far, by any thread, is as durable as
    /// [`Options::sync`] promises: with [`Sync::Always`] on the disk. In the other modes the
    /// call costs nothing and returns at once.
    ///
    /// # Errors
    /// [`JournalError::NotDurable`] if the disk failed.
    pub async fn barrier(&self) -> Result<(), JournalError> {
        if self.shared.options.sync != Sync::Always {
            return Ok(());
        }
        let last = self.shared.writer.lock().last_seq();
        self.durable(last).await
    }

    /// Returns the counts since the journal was opened. Appends wait for the call, which does
    /// no I/O.
    pub fn stats(&self) -> JournalStats {
        self.shared.writer.lock().stats
    }

    /// Makes every record durable, ends the threads and refuses further appends. A second call
    /// does nothing.
    ///
    /// # Errors
    /// A failure to make a record durable.
    pub fn close(&self) -> Result<(), JournalError> {
        {
            let mut writer = self.shared.writer.lock();
            if writer.closed {
                return Ok(());
            }
            writer.close();
            self.shared.work.notify_all();
            self.shared.closing.notify_all();
        }
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
        let (batch, distrusted) = {
            let mut writer = self.shared.writer.lock();
            (writer.take_batch(), writer.distrusted)
        };
        self.shared.commit(&batch)?;
        match distrusted {
            Some(seq) => Err(JournalError::NotDurable { seq }),
            None => Ok(()),
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Err(e) = self.close() {
            tracing::error!("close the journal: {e}");
        }
    }
}

/// Returns the segment that the next record goes to: the last one if the record continues the
/// segment's whole lines, else a new one. Also returns the number in the segment's name.
fn last_segment(
    directory: &Directory,
    loaded: &Loaded<Slots>,
) -> Result<(u64, Segment), JournalError> {
    let next_seq = loaded.report.last_seq + 1;
    let (first, len) = match &loaded.last {
        Some((first, end)) if end.next == next_seq => (*first, end.valid_len),
        Some(_) | None => (next_seq, 0),
    };
    Ok((first, Segment::open(directory.segment(first), len)?))
}

/// Marks a segment as the last one, and returns the marked one.
fn mark_last(directory: &Directory, first: u64) -> Option<u64> {
    let marks = match directory.list() {
        Ok(listing) => listing.marks,
        Err(e) => {
            tracing::warn!("{e}");
            return None;
        }
    };
    let (last, older) = match marks.split_last() {
        Some((last, older)) => (Some(*last), older),
        None => (None, &[][..]),
    };
    for mark in older {
        let _ = Directory::remove(&directory.mark_of(*mark));
    }
    match directory.mark(last, first) {
        Ok(()) => Some(first),
        Err(e) => {
            // Without a mark, a later start would not notice that the last segment is missing.
            tracing::warn!("{e}");
            last
        }
    }
}

/// Keeps copies of all files and replaces them by a snapshot, so that the next start does not
/// find the damage again.
fn set_aside(
    directory: &Directory,
    listing: &Listing,
    loaded: &mut Loaded<Slots>,
) -> Result<(), JournalError> {
    let kept = directory.keep(listing)?;
    tracing::warn!("the damaged journal is kept in {}", kept.display());
    let last_seq = loaded.report.last_seq;
    let snapshot = directory.snapshot(last_seq);
    // Without a record there is no state.
    if last_seq > 0 {
        snapshot::write(directory, last_seq, snapshot::sorted(&loaded.folded))?;
    }
    // The mark goes before the segment that it names.
    for mark in &listing.marks {
        Directory::remove(&directory.mark_of(*mark))?;
    }
    for path in directory.files(listing).filter(|path| *path != snapshot) {
        Directory::remove(&path)?;
    }
    loaded.last = None;
    Ok(())
}

/// Returns the segments after the newest snapshot except the last, each with its last record.
///
/// A killed process may have left their content to the kernel, so they are not durable.
fn older_segments(
    directory: &Directory,
    next_seq: u64,
) -> Result<Vec<(u64, Arc<File>)>, JournalError> {
    let listing = directory.list()?;
    let newest = listing.snapshots.last().copied();
    let segments: Vec<u64> = listing
        .segments
        .into_iter()
        .filter(|s| Some(*s) > newest)
        .collect();
    let mut older = Vec::new();
    for pair in segments.windows(2) {
        let path = directory.segment(pair[0]);
        let file = File::open(&path).map_err(JournalError::of("open", &path))?;
        older.push(((pair[1] - 1).min(next_seq - 1), Arc::new(file)));
    }
    Ok(older)
}

/// Sizes of the files in bytes.
struct Sizes {
    /// Segments after the newest snapshot.
    appended: u64,
    /// The newest snapshot; 0 without one.
    snapshot: u64,
}

impl Sizes {
    fn of(directory: &Directory) -> Result<Self, JournalError> {
        let listing = directory.list()?;
        let newest = listing.snapshots.last().copied();
        let mut sizes = Self {
            appended: 0,
            snapshot: newest.map_or(Ok(0), |seq| size(&directory.snapshot(seq)))?,
        };
        for first in listing.segments.iter().filter(|s| Some(**s) > newest) {
            sizes.appended += size(&directory.segment(*first))?;
        }
        Ok(sizes)
    }
}

fn size(path: &Path) -> Result<u64, JournalError> {
    let examined = fs::metadata(path).map_err(JournalError::of("examine", path));
    examined.map(|m| m.len())
}
