//! Hashes of files, computed while they are read.

use std::fmt::Write;
use std::io::{self, Read};
use std::panic::resume_unwind;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

use crate::answer::InputFile;

/// Bytes after which another thread hashes: a small file is hashed before a thread has begun.
const SMALL: u64 = 1 << 20;
/// Most pieces that wait for the other thread.
const PIECES: usize = 16;

/// Reader that hashes what passes.
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
    /// Returns a reader that gives what `inner` gives.
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
}
