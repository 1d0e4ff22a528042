//! Hashes of files, computed while they are read.

use std::fmt::Write;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::answer::InputFile;

/// Reader that hashes what passes.
pub(crate) struct Hashing<'a> {
    inner: &'a mut dyn Read,
    hash: Sha256,
    bytes: u64,
}

impl<'a> Hashing<'a> {
    /// Returns a reader that gives what `inner` gives.
    pub(crate) fn new(inner: &'a mut dyn Read) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// Returns the description of the file with this name, of which everything has passed.
    pub(crate) fn finish(self, name: &str) -> InputFile {
        InputFile {
            path: name.to_owned(),
            bytes: self.bytes,
            sha256: hexadecimal(&self.hash.finalize()),
        }
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
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
