//! The socket of the daemon: its own, or one that the service manager has bound.

use std::fmt::Display;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;

use anyhow::{Context, Result};
use containerd_sandbox::SocketPath;
use containerd_sandbox::server::{self, AllowedUsers, SocketFile};
use tokio::net::UnixListener;
use tracing::warn;

/// Mode of a socket that any user may connect to.
const OPEN: u32 = 0o666;

/// A socket that is not bound yet, or was bound by the service manager.
#[derive(Debug)]
pub(crate) enum Socket {
    /// Path of the socket to bind.
    Own(SocketPath),
    /// Listening socket of the service manager.
    Inherited(StdListener),
}

/// A socket that accepts connections.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: UnixListener,
    path: String,
    file: OwnedFile,
}

/// The socket file, if it belongs to this process.
#[derive(Debug)]
pub(crate) struct OwnedFile(Option<SocketFile>);

impl Socket {
    /// Chooses the inherited socket if there is one, else the path, which must be free.
    pub(crate) async fn choose(
        listen: &SocketPath,
        inherited: Option<StdListener>,
    ) -> Result<Self> {
        let own = listen
            .absolute()
            .with_context(|| format!("listen on {listen}"))?;
        let Some(listener) = inherited else {
            let free = server::check_free(own.as_ref()).await;
            free.with_context(|| listen_on(&own))?;
            return Ok(Self::Own(own));
        };
        let address = listener.local_addr().context("the inherited socket")?;
        if let Some(path) = address.as_pathname()
            && path != AsRef::<Path>::as_ref(&own)
        {
            warn!(
                "the service manager listens on {}, so --listen {own} has no effect",
                path.display()
            );
        }
        Ok(Self::Inherited(listener))
    }

    /// Makes the socket accept connections. Its own file is open to every user if `users`
    /// admits further ones, because the server checks each connection's user when it is
    /// accepted. The mode of an inherited one is the service manager's.
    pub(crate) async fn bind(self, users: &AllowedUsers) -> Result<Bound> {
        let own = match self {
            Self::Own(own) => own,
            Self::Inherited(listener) => {
                let address = listener.local_addr().context("the inherited socket")?;
                let path = address.as_pathname().unwrap_or(Path::new(""));
                return Ok(Bound {
                    path: format!("{} (of the service manager)", path.display()),
                    listener: UnixListener::from_std(listener).context("the inherited socket")?,
                    file: OwnedFile(None),
                });
            }
        };
        let path: &Path = own.as_ref();
        let listener = server::bind(path).await.with_context(|| listen_on(&own))?;
        let file = OwnedFile(Some(SocketFile::of(path).with_context(|| listen_on(&own))?));
        if !users.is_default()
            && let Err(e) = std::fs::set_permissions(path, Permissions::from_mode(OPEN))
        {
            file.remove();
            return Err(e).with_context(|| format!("open {own} to --allow-uid"));
        }
        Ok(Bound {
            listener,
            path: own.to_string(),
            file,
        })
    }
}

impl Bound {
    /// Returns the path for messages.
    pub(crate) fn path(&self) -> impl Display {
        &self.path
    }

    /// Returns the listener, and the file to remove at the end.
    pub(crate) fn into_parts(self) -> (UnixListener, OwnedFile) {
        (self.listener, self.file)
    }
}

impl OwnedFile {
    /// Removes the file, unless it belongs to the service manager or to a successor. A failure
    /// is logged.
    pub(crate) fn remove(self) {
        let Some(file) = self.0 else { return };
        match file.remove() {
            Ok(true) => {}
            Ok(false) => warn!("the socket file is gone, or of another process: it is left alone"),
            Err(e) => warn!("cannot remove the socket file: {e}"),
        }
    }
}

fn listen_on(path: &SocketPath) -> String {
    format!("listen on {path}")
}
