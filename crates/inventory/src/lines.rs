//! Lines of a text that is read in pieces.

use std::io::{self, BufRead, Read};

/// Longest line in bytes. A journal's line has at most the largest message of its APIs, in Base64.
const LONGEST: u64 = 64 << 20;

/// Lines with their numbers.
pub(crate) struct Lines<'a> {
    reader: &'a mut dyn BufRead,
    line: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    /// Returns the lines of a reader.
    pub(crate) fn new(reader: &'a mut dyn BufRead) -> Self {
        Self {
            reader,
            line: Vec::new(),
            number: 0,
        }
    }

    /// Returns the next line with its number, from 1, and its newline if it ends with one; `None`
    /// after the last line.
    ///
    /// # Errors
    /// A failure of the reader, and a line of more than 64 MiB.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        self.line.clear();
        let read = (&mut *self.reader)
            .take(LONGEST)
            .read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read as u64 == LONGEST && !self.line.ends_with(b"\n") {
            let message = format!("line {} has more than {LONGEST} bytes", self.number);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Ok(Some((self.number, &self.line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_numbers_and_keep_their_newlines() {
        let mut reader: &[u8] = b"a\n\nb";
        let mut lines = Lines::new(&mut reader);
        assert_eq!(lines.next().unwrap(), Some((1, &b"a\n"[..])));
        assert_eq!(lines.next().unwrap(), Some((2, &b"\n"[..])));
        assert_eq!(lines.next().unwrap(), Some((3, &b"b"[..])));
        assert_eq!(lines.next().unwrap(), None);
    }
}
