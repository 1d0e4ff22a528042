//! The connections of one listener.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use connection_limit::{Place, Waiting};
use ipnet::IpNet;
use rustix::net::sockopt::{set_ip_freebind, set_ipv6_freebind};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tracing::debug;

use super::answers::PodPort;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;
/// Pause after a connection could not be accepted, as when no descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Listens on an address, which need not be local yet (`IP_FREEBIND` in ip(7)): a route that comes
/// later suffices. A `shared` port may at the same time be bound on the unspecified address and on
/// others.
///
/// # Errors
/// The system's error, such as "address in use".
pub(super) fn listen(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => {
            let socket = TcpSocket::new_v4()?;
            set_ip_freebind(&socket, true)?;
            socket
        }
        SocketAddr::V6(_) => {
            let socket = TcpSocket::new_v6()?;
            set_ipv6_freebind(&socket, true)?;
            socket
        }
    };
    // Connections of a former listener may linger.
    socket.set_reuseaddr(true)?;
    if shared {
        socket.set_reuseport(true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves the connections to a port until the future is dropped, which ends them all. A listener
/// on all addresses of the host closes connections to an address in the ranges of `pods` at once:
/// it stands for no pod with such an address.
pub(super) async fn accept(
    listener: TcpListener,
    port: PodPort,
    waiting: Waiting,
    pods: Vec<IpNet>,
) {
    let is_of_host = listener
        .local_addr()
        .is_ok_and(|own| own.ip().is_unspecified());
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let destination = stream.local_addr().map(|own| own.ip().to_canonical());
                let Ok(destination) = destination else {
                    continue;
                };
                if !(is_of_host && pods.iter().any(|range| range.contains(&destination))) {
                    // A pod's connections take each other's places before those of other pods.
                    let place = waiting.enter(destination);
                    let port = port.clone();
                    connections.spawn(async move { serve(stream, &port, place).await });
                }
            }
            Err(e) => {
                debug!("cannot accept a connection to a pod: {e}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        // The request of a client is read before the next connections can take its place.
        tokio::task::yield_now().await;
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, port: &PodPort, mut place: Place) {
    if let Err(e) = stream.set_nodelay(true) {
        debug!("a connection to a pod keeps its delay: {e}");
    }
    tokio::select! {
        () = port.serve(stream) => {}
        () = place.lost() => debug!("a newer connection took the place of one to a pod"),
    }
}
