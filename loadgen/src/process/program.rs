//! The file that a process runs.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

/// Returns the path of the file that a process runs; `None` if the process may not be inspected
/// (`/proc/PID/exe` in proc(5)).
pub fn path(pid: u32) -> Option<PathBuf> {
    fs::read_link(exe(pid)).ok()
}

/// Returns the SHA-256 of the file that a process runs, in hexadecimal, also if another file has
/// taken its path; `None` if the process may not be inspected.
pub fn hash(pid: u32) -> Option<String> {
    sha256(Path::new(&exe(pid))).ok()
}

/// Returns the SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// A file that cannot be read.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut file = BufReader::with_capacity(CHUNK, File::open(path)?);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        digest.update(bytes);
        let length = bytes.len();
        file.consume(length);
    }
    Ok(hexadecimal(digest))
}

/// Returns the SHA-256 of some bytes, in hexadecimal.
pub fn sha256_of(bytes: &[u8]) -> String {
    hexadecimal(Sha256::new_with_prefix(bytes))
}

fn hexadecimal(digest: Sha256) -> String {
    let digest = digest.finalize();
    digest.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn exe(pid: u32) -> String {
    format!("/proc/{pid}/exe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_runs_a_file_with_a_hash() {
        let pid = std::process::id();
        let path = path(pid).unwrap();
        assert_eq!(path, std::env::current_exe().unwrap());
        assert_eq!(hash(pid), sha256(&path).ok());
        assert_eq!(hash(u32::MAX), None);
    }

    #[test]
    fn the_hash_is_that_of_sha256sum() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "abc").unwrap();
        // The first example of FIPS 180-2, appendix B.
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(file.path()).unwrap(), known);
        assert_eq!(sha256_of(b"abc"), known);
    }
}
