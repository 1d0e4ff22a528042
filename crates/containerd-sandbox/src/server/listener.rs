//! One Unix socket for every door.
//!
//! A connection's first bytes tell its protocol: HTTP/2, and so gRPC, opens
//! with `PRI * HTTP/2.0` (RFC 9113, section 3.4); a ttrpc frame opens with its
//! length, whose first byte is zero up to 16 MiB.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use containerd_shim_protos::sandbox_async::create_sandbox;
use containerd_shim_protos::shim_async::{Task, create_task};
use rustix::fs::Mode;
use rustix::net;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tonic::service::Routes;
use tracing::{debug, warn};

use super::connection::Connection;
use super::controller::ControllerServer;
use super::frame::Guarded;
use super::limits::{Counted, Limits};
use super::refusal::{self, Refused, Refusing};
use super::{DoorCalls, Service};
use crate::api::Sandboxer;

/// The longest message taken or sent over gRPC, in bytes: containerd's own limit.
pub const MAX_GRPC_MESSAGE: usize = 16 << 20;

/// Connections that wait to be accepted; the kernel caps it (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// Binds a Unix socket that only this user can connect to (mode 0600). A stale
/// socket file, one whose listener is gone, is replaced.
///
/// # Errors
/// `AddrInUse` if somebody listens on it, `AlreadyExists` if the path is
/// something else than such a socket, and whatever the kernel says.
pub async fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the path exists and is no socket",
            ));
        }
        Ok(_) => match UnixStream::connect(path).await {
            // Its backlog may be full: somebody is there all the same.
            Ok(_) => return Err(in_use()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(in_use()),
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        },
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let socket = net::socket_with(
        net::AddressFamily::UNIX,
        net::SocketType::STREAM,
        net::SocketFlags::CLOEXEC | net::SocketFlags::NONBLOCK,
        None,
    )?;
    net::bind(&socket, &net::SocketAddrUnix::new(path)?)?;
    // Before anybody could connect: nobody can until it listens.
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

/// How soon accepting is tried again after a failure, and how often failures and refusals are
/// logged.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const WARNING_PAUSE: Duration = Duration::from_secs(10);

/// How an HTTP/2 connection opens: its first line.
const HTTP2: &[u8] = b"PRI * HTTP/2.0";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Ttrpc,
    Unknown,
}

impl Protocol {
    /// The protocol of a connection that opens with these bytes; there may be
    /// more to come.
    pub(super) fn of(opening: &[u8]) -> Self {
        if HTTP2.starts_with(&opening[..opening.len().min(HTTP2.len())]) {
            Self::Grpc
        } else if opening.first() == Some(&0) {
            Self::Ttrpc
        } else {
            Self::Unknown
        }
    }
}

/// Serves `sandboxer` on `listener` through every door until `stop` is done.
/// `address` is what containerd is told to dial for tasks, such as
/// `ttrpc+unix:///run/resource-slot-sandboxer.sock`. `others` are gRPC services of
/// the caller's own, for the same socket; `calls` counts the RPCs of the rest.
///
/// # Errors
/// If the gRPC or ttrpc server cannot be started.
pub async fn serve<S: Sandboxer>(
    listener: UnixListener,
    sandboxer: Arc<S>,
    address: &str,
    others: Routes,
    calls: DoorCalls,
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let service = Service::new(sandboxer, address, calls, limits.in_flight.clone());
    let (grpc, grpc_connections) = mpsc::channel(64);
    let (ttrpc, ttrpc_connections) = mpsc::channel(64);

    // hyper's default cap is 200 streams, and every running pod holds one.
    let grpc_server = tonic::transport::Server::builder()
        .max_concurrent_streams(None)
        .layer(tower_layer::layer_fn(Refusing))
        .add_routes(others)
        .add_service(
            ControllerServer::new(service.clone())
                .max_decoding_message_size(limits.message)
                .max_encoding_message_size(MAX_GRPC_MESSAGE),
        )
        .serve_with_incoming(stream(grpc_connections));
    let mut ttrpc_server = ttrpc::asynchronous::Server::new()
        .add_listener(ttrpc::asynchronous::transport::Listener::new(stream(
            ttrpc_connections,
        )))
        .register_service(refusal::service())
        .register_service(create_sandbox(Arc::new(service.clone())))
        .register_service(task_services(service));
    ttrpc_server.start().await.map_err(io::Error::other)?;

    tokio::select! {
        () = accept(listener, limits, grpc, ttrpc) => Ok(()),
        served = grpc_server => served.map_err(io::Error::other),
        () = stop => Ok(()),
    }
}

/// The task service under its present name and under the one that containerd
/// 1.x calls: the messages are the same.
fn task_services<S: Sandboxer>(
    service: Service<S>,
) -> std::collections::HashMap<String, ttrpc::asynchronous::Service> {
    let task: Arc<dyn Task + Send + Sync> = Arc::new(service);
    let mut services = create_task(Arc::clone(&task));
    services.extend(
        create_task(task)
            .into_values()
            .map(|service| ("containerd.task.v2.Task".to_owned(), service)),
    );
    services
}

fn stream<T>(mut receiver: mpsc::Receiver<T>) -> impl futures::Stream<Item = io::Result<T>> + Send
where
    T: Send + 'static,
{
    futures::stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|item| item.map(Ok)))
}

/// So many connections beyond those that there may be are told so, and take no room of
/// theirs; others are closed at once.
const TOLD: usize = 256;

async fn accept(
    listener: UnixListener,
    limits: Limits,
    grpc: mpsc::Sender<Connection>,
    ttrpc: mpsc::Sender<Guarded<Connection>>,
) {
    let (mut failures, mut refusals) = (Warnings::default(), Warnings::default());
    let told = Counted::new(TOLD);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                // Out of descriptors, most likely: the backlog holds callers until some are free.
                failures.warn(format_args!("cannot accept connections: {e}"));
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if let Err(e) = limits.admit(&stream) {
            refusals.warn(format_args!("refused a connection: {e}"));
            continue;
        }
        let served = limits.connections.one("connections", "--max-connections");
        let (one, refused) = match served {
            Ok(one) => (one, Refused::default()),
            Err(reason) => {
                refusals.warn(format_args!("refused a connection: {reason}"));
                let Ok(one) = told.one("connections that are told so", "--max-connections") else {
                    continue;
                };
                (one, Refused(Some(reason.to_string().into())))
            }
        };
        match Connection::new(stream, refused, one) {
            Ok(connection) => {
                tokio::spawn(route(
                    connection,
                    limits.message,
                    grpc.clone(),
                    ttrpc.clone(),
                ));
            }
            Err(e) => failures.warn(format_args!("cannot accept connections: {e}")),
        }
    }
}

/// Warnings that could come often: only now and then one is logged.
#[derive(Debug, Default)]
struct Warnings(Option<Instant>);

impl Warnings {
    fn warn(&mut self, warning: std::fmt::Arguments<'_>) {
        if self.0.is_none_or(|at| at.elapsed() > WARNING_PAUSE) {
            warn!("{warning}");
            self.0 = Some(Instant::now());
        }
    }
}

async fn route(
    mut connection: Connection,
    max_message: usize,
    grpc: mpsc::Sender<Connection>,
    ttrpc: mpsc::Sender<Guarded<Connection>>,
) {
    match connection.opening().await {
        Ok([]) => debug!("a connection was closed before it said anything"),
        Ok(opening) => match Protocol::of(opening) {
            Protocol::Grpc => drop(grpc.send(connection).await),
            Protocol::Ttrpc => {
                let refused = connection.refused();
                let guarded = Guarded::new(connection, max_message, refused);
                drop(ttrpc.send(guarded).await);
            }
            Protocol::Unknown => warn!(
                "closed a connection: \"{}\" opens neither gRPC (HTTP/2) nor ttrpc",
                opening[..opening.len().min(HTTP2.len())].escape_ascii()
            ),
        },
        Err(e) => debug!("a connection failed before it said anything: {e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_bytes_tell_the_protocol() {
        assert_eq!(Protocol::of(b"PRI * HTTP/2.0"), Protocol::Grpc);
        assert_eq!(Protocol::of(b"PR"), Protocol::Grpc);
        assert_eq!(
            Protocol::of(&[0, 0, 0, 7, 0, 0, 0, 1, 1, 0]),
            Protocol::Ttrpc
        );
        for other in [&b"POST / HTTP/1."[..], b"GET", b"PRI * HTTP/3.0", &[0xff]] {
            assert_eq!(Protocol::of(other), Protocol::Unknown);
        }
    }

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
}
