//! The journal: every change, appended before it is acknowledged.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use containerd_sandbox::Key;
use threads::watch;
use threads::{Condvar, Mutex};

use super::damage::Damage;
use super::directory::{Directory, Listing};
use super::error::StoreError;
use super::fold::Slots;
use super::format;
use super::lines::Decoding;
use super::record;
use super::recovery::{self, Replayed};
use super::report::Report;
use super::segment::Segment;
use super::shared::{Progress, Shared};
use super::snapshot;
use super::stats::JournalStats;
use super::sync::Sync;
use super::worth::Worth;
use super::writer::{Start, Writer};
use slot::Change;
use slot::Timestamp;
use threads::thread::{self, JoinHandle};
use threads::{mpsc, thread_local};

/// How the journal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// When appends are made durable.
    pub sync: Sync,
    /// Whether segments stay when a snapshot has replaced them.
    pub history: bool,
    /// Whether to open a damaged journal without what cannot be used.
    pub recover: bool,
    /// A snapshot is taken when so many bytes were appended since the last one,
    /// or twice its size if that is more; earlier at a start and where the file
    /// system has little room left.
    pub compact_min_bytes: u64,
}

impl Default for Options {
    /// No syncs, no history, no recovery of damage, snapshots from 16 MiB on.
    fn default() -> Self {
        Self {
            sync: Sync::None,
            history: false,
            recover: false,
            compact_min_bytes: 16 << 20,
        }
    }
}

/// What an opened journal held.
#[derive(Debug)]
pub struct Recovered {
    /// Every sandbox.
    pub slots: Slots,
    /// How they were come by.
    pub report: Report,
}

/// The journal, open for appending. Closed when dropped.
pub struct Journal {
    pub(super) shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

thread_local! {
    /// Each thread encodes outside the journal's lock, into memory it keeps.
    static BODY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Journal {
    /// Opens the journal in `dir`, or makes one, and gives the state it holds.
    /// The caller holds the directory's [`DirLock`](super::DirLock).
    ///
    /// The remains of an unfinished append are cut off and logged. What is
    /// given up for [`Options::recover`] is kept in a directory beside it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if anything else cannot be used and
    /// [`Options::recover`] is not set; [`StoreError::Format`] if another version
    /// wrote it; else what the file system says.
    pub fn open(dir: &Path, options: Options) -> Result<(Self, Recovered), StoreError> {
        let started = Instant::now();
        let directory = Directory::of(dir);
        directory.create()?;
        format::ensure(&directory)?;
        let listing = directory.list()?;
        for name in &listing.temporary {
            Directory::remove(&directory.path().join(name))?;
        }
        let mut replayed =
            recovery::replay::<Slots>(&directory, &listing, None, Decoding::Everywhere)?;
        if !options.recover
            && let Some(damage) = Damage::of(std::mem::take(&mut replayed.report.dropped))
        {
            let damage = Box::new(damage);
            return Err(StoreError::Damaged { damage });
        }
        let next_seq = replayed.report.last_seq + 1;
        if !replayed.report.dropped.is_empty() {
            set_aside(&directory, &listing, &mut replayed)?;
        }
        let segment = last_segment(&directory, &replayed)?;
        directory.sync()?;

        let (compactor, asked) = mpsc::channel();
        let sizes = Sizes::of(&directory)?;
        let unsynced = older_segments(&directory, next_seq)?;
        let writer = Writer::new(Start {
            directory: directory.clone(),
            segment,
            next_seq,
            uncompacted: sizes.appended,
            worth: Worth::new(&options, sizes.snapshot),
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

        let mut report = replayed.report;
        report.took = started.elapsed();
        for warning in report.warnings() {
            tracing::warn!("{warning}");
        }
        let slots = replayed.folded;
        Ok((journal, Recovered { slots, report }))
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(run)
            .map_err(StoreError::of(
                "start a thread for",
                self.shared.directory.path(),
            ))?;
        self.threads.lock().push(thread);
        Ok(())
    }

    /// Appends a change, and gives its record's sequence number. It has then
    /// reached the kernel: a crash of the process cannot lose it. Takes
    /// microseconds: no sync happens here.
    ///
    /// # Errors
    /// Then the change is not in the journal. [`StoreError::NoSpace`] may pass.
    pub fn append(&self, key: &Key, at: Timestamp, change: &Change) -> Result<u64, StoreError> {
        BODY.with(|body| {
            let body = &mut *body.borrow_mut();
            body.clear();
            record::encode_body(body, key, at, change).map_err(StoreError::Encode)?;
            let seq = self.shared.writer.lock().append(body)?;
            if matches!(self.shared.options.sync, Sync::Interval(_)) {
                self.shared.work.notify_one();
            }
            Ok(seq)
        })
    }

    /// With [`Sync::Always`], waits until record `seq` and all before it are
    /// durable; else returns at once.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`] if the disk failed.
    pub async fn durable(&self, seq: u64) -> Result<(), StoreError> {
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
            Ok(_) | Err(_) => Err(StoreError::NotDurable { seq }),
        }
    }

    /// Waits until all that was appended so far, by whomever, is as durable as
    /// [`Options::sync`] promises: with [`Sync::Always`] on the disk. In the
    /// other modes it costs nothing and returns at once.
    ///
    /// # Errors
    /// [`StoreError::NotDurable`] if the disk failed.
    pub async fn barrier(&self) -> Result<(), StoreError> {
        if self.shared.options.sync != Sync::Always {
            return Ok(());
        }
        let last = self.shared.writer.lock().last_seq();
        self.durable(last).await
    }

    /// What it has done since it was opened. Appends wait meanwhile, but for no I/O.
    pub fn stats(&self) -> JournalStats {
        self.shared.writer.lock().stats
    }

    /// Makes everything durable and ends the threads. A second call does
    /// nothing; appends are refused from now on.
    ///
    /// # Errors
    /// If the disk did not confirm everything.
    pub fn close(&self) -> Result<(), StoreError> {
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
            Some(seq) => Err(StoreError::NotDurable { seq }),
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

/// The last segment, if the next record belongs right behind what is whole of
/// it; else a new one.
fn last_segment(directory: &Directory, replayed: &Replayed<Slots>) -> Result<Segment, StoreError> {
    let next_seq = replayed.report.last_seq + 1;
    match &replayed.last {
        Some((first, end)) if end.next == next_seq => {
            Segment::open(directory.segment(*first), end.valid_len)
        }
        Some(_) | None => Segment::open(directory.segment(next_seq), 0),
    }
}

/// Puts a snapshot in the place of all there is, which is kept aside: the next
/// start shall not be reminded of the damage.
fn set_aside(
    directory: &Directory,
    listing: &Listing,
    replayed: &mut Replayed<Slots>,
) -> Result<(), StoreError> {
    let kept = directory.keep(listing)?;
    tracing::warn!("the damaged journal is kept in {}", kept.display());
    let last_seq = replayed.report.last_seq;
    snapshot::write(directory, last_seq, snapshot::sorted(&replayed.folded))?;
    let snapshot = directory.snapshot(last_seq);
    for path in directory.files(listing).filter(|path| *path != snapshot) {
        Directory::remove(&path)?;
    }
    replayed.last = None;
    Ok(())
}

/// The segments since the newest snapshot but for the last, which a process
/// that was killed may have left to the kernel.
fn older_segments(
    directory: &Directory,
    next_seq: u64,
) -> Result<Vec<(u64, Arc<File>)>, StoreError> {
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
        let file = File::open(&path).map_err(StoreError::of("open", &path))?;
        older.push(((pair[1] - 1).min(next_seq - 1), Arc::new(file)));
    }
    Ok(older)
}

/// Bytes of what is in the directory.
struct Sizes {
    /// Segments since the newest snapshot.
    appended: u64,
    /// The newest snapshot.
    snapshot: u64,
}

impl Sizes {
    fn of(directory: &Directory) -> Result<Self, StoreError> {
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

fn size(path: &Path) -> Result<u64, StoreError> {
    let examined = fs::metadata(path).map_err(StoreError::of("examine", path));
    examined.map(|m| m.len())
}
