//! Accepts connections and passes each to the server of its protocol.
//!
//! The first bytes of a connection tell its protocol: HTTP/2, and so gRPC, opens with
//! `PRI * HTTP/2.0` (RFC 9113, section 3.4); a ttrpc frame opens with its length, whose first
//! byte is zero for frames of less than 16 MiB.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tracing::debug;

use super::bounds::{Bounds, Kind, REQUEST_TIME};
use super::connection::{Connection, Counted};
use super::limits::{Limit, Limits};
use super::ttrpc_server::TtrpcServer;
use super::warnings::Warnings;

/// Time between a failure to accept a connection and the next attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Connections above the limit that are kept open to answer their requests with
/// `ResourceExhausted`. Connections beyond them are closed at once.
const MAX_REFUSED: usize = 256;

/// The first line of an HTTP/2 connection.
const HTTP2: &[u8] = b"PRI * HTTP/2.0";
/// Length of all bytes that an HTTP/2 connection opens with (RFC 9113, section 3.4).
const HTTP2_PREFACE: usize = 24;

/// Number of turns that the tasks of closed connections get to end, before a new connection is
/// refused.
const TURNS: usize = 8;

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

/// Sends each connection to the server of its protocol.
#[derive(Clone)]
pub(super) struct Router {
    pub(super) grpc: mpsc::Sender<Connection>,
    pub(super) ttrpc: Arc<TtrpcServer>,
    /// Warnings about connections of neither protocol.
    pub(super) strangers: Arc<Warnings>,
    pub(super) silent: Arc<Silent>,
}

/// The connections that have said nothing yet. The oldest ones make room for others.
#[derive(Debug, Default)]
pub(super) struct Silent(Mutex<(u64, BTreeMap<u64, oneshot::Sender<()>>)>);

/// The number of a connection among the silent ones, and the receiver that is told when the
/// connection is to be closed.
type Place = (u64, oneshot::Receiver<()>);

impl Silent {
    /// Adds a connection.
    fn add(&self) -> Place {
        let (sender, told) = oneshot::channel();
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, senders) = &mut *silent;
        *next += 1;
        senders.insert(*next, sender);
        (*next, told)
    }

    /// Removes a connection that has said something or was closed.
    fn remove(&self, number: u64) {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        silent.1.remove(&number);
    }

    /// Closes the oldest connection, if there is one.
    fn close_one(&self) -> bool {
        let mut silent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((_, told)) = silent.1.pop_first() {
            // A connection that has ended meanwhile makes no room.
            if told.send(()).is_ok() {
                return true;
            }
        }
        false
    }
}

/// Accepts connections for ever. Sends each to its server, or closes it.
pub(super) async fn accept(
    listener: UnixListener,
    limits: Limits,
    bounds: Arc<Bounds>,
    router: Router,
) {
    let (failures, refusals) = (Warnings::default(), Warnings::default());
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
        let uid = match limits.users.check_peer(&stream) {
            Ok(uid) => uid,
            Err(e) => {
                refusals.warn(format_args!("refused a connection: {e}"));
                continue;
            }
        };
        let peer = bounds.peer(uid, None);
        let mut held = peer.hold(Kind::Connections);
        for _ in 0..TURNS {
            if held.is_ok() || !router.silent.close_one() {
                break;
            }
            tokio::task::yield_now().await;
            held = peer.hold(Kind::Connections);
        }
        let (peer, counted) = match held {
            Ok(held) => (peer, Counted::Served { _held: held }),
            Err(reason) => {
                refusals.warn(format_args!("refused a connection: {reason}"));
                let Ok(permit) = refused.acquire() else {
                    continue;
                };
                let reason = reason.to_string();
                let refused = Counted::Refused { _permit: permit };
                (bounds.peer(uid, Some(reason.into())), refused)
            }
        };
        match Connection::new(stream, peer, counted) {
            Ok(connection) => {
                // Whoever comes next may make it go, even before its task runs.
                let silent = connection.is_served().then(|| router.silent.add());
                tokio::spawn(router.clone().route(connection, silent));
            }
            Err(e) => failures.warn(format_args!("cannot accept connections: {e}")),
        }
    }
}

impl Router {
    /// Waits for the first bytes of a connection and sends it to the server of its protocol.
    ///
    /// With `silent`, its place in [`Silent`], it may be closed meanwhile.
    async fn route(self, mut connection: Connection, silent: Option<Place>) {
        let opening = if let Some((number, told)) = silent {
            tokio::select! {
                biased;
                opening = connection.opening() => {
                    self.silent.remove(number);
                    opening
                }
                _ = told => {
                    debug!("closed a connection that said nothing, for another one");
                    return;
                }
            }
        } else {
            connection.opening().await
        };
        match opening {
            Ok([]) => debug!("a connection was closed before it said anything"),
            Ok(opening) => match Protocol::of(opening) {
                Protocol::Grpc => {
                    // The HTTP/2 library would wait for the rest for ever.
                    let preface = Box::pin(connection.opening_of(HTTP2_PREFACE));
                    match timeout(REQUEST_TIME, preface).await {
                        Ok(Ok(_)) => drop(self.grpc.send(connection).await),
                        Ok(Err(e)) => debug!("a connection failed in its preface: {e}"),
                        Err(_) => self.strangers.warn(format_args!(
                            "closed a connection: the preface of HTTP/2 was not complete after \
                             {REQUEST_TIME:?}"
                        )),
                    }
                }
                Protocol::Ttrpc => drop(tokio::spawn(self.ttrpc.serve(connection))),
                Protocol::Unknown => self.strangers.warn(format_args!(
                    "closed a connection: \"{}\" opens neither gRPC (HTTP/2) nor ttrpc",
                    opening[..opening.len().min(HTTP2.len())].escape_ascii()
                )),
            },
            Err(e) => debug!("a connection failed before it said anything: {e}"),
        }
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
