//! Accepts connections and passes each to the server of its protocol.
//!
//! The first bytes of a connection tell its protocol: HTTP/2, and so gRPC, opens with
//! `PRI * HTTP/2.0` (RFC 9113, section 3.4); a ttrpc frame opens with its length, whose first
//! byte is zero for frames of less than 16 MiB.

use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::connection::Connection;
use super::frame::Guarded;
use super::limits::{Limit, Limits};
use super::refusal::Refused;

/// Time between a failure to accept a connection and the next attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Least time between two warnings of one kind in the log.
const WARNING_PAUSE: Duration = Duration::from_secs(10);

/// Connections above the limit that are kept open to answer their requests with
/// `ResourceExhausted`. Connections beyond them are closed at once.
const MAX_REFUSED: usize = 256;

/// The first line of an HTTP/2 connection.
const HTTP2: &[u8] = b"PRI * HTTP/2.0";

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Grpc,
    Ttrpc,
    Unknown,
}

impl Protocol {
    /// Returns the protocol of a connection that opens with these bytes, complete or not.
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

/// Accepts connections for ever. Sends each to `grpc` or `ttrpc`, or closes it.
pub(super) async fn accept(
    listener: UnixListener,
    limits: Limits,
    grpc: mpsc::Sender<Connection>,
    ttrpc: mpsc::Sender<Guarded<Connection>>,
) {
    let (mut failures, mut refusals) = (Warnings::default(), Warnings::default());
    let refused = Limit::new(MAX_REFUSED, "refused connections");
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                // Mostly for want of descriptors. Callers stay in the backlog until some are free.
                failures.warn(format_args!("cannot accept connections: {e}"));
                tokio::time::sleep(RETRY_PAUSE).await;
                continue;
            }
        };
        if let Err(e) = limits.users.check_peer(&stream) {
            refusals.warn(format_args!("refused a connection: {e}"));
            continue;
        }
        let (permit, reason) = match limits.connections.acquire() {
            Ok(permit) => (permit, Refused::default()),
            Err(reason) => {
                refusals.warn(format_args!("refused a connection: {reason}"));
                let Ok(permit) = refused.acquire() else {
                    continue;
                };
                (permit, Refused(Some(reason.to_string().into())))
            }
        };
        match Connection::new(stream, reason, permit) {
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

/// Logs warnings of one kind, at most one in [`WARNING_PAUSE`].
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

/// Waits for the first bytes of a connection and sends it to the server of its protocol.
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
}
