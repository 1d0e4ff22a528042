//! The socket of a server, and the process behind it.

use std::path::Path;
use std::time::Duration;

use containerd_sandbox::client::Cri;
use containerd_sandbox::{Code, Error, Result};
use cri_api::v1::VersionRequest;
use tokio::net::UnixStream;

use crate::connection::{Connection, ControllerConnection, TtrpcConnection};
use crate::drive::driver::DriverKind;
use crate::result::software::CriVersion;
use crate::stop::Stop;

/// Process behind an endpoint, and the runtime that it says to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Process id; `None` if the process is not visible from this pid namespace.
    pub pid: Option<u32>,
    /// Version of the runtime; `None` for a server that was not called over CRI.
    pub cri: Option<CriVersion>,
}

/// Connects and makes a call that changes nothing.
///
/// # Errors
/// `Unavailable` or `DeadlineExceeded` with the path of the socket; `Cancelled` for a
/// requested stop.
pub fn probe(
    kind: DriverKind,
    socket: &Path,
    namespace: &str,
    limit: Duration,
    stop: &Stop,
) -> Result<Peer> {
    wait_on(stop, async {
        let mut version = None;
        match kind {
            DriverKind::Ttrpc => ask::<TtrpcConnection>(socket, namespace, limit).await?,
            DriverKind::Controller => ask::<ControllerConnection>(socket, namespace, limit).await?,
            DriverKind::Cri => {
                let cri = Cri::connect(socket).await?.with_timeout(limit);
                let told = cri.version(VersionRequest::default()).await?;
                version = Some(CriVersion {
                    runtime: told.runtime_name,
                    version: told.runtime_version,
                    api: told.runtime_api_version,
                });
            }
        }
        Ok(Peer {
            pid: peer(socket).await?,
            cri: version,
        })
    })
}

/// Runs a future on an async runtime of its own until it is done or a stop is requested.
///
/// # Errors
/// Errors of the future; `Cancelled` for a requested stop.
pub(crate) fn wait_on<T>(stop: &Stop, doing: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::unavailable(format!("start a runtime: {e}")))?;
    runtime.block_on(async {
        tokio::select! {
            done = doing => done,
            () = stop.request_made() => Err(Error::new(Code::Cancelled, "interrupted")),
        }
    })
}

async fn ask<T: Connection>(socket: &Path, namespace: &str, limit: Duration) -> Result<()> {
    T::connect(socket, namespace, limit).await?.probe().await
}

async fn peer(socket: &Path) -> Result<Option<u32>> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|e| Error::unavailable(format!("connect {}: {e}", socket.display())))?;
    let pid = stream.peer_cred().ok().and_then(|peer| peer.pid());
    let pid = pid.and_then(|pid| u32::try_from(pid).ok());
    // 0 means a process in another pid namespace.
    Ok(pid.filter(|pid| *pid != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    #[test]
    fn a_socket_that_is_not_there_is_unavailable() {
        let socket = Path::new("/no/such.sock");
        for kind in [DriverKind::Ttrpc, DriverKind::Controller, DriverKind::Cri] {
            let second = Duration::from_secs(1);
            let error = probe(kind, socket, "k8s.io", second, &Stop::new()).unwrap_err();
            assert_eq!(error.code(), Code::Unavailable, "{kind}");
            assert!(error.to_string().contains("/no/such.sock"), "{kind}");
        }
    }
}
