//! Log files of containers in CRI's format: a line is `time stream P|F text`.
//!
//! A file is created when its container starts, and holds the output of the container's
//! command and its simulated lines. No descriptor stays open: each write opens the file by
//! [`open`], so a rotated file is found again by itself.
//!
//! Nothing outside the pod's log directory is reachable: below the directory no link is
//! followed, and nothing but a regular file is written. The directory itself is chosen by
//! kubelet, and may lie anywhere unless a [`LogRoot`] restricts it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Component, Path};

use containerd_sandbox::{Error, Result, quoted};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::log_root::{LogRoot, MAX_PATH_LEN, names, step_into};
use slot::Timestamp;

/// Mode of a log file, the same as containerd's.
const FILE_MODE: Mode = Mode::from_raw_mode(0o640);
/// Error of a device, a FIFO, a socket or a link in the place of a log file.
const NOT_A_FILE: Errno = Errno::NXIO;

/// Longest text of one line of the file in bytes, the same as containerd's: a longer text
/// becomes several lines, all but the last marked as partial.
const MAX_TEXT: usize = 16 << 10;

/// Appends output of a container as lines of its log. `ended` says whether a last piece
/// without a newline is a whole line.
pub(crate) fn add(log: &mut Vec<u8>, at: Timestamp, stream: &str, text: &[u8], ended: bool) {
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let (line, is_whole) = match line.strip_suffix(b"\n") {
            Some(line) => (line, true),
            None => (line, ended),
        };
        let mut pieces = line.chunks(MAX_TEXT).peekable();
        // An empty line is a line, too.
        let mut next = Some(pieces.next().unwrap_or_default());
        while let Some(piece) = next {
            next = pieces.next();
            let tag = if next.is_none() && is_whole { "F" } else { "P" };
            log.extend_from_slice(format!("{at} {stream} {tag} ").as_bytes());
            log.extend_from_slice(piece);
            log.push(b'\n');
        }
    }
}

/// Checks a log path.
///
/// # Errors
/// `InvalidArgument` for a path that leads out of the log directory.
pub(crate) fn check_path(path: &str) -> Result<()> {
    let leads_down = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let last = path.rsplit('/').next().unwrap_or(path);
    let names_a_file = path.is_empty() || !matches!(last, "" | ".");
    if !leads_down || !names_a_file || path.contains('\0') || path.len() > MAX_PATH_LEN {
        return Err(Error::invalid_argument(format!(
            "config.log_path {}: the relative path of a file, without \"..\" and of at most \
             {MAX_PATH_LEN} bytes, is needed",
            quoted(path)
        )));
    }
    Ok(())
}

/// Returns the whole path of a container's log; empty for a container without one.
pub(crate) fn shown(directory: &str, path: &str) -> String {
    if directory.is_empty() || path.is_empty() {
        return String::new();
    }
    Path::new(directory).join(path).display().to_string()
}

/// Opens a container's log for appending, and creates it and the directories that are
/// missing. Returns `None` for a container without a log.
///
/// # Errors
/// `InvalidArgument` if a part of the path is a link or of the wrong type, or lies outside of
/// the root; `ResourceExhausted` and `Unavailable` if the file system fails.
pub(crate) fn open(root: &LogRoot, directory: &str, path: &str) -> Result<Option<File>> {
    if directory.is_empty() || path.is_empty() {
        return Ok(None);
    }
    check_path(path)?;
    let opened = open_below(root, directory, path, OFlags::WRONLY);
    opened.map(Some).map_err(|e| failed(directory, path, e))
}

/// Appends lines to a container's log, after the end of a line that a crash or a full disk has
/// cut off. Does nothing for a container without a log.
///
/// # Errors
/// As [`open`].
pub(crate) fn append(root: &LogRoot, directory: &str, path: &str, lines: &[u8]) -> Result<()> {
    if directory.is_empty() || path.is_empty() {
        return Ok(());
    }
    check_path(path)?;
    append_below(root, directory, path, lines).map_err(|e| failed(directory, path, e))
}

fn append_below(root: &LogRoot, directory: &str, path: &str, lines: &[u8]) -> Result<(), Errno> {
    let mut file = open_below(root, directory, path, OFlags::RDWR)?;
    let length = length(&file)?;
    let mut last = [b'\n'];
    if let Some(at) = length.checked_sub(1) {
        rustix::io::pread(&file, &mut last, at)?;
    }
    let written = if last == [b'\n'] {
        file.write_all(lines)
    } else {
        file.write_all(&[b"\n", lines].concat())
    };
    written.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
}

/// Returns the length of a file in bytes.
fn length(file: &File) -> Result<u64, Errno> {
    u64::try_from(rustix::fs::fstat(file)?.st_size).map_err(|_| Errno::IO)
}

/// Most bytes at the end of a log that are searched for the last line of a kind.
const SEARCHED_BYTES: u64 = 64 << 10;

/// Returns what `wanted` finds in the last line of a container's log in whose text it finds
/// something; `None` if there is no such line near the end, or the log cannot be read.
pub(crate) fn last<T>(
    root: &LogRoot,
    directory: &str,
    path: &str,
    wanted: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    check_path(path).ok()?;
    let file = open_below(root, directory, path, OFlags::RDWR).ok()?;
    let start = length(&file).ok()?.saturating_sub(SEARCHED_BYTES);
    let mut bytes = Vec::new();
    let mut part = vec![0; 16 << 10];
    loop {
        let at = start + u64::try_from(bytes.len()).ok()?;
        match rustix::io::pread(&file, &mut part, at).ok()? {
            0 => break,
            read => bytes.extend_from_slice(&part[..read]),
        }
    }
    // A line that is cut off does not count.
    let whole = bytes.rsplitn(2, |byte| *byte == b'\n').nth(1)?;
    let mut lines = whole.rsplit(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let line = std::str::from_utf8(line).ok()?;
        let (_, text) = line.split_once(" F ")?;
        wanted(text)
    })
}

fn failed(directory: &str, path: &str, error: Errno) -> Error {
    let message = format!("log {}: {error}", quoted(&shown(directory, path)));
    match error {
        Errno::NOSPC | Errno::DQUOT | Errno::MFILE | Errno::NFILE => {
            Error::resource_exhausted(message)
        }
        Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO | Errno::NAMETOOLONG => {
            Error::invalid_argument(format!(
                "{message}; directories and a regular file, and no links, are needed there"
            ))
        }
        Errno::XDEV => Error::invalid_argument(format!(
            "log {}: it lies outside of the directory for logs, see --log-root",
            quoted(&shown(directory, path))
        )),
        _ => Error::unavailable(message),
    }
}

fn open_below(root: &LogRoot, directory: &str, path: &str, access: OFlags) -> Result<File, Errno> {
    let mut dir = root.open(directory)?;
    let mut parts = names(Path::new(path)).peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return open_file(&dir, part, access);
        }
        dir = step_into(&dir, part)?;
    }
    Err(Errno::ISDIR)
}

/// Opens a regular file for appending, and creates it if it is missing.
fn open_file(dir: impl AsFd, name: &OsStr, access: OFlags) -> Result<File, Errno> {
    let is_regular = |mode| FileType::from_raw_mode(mode) == FileType::RegularFile;
    // To open a device may have effects, so the type is read before. It is read again after
    // the file is open, because another process may have replaced the file.
    match rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) if !is_regular(found.st_mode) => return Err(NOT_A_FILE),
        Ok(_) | Err(Errno::NOENT) => {}
        Err(e) => return Err(e),
    }
    // To open a FIFO without a reader must not block.
    let flags = access
        | OFlags::CREATE
        | OFlags::APPEND
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&dir, name, flags, FILE_MODE)?;
    if is_regular(rustix::fs::fstat(&file)?.st_mode) {
        Ok(File::from(file))
    } else {
        Err(NOT_A_FILE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;
    use proptest::prelude::*;
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn added(text: &str, ended: bool) -> String {
        let mut log = Vec::new();
        add(
            &mut log,
            Timestamp::default(),
            "stdout",
            text.as_bytes(),
            ended,
        );
        let time = "1970-01-01T00:00:00.000000000Z stdout ";
        String::from_utf8(log).unwrap().replace(time, "")
    }

    #[test]
    fn a_line_is_marked_as_whole_or_as_a_part_of_one() {
        assert_eq!(added("a\n\nb\n", false), "F a\nF \nF b\n");
        assert_eq!(added("a\nb", false), "F a\nP b\n");
        assert_eq!(added("b", true), "F b\n");
        assert_eq!(added("", true), "");
        let long = "x".repeat(MAX_TEXT);
        assert_eq!(
            added(&format!("{long}y\n"), false),
            format!("P {long}\nF y\n")
        );
        assert_eq!(added(&format!("{long}\n"), false), format!("F {long}\n"));
    }

    #[test]
    fn a_line_that_was_cut_off_is_ended_before_the_next() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().to_str().unwrap();
        let file = root.path().join("app/0.log");
        append(
            &LogRoot::default(),
            directory,
            "app/0.log",
            b"t stdout F a\n",
        )
        .unwrap();
        append(
            &LogRoot::default(),
            directory,
            "app/0.log",
            b"t stdout F b\nt stdo",
        )
        .unwrap();
        append(
            &LogRoot::default(),
            directory,
            "app/0.log",
            b"t stdout F c\n",
        )
        .unwrap();
        append(&LogRoot::default(), directory, "app/0.log", b"").unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, "t stdout F a\nt stdout F b\nt stdo\nt stdout F c\n");
        append(&LogRoot::default(), "", "0.log", b"x").unwrap();
    }

    #[test]
    fn the_last_line_of_a_kind_is_found_near_the_end() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().to_str().unwrap();
        let number = || {
            last(&LogRoot::default(), directory, "0.log", |text| {
                text.parse::<u64>().ok()
            })
        };
        assert_eq!(number(), None);
        append(
            &LogRoot::default(),
            directory,
            "0.log",
            b"t stdout F 7\nt stdout P 8\nt stderr F x\nt stdout F 9",
        )
        .unwrap();
        assert_eq!(number(), Some(7));
        append(&LogRoot::default(), directory, "0.log", b"t stdout F 10\n").unwrap();
        assert_eq!(number(), Some(10));
        append(
            &LogRoot::default(),
            directory,
            "0.log",
            &b"t stdout F x\n".repeat(5000),
        )
        .unwrap();
        assert_eq!(number(), Some(10));
        append(
            &LogRoot::default(),
            directory,
            "0.log",
            &b"t stdout F x\n".repeat(5000),
        )
        .unwrap();
        assert_eq!(number(), None);
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_log_is_made_with_its_directories_and_found_again() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("pods/shop_web_u");
        let directory = directory.to_str().unwrap();
        open(&LogRoot::default(), directory, "app/0.log")
            .unwrap()
            .unwrap();
        let file = Path::new(directory).join("app/0.log");
        assert_eq!(fs::read(&file).unwrap(), b"");
        assert_eq!(mode(Path::new(directory)), 0o755);
        assert_eq!(shown(directory, "app/0.log"), file.display().to_string());
        let mut log = open(&LogRoot::default(), directory, "app/0.log")
            .unwrap()
            .unwrap();
        log.write_all(b"x").unwrap();
        fs::rename(&file, file.with_extension("1")).unwrap();
        open(&LogRoot::default(), directory, "app/0.log")
            .unwrap()
            .unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"");
    }

    #[test]
    fn a_directory_that_is_there_keeps_its_mode() {
        let root = tempfile::tempdir().unwrap();
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(root.path(), private).unwrap();
        open(&LogRoot::default(), root.path().to_str().unwrap(), "0.log")
            .unwrap()
            .unwrap();
        assert_eq!(mode(root.path()), 0o700);
    }

    #[test]
    fn a_container_without_a_log_gets_none() {
        assert!(open(&LogRoot::default(), "", "0.log").unwrap().is_none());
        assert!(
            open(&LogRoot::default(), "/nowhere/at/all", "")
                .unwrap()
                .is_none()
        );
        assert_eq!(shown("/var/log", ""), "");
    }

    #[test]
    fn no_link_below_the_directory_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret");
        fs::write(&secret, "x").unwrap();
        symlink(outside.path(), root.path().join("app")).unwrap();
        symlink(&secret, root.path().join("0.log")).unwrap();
        let directory = root.path().to_str().unwrap();
        for path in [
            "app/0.log",
            "0.log",
            "../x",
            "/etc/x",
            "app/../../x",
            ".",
            "app/",
        ] {
            let error = open(&LogRoot::default(), directory, path).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{path}: {error}");
        }
        assert_eq!(fs::read(&secret).unwrap(), b"x");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_fifo_in_the_logs_place_does_not_block() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("0.log");
        let mode = Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        let directory = root.path().to_str().unwrap();
        // With a reader, too: its lines would be stolen from the log.
        for reader in [None, Some(OFlags::RDONLY | OFlags::NONBLOCK)] {
            let _reader =
                reader.map(|flags| rustix::fs::open(&path, flags, Mode::empty()).unwrap());
            let error = open(&LogRoot::default(), directory, "0.log").unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
        }
    }

    #[test]
    fn a_device_is_no_log() {
        let error = open(&LogRoot::default(), "/dev", "null").unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.to_string().contains("/dev/null"), "{error}");
        let error = append(&LogRoot::default(), "/dev", "null", b"x").unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }

    proptest! {
        #[test]
        fn a_log_lies_in_its_directory_for_any_path(path in "(\\.{0,2}[a-c]{0,2}/?){0,5}") {
            let root = tempfile::tempdir().unwrap();
            let directory = root.path().join("logs");
            let made = open(&LogRoot::default(), directory.to_str().unwrap(), &path);
            let outside = fs::read_dir(root.path()).unwrap().count();
            prop_assert!(outside <= 1);
            if let Ok(Some(_)) = made {
                let file = fs::canonicalize(directory.join(&path)).unwrap();
                prop_assert!(file.starts_with(&directory), "{file:?}");
            }
        }
    }
}
