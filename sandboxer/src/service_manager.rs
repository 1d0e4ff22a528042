//! The protocol of a service manager such as systemd: states of the daemon (sd_notify(3)), and
//! a socket that the manager has bound (sd_listen_fds(3)).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};

use anyhow::{Context, Result, bail, ensure};
use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use tracing::warn;

/// Environment variable with the address of the manager's socket.
const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// Environment variable with the id of the process that the manager's sockets are for.
const LISTEN_PID: &str = "LISTEN_PID";

/// State of the daemon.
#[derive(Debug, Clone, Copy)]
pub(crate) enum State {
    /// The socket accepts connections.
    Ready,
    /// The daemon ends.
    Stopping,
}

impl State {
    fn message(self) -> &'static str {
        match self {
            Self::Ready => "READY=1",
            Self::Stopping => "STOPPING=1",
        }
    }
}

/// Tells the manager a state, if there is a manager. A manager that cannot be reached is
/// logged.
pub(crate) fn tell(state: State) {
    let Some(manager) = env::var_os(NOTIFY_SOCKET) else {
        return;
    };
    if let Err(e) = send(&manager, state.message()) {
        warn!(
            "cannot tell the service manager at {} {}: {e}",
            manager.display(),
            state.message()
        );
    }
}

/// Sends a datagram to a socket that is named by a path, or by `@` and its name in the abstract
/// namespace (unix(7)).
fn send(address: &OsStr, message: &str) -> io::Result<()> {
    let address = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(address)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(message.as_bytes(), &address)
        .map(drop)
}

/// Returns the listening socket that the manager has bound for this process, and removes the
/// variables that name it from the environment.
///
/// # Errors
/// If there are several sockets, or one that accepts no connections on a path.
pub(crate) fn inherited_socket() -> Result<Option<UnixListener>> {
    // listenfd also takes sockets that are for no process by name.
    let process = env::var(LISTEN_PID).ok().and_then(|pid| pid.parse().ok());
    if process != Some(std::process::id()) {
        return Ok(None);
    }
    let mut inherited = ListenFd::from_env();
    match inherited.len() {
        0 => return Ok(None),
        1 => {}
        several => bail!("LISTEN_FDS passes {several} sockets, and one is needed"),
    }
    let unusable = "LISTEN_FDS passes no Unix socket that accepts connections on a path";
    let listener = inherited.take_unix_listener(0).context(unusable)?;
    let listener = listener.context(unusable)?;
    ensure!(socket_acceptconn(&listener).context(unusable)?, unusable);
    let address = listener.local_addr().context(unusable)?;
    ensure!(address.as_pathname().is_some(), unusable);
    listener.set_nonblocking(true).context(unusable)?;
    Ok(Some(listener))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_reached_by_path_and_by_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("resource-slot-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let cases = [
            (path.clone().into_os_string(), UnixDatagram::bind(&path)),
            (format!("@{name}").into(), UnixDatagram::bind_addr(&address)),
        ];
        for (named, manager) in cases {
            let manager = manager.unwrap();
            send(&named, State::Ready.message()).unwrap();
            let mut received = [0; 64];
            let length = manager.recv(&mut received).unwrap();
            assert_eq!(&received[..length], b"READY=1");
        }
        assert!(send(OsStr::new("@nobody-listens-here"), "READY=1").is_err());
    }
}
