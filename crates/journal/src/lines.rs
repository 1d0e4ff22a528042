//! The lines of a file, made something of on other threads while those before them are used.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use super::error::StoreError;
use super::fold::Span;

/// Bytes read at once, and handed to one thread.
const BATCH: u64 = 1 << 18;

/// As many threads decode as fast as their lines can be used: of the CPU time of a recovery
/// decoding is two thirds to four fifths (`perf record`).
const MOST_THREADS: usize = 4;

/// On how many threads lines are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decoding {
    /// On the one that uses them: it must not get in the way of others.
    Here,
    /// On one for each core, up to [`MOST_THREADS`]: somebody waits for it.
    Everywhere,
}

/// Gives `take` what `decode` makes of each line, newline included, in their order.
pub(super) fn each<T: Send>(
    path: &Path,
    decoding: Decoding,
    decode: impl Fn(Span, &[u8]) -> T + Sync,
    mut take: impl FnMut(Span, T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut file = Batches::open(path).map_err(StoreError::of("read", path))?;
    let decode = &decode;
    thread::scope(|scope| {
        let decoders: Vec<Decoder<T>> = (0..file.worth(decoding))
            .filter_map(|_| Decoder::spawn(scope, decode))
            .collect();
        let mut turns = decoders.iter().cycle();
        let mut ahead = VecDeque::new();
        let mut batch = Batch::default();
        while file
            .fill(&mut batch)
            .map_err(StoreError::of("read", path))?
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

/// A thread, with the batches on their way to it and back.
struct Decoder<T> {
    to_decode: mpsc::Sender<Batch<T>>,
    decoded: mpsc::Receiver<Batch<T>>,
}

impl<T: Send> Decoder<T> {
    /// Nothing if there can be no thread.
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
        // It ends early only if it panics, which its scope passes on.
        let _ = self.to_decode.send(batch);
    }

    /// The oldest of those that were started.
    fn wait(&self) -> Batch<T> {
        self.decoded.recv().unwrap_or_default()
    }
}

/// Whole lines, of which the last one of a file may lack its end, and what was made of them.
/// Its memory is used again.
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
        take: &mut impl FnMut(Span, T) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
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

    /// How many threads are worth their start.
    fn worth(&self, decoding: Decoding) -> usize {
        match decoding {
            Decoding::Here => 0,
            Decoding::Everywhere if self.len <= 2 * BATCH => 0,
            Decoding::Everywhere => {
                thread::available_parallelism().map_or(0, |cores| cores.get().min(MOST_THREADS))
            }
        }
    }

    /// Reads the lines that come next; false if there are none.
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
        each(path, decoding, |_, line| line.to_vec(), take).unwrap();
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
    fn lines_come_in_their_order_from_many_threads() {
        let lines: Vec<String> = (0..400_000).map(|n| format!("line {n}")).collect();
        let text = lines.join("\n");
        assert!(text.len() as u64 > 12 * BATCH);
        check(text.as_bytes());
    }

    #[test]
    fn a_line_may_be_longer_than_what_is_read_at_once() {
        let batch = usize::try_from(BATCH).unwrap();
        for len in [batch - 1, batch, batch + 1, 3 * batch] {
            let mut text = vec![b'x'; len];
            text.extend_from_slice(b"\n\nshort\n");
            text.extend(vec![b'y'; len]);
            check(&text);
        }
    }

    #[test]
    fn who_takes_them_may_stop() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "a line\n".repeat(400_000)).unwrap();
        let mut taken = 0;
        let stopped = each(
            file.path(),
            Decoding::Everywhere,
            |_, _| (),
            |_, ()| {
                taken += 1;
                if taken == 3 {
                    Err(StoreError::NotDurable { seq: 3 })
                } else {
                    Ok(())
                }
            },
        );
        assert!(
            matches!(stopped, Err(StoreError::NotDurable { seq: 3 })),
            "{stopped:?}"
        );
        assert_eq!(taken, 3);
    }

    proptest! {
        #[test]
        fn any_text_is_its_lines(text in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200)) {
            check(&text);
        }
    }
}
