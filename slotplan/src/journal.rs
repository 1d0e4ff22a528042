//! Directories of the sandboxer to pods.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use inventory::InventoryBuilder;
use inventory::journal::{FORMAT, JournalOptions, JournalReader, Segment};

use crate::answer::InputFile;
use crate::hashing::ReadAhead;

/// Most attempts to open the files of a journal that changes meanwhile.
const TRIES: u32 = 5;
/// Digits of the number in the name of a file.
const DIGITS: usize = 20;

/// Files of a journal by their numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listing {
    segments: BTreeMap<u64, PathBuf>,
    snapshots: BTreeMap<u64, PathBuf>,
    /// Last segment that the sandboxer marked as the last one; 0 for none.
    mark: u64,
}

/// A file that stays readable when the sandboxer removes it.
struct Opened {
    number: u64,
    path: PathBuf,
    file: File,
}

/// Returns the directory with the files of a journal, if `path` is such a directory or one of the
/// sandboxer, which contains one.
pub(crate) fn directory(path: &Path) -> Option<PathBuf> {
    let has_journal = |path: &Path| {
        let found = list(path);
        found.is_ok_and(|found| !found.segments.is_empty() || !found.snapshots.is_empty())
    };
    let within = path.join("journal");
    if has_journal(&within) {
        Some(within)
    } else {
        has_journal(path).then(|| path.to_owned())
    }
}

/// Adds the pods of a journal: those that live and those that ended after the newest snapshot,
/// or with `history` all.
pub(crate) fn add(
    builder: &mut InventoryBuilder,
    directory: &Path,
    options: JournalOptions,
    history: bool,
    files: &mut Vec<InputFile>,
) -> anyhow::Result<()> {
    check_format(directory)?;
    let name = directory.display().to_string();
    let Opening {
        base,
        snapshot,
        segments,
        unread,
    } = Opening::of(directory, history)?;
    if unread > 0 {
        builder.assume(format!(
            "{name}: pods that ended in the {unread} segments before the newest snapshot are left \
             out (--history reads them)"
        ));
    }
    let begins_with_snapshot = snapshot.as_ref().is_some_and(|file| file.number == base);
    let mut reader = JournalReader::new(&name, base, options);
    let mut older = None;
    if let Some(snapshot) = snapshot {
        if begins_with_snapshot {
            read(snapshot, files, |file, input, _| {
                reader.snapshot(builder, file, input)
            })?;
        } else {
            older = Some(snapshot);
        }
    }
    let firsts: Vec<u64> = segments.iter().map(|segment| segment.number).collect();
    for (place, segment) in segments.into_iter().enumerate() {
        let next = firsts.get(place + 1).copied();
        read(segment, files, |file, input, first| {
            let segment = Segment { first, next };
            reader.segment(builder, file, segment, input)
        })?;
    }
    if let Some(snapshot) = older {
        read(snapshot, files, |file, input, seq| {
            reader.older(builder, file, seq, input)
        })?;
    }
    reader.finish(builder);
    Ok(())
}

fn read(
    opened: Opened,
    files: &mut Vec<InputFile>,
    read: impl FnOnce(&str, &mut dyn io::BufRead, u64) -> Result<(), inventory::ReadError>,
) -> anyhow::Result<()> {
    let name = opened.path.display().to_string();
    let context = || format!("read {name}");
    let mut reader = ReadAhead::new(opened.file).with_context(context)?;
    read(&name, &mut reader, opened.number)?;
    files.push(reader.finish(&name).with_context(context)?);
    Ok(())
}

fn check_format(directory: &Path) -> anyhow::Result<()> {
    let path = directory.join("format");
    match fs::read_to_string(&path) {
        Ok(text) => ensure!(
            text.trim() == FORMAT.to_string(),
            "{}: the format is {:?}, and {FORMAT} is known",
            path.display(),
            text.trim()
        ),
        // A journal that states no format has the first.
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
    }
    Ok(())
}

/// Files to read, opened.
struct Opening {
    /// Last record before the first segment.
    base: u64,
    /// Newest snapshot, if it is needed.
    snapshot: Option<Opened>,
    segments: Vec<Opened>,
    /// Number of segments that only a history would read.
    unread: usize,
}

impl Opening {
    /// Opens the files of a journal that another process may write.
    fn of(directory: &Path, history: bool) -> anyhow::Result<Self> {
        let context = || format!("read {}", directory.display());
        for _ in 0..TRIES {
            let listing = list(directory).with_context(context)?;
            let opening = Self::open(directory, &listing, history);
            // A compaction removes files after it has written the snapshot that replaces them.
            match opening {
                Err(error) if is_missing(&error) => {}
                opening if list(directory).with_context(context)? == listing => return opening,
                _ => {}
            }
        }
        bail!("{}: the files change all the time", directory.display())
    }

    fn open(directory: &Path, listing: &Listing, history: bool) -> anyhow::Result<Self> {
        let first = listing.segments.keys().next().copied();
        let newest = listing.snapshots.last_key_value();
        let base = match (history, first, newest) {
            (true, Some(first), _) => first.saturating_sub(1),
            (_, _, Some((seq, _))) => *seq,
            _ => 0,
        };
        let last = listing.segments.keys().next_back().copied().unwrap_or(0);
        ensure!(
            listing.mark <= last.max(base),
            "{}: the last segment is missing, with the records from {} on",
            directory.display(),
            listing.mark
        );
        // The segment with the record after the snapshot may begin before it.
        let begin = listing.segments.range(..=base + 1).next_back();
        let begin = begin.map_or(0, |(first, _)| *first);
        let segments = listing.segments.range(begin..);
        let needs_snapshot = !history || base > 0;
        let snapshot = newest.filter(|_| needs_snapshot);
        Ok(Self {
            base,
            snapshot: snapshot.map(open).transpose()?,
            unread: listing.segments.range(..begin).count(),
            segments: segments.map(open).collect::<anyhow::Result<_>>()?,
        })
    }
}

fn open((number, path): (&u64, &PathBuf)) -> anyhow::Result<Opened> {
    let file = File::open(path).with_context(|| format!("read {}", path.display()))?;
    Ok(Opened {
        number: *number,
        path: path.clone(),
        file,
    })
}

fn is_missing(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

fn list(directory: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((number, kind)) = name.split_once('.') else {
            continue;
        };
        let is_number = number.len() == DIGITS && number.bytes().all(|b| b.is_ascii_digit());
        let Some(number) = number.parse().ok().filter(|_| is_number) else {
            continue;
        };
        match kind {
            "jsonl" => {
                listing.segments.insert(number, path);
            }
            "snapshot.jsonl" => {
                listing.snapshots.insert(number, path);
            }
            "last" => listing.mark = listing.mark.max(number),
            _ => {}
        }
    }
    Ok(listing)
}
