//! Decodes the lines of a file on several threads while the caller uses the lines before them,
//! in their order.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use super::error::JournalError;
use super::fold::Span;

/// Bytes that are read at once and handed to one thread.
const BATCH: u64 = 1 << 18;

/// Most threads that decode. They decode as fast as one thread can use the lines: decoding
/// takes two thirds to four fifths of the CPU time of a recovery (`perf record`).
const MOST_THREADS: usize = 4;

/// Threads that lines are decoded on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoding {
    /// The thread that uses them, so that other threads keep their cores.
    Here,
    /// One thread per core, up to [`MOST_THREADS`], so that a start takes less time.
    Everywhere,
}

/// Reads a file, decodes each line with `decode` and passes the results to `take` in the order
/// of the lines. `decode` gets each line with its newline.
pub(super) fn decode_lines<T: Send>(
    path: &Path,
    decoding: Decoding,
    decode: impl Fn(Span, &[u8]) -> T + Sync,
    mut take: impl FnMut(Span, T) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut file = Batches::open(path).map_err(JournalError::of("read", path))?;
    let decode = &decode;
    thread::scope(|scope| {
        let decoders: Vec<Decoder<T>> = (0..file.decoders(decoding))
            .filter_map(|_| Decoder::spawn(scope, decode))
            .collect();
        let mut turns = decoders.iter().cycle();
        let mut ahead = VecDeque::new();
        let mut batch = Batch::default();
        while file
            .fill(&mut batch)
            .map_err(JournalError::of("read", path))?
        {
            if let Some(decoder) = turns.next() {
                decoder.start(batch);
                ahead.push_back(decoder);
                batch = if ahead.len() < 2 * decoders.len() {
                    Batch::default()
                } else {
                    ahead.pop_front().map_or_else(Batch::default, Decoder::wait)
                };
            } else {
                batch.decode(decode);
            }
            batch.give(&mut take)?;
        }
        ahead
            .into_iter()
            .try_for_each(|decoder| decoder.wait().give(&mut take))
    })
}

/// A decoding thread with the channels for batches to it and from it.
struct Decoder<T> {
    to_decode: mpsc::Sender<Batch<T>>,
    decoded: mpsc::Receiver<Batch<T>>,
}

impl<T: Send> Decoder<T> {
    /// Starts the thread; returns `None` if none can be started.
    fn spawn<'scope, 'env: 'scope>(
        scope: &'scope thread::Scope<'scope, 'env>,
        decode: &'env (impl Fn(Span, &[u8]) -> T + Sync),
    ) -> Option<Self>
    where
        T: 'scope,
    {
        let (to_decode, batches) = mpsc::channel::<Batch<T>>();
        let (done, decoded) = mpsc::channel();
        thread::Builder::new()
            .name("journal-decode".to_owned())
            .spawn_scoped(scope, move || {
                for mut batch in batches {
                    batch.decode(decode);
                    if done.send(batch).is_err() {
                        break;
                    }
                }
            })
            .ok()?;
        Some(Self { to_decode, decoded })
    }

    fn start(&self, batch: Batch<T>) {
        // The thread ends early only by a panic, which its scope passes on.
        let _ = self.to_decode.send(batch);
    }

    /// Waits for the oldest batch that was started.
    fn wait(&self) -> Batch<T> {
        self.decoded.recv().unwrap_or_default()
    }
}

/// Whole lines with their decoded values; the last line of a file may lack its newline. The
/// memory is reused.
struct Batch<T> {
    offset: u64,
    bytes: Vec<u8>,
    decoded: Vec<(Span, T)>,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self {
            offset: 0,
            bytes: Vec::new(),
            decoded: Vec::new(),
        }
    }
}

impl<T> Batch<T> {
    fn decode(&mut self, decode: impl Fn(Span, &[u8]) -> T) {
        let mut offset = self.offset;
        let mut rest = self.bytes.as_slice();
        while !rest.is_empty() {
            let mut after = rest;
            // Reading from memory does not fail.
            let len = after.skip_until(b'\n').unwrap_or(rest.len());
            let span = Span { offset, len };
            self.decoded.push((span, decode(span, &rest[..len])));
            offset += len as u64;
            rest = after;
        }
    }

    fn give(
        &mut self,
        take: &mut impl FnMut(Span, T) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut decoded = self.decoded.drain(..);
        decoded.try_for_each(|(span, decoded)| take(span, decoded))
    }
}

struct Batches {
    file: io::BufReader<File>,
    len: u64,
    offset: u64,
}

impl Batches {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self {
            len: file.metadata()?.len(),
            file: io::BufReader::new(file),
            offset: 0,
        })
    }

    /// Returns how many threads to start: a small file is decoded faster without any.
    fn decoders(&self, decoding: Decoding) -> usize {
        match decoding {
            Decoding::Here => 0,
            Decoding::Everywhere if self.len <= 2 * BATCH => 0,
            Decoding::Everywhere => {
                thread::available_parallelism().map_or(0, |cores| cores.get().min(MOST_THREADS))
            }
        }
    }

    /// Reads the next lines; returns `false` at the end of the file.
    fn fill<T>(&mut self, batch: &mut Batch<T>) -> io::Result<bool> {
        batch.offset = self.offset;
        batch.bytes.clear();
        (&mut self.file).take(BATCH).read_to_end(&mut batch.bytes)?;
        self.file.read_until(b'\n', &mut batch.bytes)?;
        self.offset += batch.bytes.len() as u64;
        Ok(!batch.bytes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn read(path: &Path, decoding: Decoding) -> Vec<(Span, Vec<u8>)> {
        let mut all = Vec::new();
        let take = |span, line| {
            all.push((span, line));
            Ok(())
        };
        decode_lines(path, decoding, |_, line| line.to_vec(), take).unwrap();
        all
    }

    fn check(text: &[u8]) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let lines = read(file.path(), Decoding::Everywhere);
        assert_eq!(lines, read(file.path(), Decoding::Here));
        let mut expected = text.split_inclusive(|b| *b == b'\n');
        let mut offset = 0;
        for (span, line) in lines {
            let len = line.len();
            assert_eq!(span, Span { offset, len });
            assert_eq!(Some(line.as_slice()), expected.next());
            offset += len as u64;
        }
        assert_eq!(expected.next(), None);
    }

    #[test]
    fn lines_decoded_on_many_threads_arrive_in_order() {
        let lines: Vec<String> = (0..400_000).map(|n| format!("line {n}")).collect();
        let text = lines.join("\n");
        assert!(text.len() as u64 > 12 * BATCH);
        check(text.as_bytes());
    }

    #[test]
    fn a_line_may_be_longer_than_a_batch() {
        let batch = usize::try_from(BATCH).unwrap();
        for len in [batch - 1, batch, batch + 1, 3 * batch] {
            let mut text = vec![b'x'; len];
            text.extend_from_slice(b"\n\nshort\n");
            text.extend(vec![b'y'; len]);
            check(&text);
        }
    }

    #[test]
    fn an_error_of_the_caller_ends_the_reading() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "a line\n".repeat(400_000)).unwrap();
        let mut taken = 0;
        let stopped = decode_lines(
            file.path(),
            Decoding::Everywhere,
            |_, _| (),
            |_, ()| {
                taken += 1;
                if taken == 3 {
                    Err(JournalError::NotDurable { seq: 3 })
                } else {
                    Ok(())
                }
            },
        );
        assert!(
            matches!(stopped, Err(JournalError::NotDurable { seq: 3 })),
            "{stopped:?}"
        );
        assert_eq!(taken, 3);
    }

    proptest! {
        #[test]
        fn any_file_is_read_as_its_lines(text in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200)) {
            check(&text);
        }
    }
}
