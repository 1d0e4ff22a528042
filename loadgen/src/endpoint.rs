//! Where a sandboxer listens, and who that is.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use containerd_sandbox::{Code, Error, Result};
use tokio::net::UnixStream;

use crate::stop::Stop;
use crate::target::{Target, TtrpcTarget};

/// A Unix socket, as `unix:///path`, `unix:/path` or a plain path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(pub PathBuf);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = ["unix://", "unix:"]
            .into_iter()
            .find_map(|scheme| text.strip_prefix(scheme))
            .unwrap_or(text);
        if path.is_empty() {
            Err("an empty path".to_owned())
        } else if path.contains("://") {
            Err("only Unix sockets are supported: unix:///PATH or PATH".to_owned())
        } else {
            Ok(Self(path.into()))
        }
    }
}

/// Who answers at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its process id, if it is one of this machine's that we can see.
    pub pid: Option<u32>,
}

/// Connects and makes a call that changes nothing.
///
/// # Errors
/// `Unavailable` or `DeadlineExceeded`, naming the socket; `Cancelled` if a
/// stop is asked for meanwhile.
pub fn probe(socket: &Path, namespace: &str, limit: Duration, stop: &Stop) -> Result<Peer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::unavailable(format!("start a runtime: {e}")))?;
    runtime.block_on(async {
        tokio::select! {
            peer = peer(socket, namespace, limit) => peer,
            () = stop.request_made() => Err(Error::new(Code::Cancelled, "interrupted")),
        }
    })
}

async fn peer(socket: &Path, namespace: &str, limit: Duration) -> Result<Peer> {
    let target = TtrpcTarget::connect(socket, namespace, limit).await?;
    target.probe().await?;
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|e| Error::unavailable(format!("connect {}: {e}", socket.display())))?;
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
    Ok(Peer {
        // 0 stands for a process of another pid namespace.
        pid: pid
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid != 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    #[test]
    fn a_socket_is_named_by_url_or_path() {
        for text in ["unix:///run/a.sock", "unix:/run/a.sock", "/run/a.sock"] {
            assert_eq!(text.parse(), Ok(Endpoint("/run/a.sock".into())));
        }
        assert_eq!("a.sock".parse(), Ok(Endpoint("a.sock".into())));
    }

    #[test]
    fn anything_but_a_unix_socket_is_refused() {
        for text in ["", "unix:", "unix://", "tcp://localhost:1", "http://x"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_socket_that_is_not_there_is_unavailable() {
        let second = Duration::from_secs(1);
        let error = probe(Path::new("/no/such.sock"), "k8s.io", second, &Stop::new());
        let error = error.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable);
        assert!(error.to_string().contains("/no/such.sock"));
    }
}
