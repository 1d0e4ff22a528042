//! Lines of a text that is read in pieces.

use std::io::{self, BufRead};

/// Longest line in bytes. A journal's line has at most the largest message of its APIs, in Base64.
const LONGEST: usize = 64 << 20;

/// Lines with their numbers.
pub(crate) struct Lines<'a> {
    reader: &'a mut dyn BufRead,
    /// A line that does not lie in the reader's buffer as a whole.
    line: Vec<u8>,
    /// Bytes of the buffer that were returned and not consumed yet.
    returned: usize,
    number: u64,
}

impl<'a> Lines<'a> {
    /// Returns the lines of a reader.
    pub(crate) fn new(reader: &'a mut dyn BufRead) -> Self {
        Self {
            reader,
            line: Vec::new(),
            returned: 0,
            number: 0,
        }
    }

    /// Returns the next line with its number, from 1, and its newline if it ends with one; `None`
    /// after the last line.
    ///
    /// # Errors
    /// A failure of the reader, and a line of more than 64 MiB.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        self.reader.consume(self.returned);
        self.returned = 0;
        self.number += 1;
        let part = self.reader.fill_buf()?;
        if let Some(end) = memchr::memchr(b'\n', part) {
            // Most lines lie in the buffer as a whole.
            self.returned = end + 1;
            return Ok(Some((self.number, &self.reader.fill_buf()?[..=end])));
        }
        self.line.clear();
        loop {
            let part = self.reader.fill_buf()?;
            let end = memchr::memchr(b'\n', part).map(|end| end + 1);
            let taken = end.unwrap_or(part.len());
            self.line.extend_from_slice(&part[..taken]);
            self.reader.consume(taken);
            if end.is_some() || taken == 0 {
                break;
            }
            if self.line.len() > LONGEST {
                let message = format!("line {} has more than {LONGEST} bytes", self.number);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        let is_there = !self.line.is_empty();
        Ok(is_there.then_some((self.number, &self.line)))
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        self.reader.consume(self.returned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_numbers_and_keep_their_newlines() {
        for capacity in 1..6 {
            let mut reader = io::BufReader::with_capacity(capacity, &b"a\n\nb"[..]);
            let mut lines = Lines::new(&mut reader);
            assert_eq!(lines.next().unwrap(), Some((1, &b"a\n"[..])));
            assert_eq!(lines.next().unwrap(), Some((2, &b"\n"[..])));
            assert_eq!(lines.next().unwrap(), Some((3, &b"b"[..])));
            assert_eq!(lines.next().unwrap(), None);
        }
    }
}
