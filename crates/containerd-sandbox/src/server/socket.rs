//! The file of the Unix socket.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net;
use tokio::net::{UnixListener, UnixStream};

use crate::address::SocketPath;

/// Connections that may wait to be accepted; the kernel caps the number by
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The file of a bound socket.
///
/// Another process may have replaced the file since: it must be able to remove a socket that it
/// believes to be stale, and to bind its own. [`SocketFile::remove`] leaves such a file alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// Device and inode of a file.
type Identity = (u64, u64);

impl SocketFile {
    /// Returns the file that a socket was just bound to.
    ///
    /// # Errors
    /// A file that is missing.
    pub fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(&std::fs::symlink_metadata(path)?),
        })
    }

    /// Removes the file, and returns whether it was still in its place.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn remove(&self) -> io::Result<bool> {
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) if identity(&found) == self.identity => {
                std::fs::remove_file(&self.path).map(|()| true)
            }
            Ok(_) => Ok(false),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }
}

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino())
}

/// Checks that a socket can be bound to a path, and changes nothing. Returns the stale socket
/// file there, on which no process listens.
///
/// # Errors
/// `AddrInUse` if a process listens on the socket, `AlreadyExists` if the path exists and is no
/// socket, `InvalidInput` if it is longer than [`MAX_SOCKET_PATH`](crate::MAX_SOCKET_PATH), and
/// errors of the system calls.
pub async fn check_free(path: &Path) -> io::Result<Option<SocketFile>> {
    SocketPath::new(path)?;
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the path exists and is no socket",
        ));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(in_use()),
        // The backlog of the process that listens may be full.
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Err(in_use()),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => Ok(Some(SocketFile {
            path: path.to_owned(),
            identity: identity(&found),
        })),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// Binds a Unix socket that only the user of this process can connect to (mode 0600). Replaces
/// a stale socket file, on which no process listens.
///
/// # Errors
/// As [`check_free`].
pub async fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(stale) = check_free(path).await? {
        stale.remove()?;
    }
    let socket = net::socket_with(
        net::AddressFamily::UNIX,
        net::SocketType::STREAM,
        net::SocketFlags::CLOEXEC | net::SocketFlags::NONBLOCK,
        None,
    )?;
    net::bind(&socket, &net::SocketAddrUnix::new(path)?)?;
    // No peer can connect before the socket listens.
    rustix::fs::chmod(path, Mode::from_raw_mode(0o600))?;
    net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(socket.into())
}

fn in_use() -> io::Error {
    io::Error::new(
        io::ErrorKind::AddrInUse,
        "another process accepts connections on it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        drop(bind(&path).await.unwrap());
        let listener = bind(&path).await.unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = bind(&path).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
    }

    #[tokio::test]
    async fn a_socket_of_another_kind_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
        assert!(bind(&path).await.is_err());
        assert!(path.exists());
        drop(socket);
    }

    #[tokio::test]
    async fn a_file_in_the_sockets_place_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("precious");
        std::fs::write(&path, "x").unwrap();
        let error = bind(&path).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "x");
    }

    #[tokio::test]
    async fn a_socket_file_is_removed_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.sock");
        let first = bind(&path).await.unwrap();
        let owned = SocketFile::of(&path).unwrap();
        drop(first);
        // Both files exist at once, so that they cannot have the same inode.
        let successor = dir.path().join("t.sock");
        let _second = bind(&successor).await.unwrap();
        std::fs::rename(&successor, &path).unwrap();
        assert!(!owned.remove().unwrap());
        UnixStream::connect(&path).await.unwrap();

        let owned = SocketFile::of(&path).unwrap();
        assert!(owned.remove().unwrap());
        assert!(!path.exists());
        assert!(!owned.remove().unwrap());
    }

    #[tokio::test]
    async fn a_path_that_no_socket_can_have_is_refused_with_the_reason() {
        let path = Path::new("/tmp").join("s".repeat(200));
        let error = bind(&path).await.unwrap_err().to_string();
        assert!(error.contains("205 bytes"), "{error}");
    }
}
