//! Addresses of Unix sockets, as users write them.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Longest path of a Unix socket, in bytes: `sun_path` of unix(7) has room for 108, of which the
/// last is zero.
pub const MAX_SOCKET_PATH: usize = 107;

/// Path of a Unix socket, written `unix:///path`, `unix:/path` or as a plain path.
///
/// ```
/// use containerd_sandbox::SocketPath;
///
/// let socket: SocketPath = "unix:///run/example.sock".parse()?;
/// assert_eq!(socket.to_string(), "/run/example.sock");
/// assert!("tcp://localhost:1".parse::<SocketPath>().is_err());
/// # Ok::<(), containerd_sandbox::SocketPathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketPath(PathBuf);

/// Reason for which a text is no address of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SocketPathError {
    /// There is no path.
    #[error("an empty path")]
    Empty,
    /// The address is one of another kind of socket.
    #[error("only Unix sockets are supported: unix:///PATH or PATH")]
    Scheme,
    /// No Unix socket can have so long a path.
    #[error(
        "the socket's path {} has {length} bytes, and Linux allows {MAX_SOCKET_PATH}: use a \
         shorter path, such as one through a symbolic link to the directory",
        path.display()
    )]
    TooLong {
        /// Path of the socket.
        path: PathBuf,
        /// Length of the path, in bytes.
        length: usize,
    },
}

impl SocketPath {
    /// Checks the length of a path.
    ///
    /// # Errors
    /// An empty path, or one that is longer than [`MAX_SOCKET_PATH`].
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, SocketPathError> {
        let path = path.into();
        match path.as_os_str().len() {
            0 => Err(SocketPathError::Empty),
            length if length > MAX_SOCKET_PATH => Err(SocketPathError::TooLong { path, length }),
            _ => Ok(Self(path)),
        }
    }

    /// Parses an address, whose path need not be UTF-8.
    ///
    /// # Errors
    /// An address of another kind, and as [`SocketPath::new`].
    pub fn parse(text: &OsStr) -> Result<Self, SocketPathError> {
        let bytes = text.as_bytes();
        let path = ["unix://", "unix:"]
            .into_iter()
            .find_map(|scheme| bytes.strip_prefix(scheme.as_bytes()))
            .unwrap_or(bytes);
        if path.windows(3).any(|part| part == b"://") {
            return Err(SocketPathError::Scheme);
        }
        Self::new(OsStr::from_bytes(path))
    }

    /// Returns the absolute path, for a peer with another working directory.
    ///
    /// # Errors
    /// A working directory that cannot be found, and an absolute path that is too long.
    pub fn absolute(&self) -> io::Result<Self> {
        Ok(Self::new(std::path::absolute(&self.0)?)?)
    }
}

impl FromStr for SocketPath {
    type Err = SocketPathError;

    fn from_str(text: &str) -> Result<Self, SocketPathError> {
        Self::parse(text.as_ref())
    }
}

impl AsRef<Path> for SocketPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl From<SocketPath> for PathBuf {
    fn from(socket: SocketPath) -> Self {
        socket.0
    }
}

impl fmt::Display for SocketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl From<SocketPathError> for io::Error {
    fn from(error: SocketPathError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Result<PathBuf, SocketPathError> {
        text.parse::<SocketPath>().map(PathBuf::from)
    }

    #[test]
    fn a_socket_is_named_by_url_or_path() {
        for text in ["unix:///run/a.sock", "unix:/run/a.sock", "/run/a.sock"] {
            assert_eq!(path(text), Ok("/run/a.sock".into()));
        }
        assert_eq!(path("a.sock"), Ok("a.sock".into()));
        let foreign = OsStr::from_bytes(b"unix:///run/\xff.sock");
        let parsed = SocketPath::parse(foreign).map(PathBuf::from);
        assert_eq!(parsed, Ok(OsStr::from_bytes(b"/run/\xff.sock").into()));
    }

    #[test]
    fn anything_but_a_unix_socket_is_refused() {
        for text in ["", "unix:", "unix://"] {
            assert_eq!(path(text), Err(SocketPathError::Empty), "{text}");
        }
        for text in ["tcp://localhost:1", "http://x", "unix://unix:///x"] {
            assert_eq!(path(text), Err(SocketPathError::Scheme), "{text}");
        }
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_refused_with_its_length_and_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let room = MAX_SOCKET_PATH - dir.path().as_os_str().len() - 1;
        let longest = dir.path().join("s".repeat(room));
        std::os::unix::net::UnixListener::bind(&longest).unwrap();
        assert!(SocketPath::new(&longest).is_ok());

        let longer = dir.path().join("s".repeat(room + 1));
        assert!(std::os::unix::net::UnixListener::bind(&longer).is_err());
        let error = SocketPath::new(&longer).unwrap_err().to_string();
        for words in [
            longer.to_str().unwrap(),
            "108 bytes",
            "107",
            "a shorter path",
        ] {
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn the_length_of_the_absolute_path_counts() {
        let relative = SocketPath::new("s".repeat(100)).unwrap();
        assert!(relative.absolute().is_err());
        assert!(SocketPath::new("/s").unwrap().absolute().is_ok());
    }
}
