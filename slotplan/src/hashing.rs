//! Hashes of files, computed while they are read.

use std::fmt::Write;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

use crate::answer::InputFile;

/// Bytes after which another thread hashes: a small file is hashed before a thread has begun.
const SMALL: u64 = 1 << 20;
/// Most pieces that wait for the other thread.
const PIECES: usize = 16;

/// Reader that hashes all bytes that pass.
pub(crate) struct Hashing<'a> {
    inner: &'a mut dyn Read,
    hash: Hash,
    bytes: u64,
}

enum Hash {
    Here(Sha256),
    Thread(SyncSender<Vec<u8>>, JoinHandle<Sha256>),
}

impl<'a> Hashing<'a> {
    /// Returns a reader of the same bytes as `inner`.
    pub(crate) fn new(inner: &'a mut dyn Read) -> Self {
        Self {
            inner,
            hash: Hash::Here(Sha256::new()),
            bytes: 0,
        }
    }

    /// Returns the description of the file with this name, of which everything has passed.
    ///
    /// # Panics
    /// If the hashing has panicked.
    pub(crate) fn finish(self, name: &str) -> InputFile {
        let hash = match self.hash {
            Hash::Here(hash) => hash,
            Hash::Thread(pieces, thread) => {
                drop(pieces);
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            }
        };
        InputFile {
            path: name.to_owned(),
            bytes: self.bytes,
            sha256: hexadecimal(&hash.finalize()),
        }
    }

    fn hash(&mut self, piece: &[u8]) {
        if let Hash::Here(hash) = &mut self.hash {
            hash.update(piece);
            if self.bytes > SMALL {
                let (pieces, received) = sync_channel::<Vec<u8>>(PIECES);
                let mut hash = hash.clone();
                let thread = std::thread::Builder::new().spawn(move || {
                    for piece in received {
                        hash.update(piece);
                    }
                    hash
                });
                // Without another thread, this one goes on.
                if let Ok(thread) = thread {
                    self.hash = Hash::Thread(pieces, thread);
                }
            }
        } else if let Hash::Thread(pieces, _) = &self.hash {
            // A thread that has panicked receives nothing, and `finish` goes on with the panic.
            let _ = pieces.send(piece.to_vec());
        }
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.bytes += read as u64;
        self.hash(&buffer[..read]);
        Ok(read)
    }
}

/// Bytes of a piece that is read ahead.
const PIECE: usize = 1 << 18;

/// Reader of a file that another thread reads ahead and hashes.
pub(crate) struct ReadAhead {
    pieces: Receiver<io::Result<Vec<u8>>>,
    /// Pieces that were used, for their memory.
    used: Sender<Vec<u8>>,
    piece: Vec<u8>,
    place: usize,
    bytes: u64,
    thread: JoinHandle<Sha256>,
}

impl ReadAhead {
    /// Begins to read a file.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn new(mut file: File) -> io::Result<Self> {
        let (sender, pieces) = sync_channel(PIECES);
        let (used, reusable) = channel();
        let thread = std::thread::Builder::new()
            .spawn(move || read_and_hash(&mut file, &sender, &reusable))?;
        Ok(Self {
            pieces,
            used,
            piece: Vec::new(),
            place: 0,
            bytes: 0,
            thread,
        })
    }

    /// Returns the description of the file with this name, after the rest of it is read.
    ///
    /// # Errors
    /// The rest of the file cannot be read.
    ///
    /// # Panics
    /// If the thread has panicked.
    pub(crate) fn finish(mut self, name: &str) -> io::Result<InputFile> {
        io::copy(&mut self, &mut io::sink())?;
        let hash = self.thread.join();
        let hash = hash.unwrap_or_else(|panic| resume_unwind(panic));
        Ok(InputFile {
            path: name.to_owned(),
            bytes: self.bytes,
            sha256: hexadecimal(&hash.finalize()),
        })
    }
}

/// Sends the pieces of a file until it ends or nothing receives them, and returns their hash.
fn read_and_hash(
    file: &mut impl Read,
    pieces: &SyncSender<io::Result<Vec<u8>>>,
    reusable: &Receiver<Vec<u8>>,
) -> Sha256 {
    let mut hash = Sha256::new();
    loop {
        let mut piece = reusable.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let sent = match file.read(&mut piece) {
            Ok(0) => return hash,
            Ok(read) => {
                piece.truncate(read);
                hash.update(&piece);
                pieces.send(Ok(piece))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => {
                let _ = pieces.send(Err(error));
                return hash;
            }
        };
        if sent.is_err() {
            return hash;
        }
    }
}

impl BufRead for ReadAhead {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.place == self.piece.len()
            && let Ok(piece) = self.pieces.recv()
        {
            let piece = piece?;
            self.bytes += piece.len() as u64;
            self.place = 0;
            let used = std::mem::replace(&mut self.piece, piece);
            // A thread that has read everything takes no piece.
            let _ = self.used.send(used);
        }
        Ok(&self.piece[self.place..])
    }

    fn consume(&mut self, amount: usize) {
        self.place = (self.place + amount).min(self.piece.len());
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read_ahead = self.fill_buf()?;
        let read = read_ahead.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut digits = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write as _};

    use super::*;

    #[test]
    fn the_hash_is_that_of_all_bytes_however_many() {
        for length in [0, 3, SMALL, 5 * SMALL + 7] {
            let bytes = vec![b'a'; usize::try_from(length).unwrap()];
            let mut inner = &bytes[..];
            let mut hashing = Hashing::new(&mut inner);
            let copied = io::copy(&mut hashing, &mut io::sink()).unwrap();
            let file = hashing.finish("f");
            assert_eq!((copied, file.bytes), (length, length));
            assert_eq!(file.sha256, hexadecimal(&Sha256::digest(&bytes)));
        }
    }

    #[test]
    fn a_file_that_is_read_ahead_is_read_whole_and_hashed_whole() {
        for length in [0, 3, PIECE, 20 * PIECE + 7] {
            let bytes: Vec<_> = (0..length)
                .map(|place| u8::try_from(place % 251).unwrap())
                .collect();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            file.rewind().unwrap();
            let mut reader = ReadAhead::new(file.try_clone().unwrap()).unwrap();
            let mut read = Vec::new();
            reader.read_to_end(&mut read).unwrap();
            assert!(read == bytes);
            assert_eq!(reader.finish("f").unwrap().bytes, length as u64);
            // A reader that stops early gets the hash of the whole file, too.
            file.rewind().unwrap();
            let mut reader = ReadAhead::new(file).unwrap();
            let _ = reader.fill_buf().unwrap();
            let file = reader.finish("f").unwrap();
            assert_eq!(file.bytes, length as u64);
            assert_eq!(file.sha256, hexadecimal(&Sha256::digest(&bytes)));
        }
    }
}
