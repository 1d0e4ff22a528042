//! Reads files that a user names. They may be pipes, and must end: a device such as
//! `/dev/zero` never does.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// Longest document that is read as a whole, in bytes: the result of a run of a week, with a
/// row for each second, is a tenth as long.
pub const MAX_DOCUMENT: u64 = 1 << 30;

/// Longest line that is read, in bytes: a pod of a trace with a thousand containers takes a
/// tenth of it.
pub const MAX_LINE: u64 = 16 << 20;

/// Opens a file or a pipe.
///
/// # Errors
/// Errors of the file system, and `InvalidInput` for a device or a directory.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        return Err(refused("it is a device, and not a file"));
    }
    if kind.is_dir() {
        return Err(refused("it is a directory, and not a file"));
    }
    Ok(file)
}

/// Reads a text of at most `limit` bytes.
///
/// # Errors
/// As [`open`], `InvalidInput` for a longer text, and `InvalidData` for bytes that are not
/// UTF-8.
pub fn read_to_string(path: &Path, limit: u64) -> io::Result<String> {
    let file = open(path)?;
    if file.metadata()?.len() > limit {
        return Err(longer(limit));
    }
    let mut text = String::new();
    file.take(limit.saturating_add(1))
        .read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(longer(limit));
    }
    Ok(text)
}

/// Reads the next line, without its end; `None` after the last one.
///
/// # Errors
/// As [`read_to_string`].
pub fn line(input: &mut impl BufRead, limit: u64) -> io::Result<Option<String>> {
    let mut text = String::new();
    let read = input.take(limit.saturating_add(1)).read_line(&mut text)?;
    if read == 0 {
        return Ok(None);
    }
    if read as u64 > limit {
        return Err(refused(format!("it has a line of more than {limit} bytes")));
    }
    if text.ends_with('\n') {
        text.pop();
    }
    Ok(Some(text))
}

fn longer(limit: u64) -> io::Error {
    refused(format!("it has more than {limit} bytes"))
}

fn refused(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason.into())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_text_within_the_limit_is_read_from_a_file_or_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!(read_to_string(&path, 5).unwrap(), "12345");
        let error = read_to_string(&path, 4).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 4 bytes");

        let (reader, mut writer) = io::pipe().unwrap();
        io::Write::write_all(&mut writer, b"from a pipe").unwrap();
        drop(writer);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
        let piped = Path::new("/proc/self/fd").join(fd.to_string());
        assert_eq!(read_to_string(&piped, 100).unwrap(), "from a pipe");
    }

    #[test]
    fn devices_and_directories_are_refused() {
        for (path, word) in [("/dev/zero", "device"), ("/", "directory")] {
            let error = read_to_string(Path::new(path), 100).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn lines_are_bounded() {
        let mut input = Cursor::new("one\n\ntwo");
        let mut next = || line(&mut input, 4).unwrap();
        let read = [next(), next(), next(), next()];
        let right = [Some("one"), Some(""), Some("two"), None];
        assert_eq!(read, right.map(|text| text.map(str::to_owned)));
        let error = line(&mut Cursor::new("12345"), 4).unwrap_err();
        assert_eq!(error.to_string(), "it has a line of more than 4 bytes");
    }
}
