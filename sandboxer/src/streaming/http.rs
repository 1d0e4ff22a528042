//! Connections, and the HTTP request with which each begins.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use connection_limit::{Place, Waiting};
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::debug;

use super::origin;
use super::origin::OriginError;
use super::protocol::{ACCEPTED_VERSIONS, PORT_FORWARD, RemoteCommand, VersionError};
use super::switch::{self, SwitchError};
use super::tokens::Tokens;
use super::traffic::Watched;

/// Time within which a client must send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time of a connection until its switch of protocols.
const HTTP_TIMEOUT: Duration = Duration::from_secs(20);
/// Largest number of connections whose request is waited for, in total and from one address. A
/// further connection takes the place of the one that has waited longest.
const MAX_WAITING: usize = 512;
const MAX_WAITING_PER_ADDRESS: usize = 256;
/// Largest number of sessions.
const MAX_SESSIONS: usize = 1024;
/// Pause after a connection could not be accepted, as when no descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Future to run on a connection after its request.
type Then = Arc<Mutex<Option<BoxFuture<'static, ()>>>>;

/// Accepts connections until the future is dropped, which ends them all.
pub(super) async fn accept(listener: TcpListener, tokens: Arc<Tokens>, idle_timeout: Duration) {
    let server = Arc::new(Server {
        tokens,
        idle_timeout,
        sessions: Semaphore::new(MAX_SESSIONS),
    });
    let waiting = Waiting::new(MAX_WAITING, MAX_WAITING_PER_ADDRESS);
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let server = Arc::clone(&server);
                let place = waiting.enter(peer.ip());
                connections.spawn(async move { server.serve(stream, place).await });
            }
            Err(e) => {
                debug!("cannot accept a stream's connection: {e}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        // The request of a client is read before the next connections can take its place.
        tokio::task::yield_now().await;
        while connections.try_join_next().is_some() {}
    }
}

/// State that all connections share.
struct Server {
    tokens: Arc<Tokens>,
    idle_timeout: Duration,
    /// Holds one permit for each session that may still begin.
    sessions: Semaphore,
}

impl Server {
    async fn serve(&self, stream: TcpStream, mut place: Place) {
        // A connection that is lost already is served in vain.
        let is_local = stream.local_addr().is_ok_and(|own| own.ip().is_loopback());
        let then = Then::default();
        let permit = Mutex::new(None);
        let service = service_fn(|request| {
            let answer = match (
                origin::check(request.headers(), is_local),
                self.sessions.try_acquire(),
            ) {
                (Err(error), _) => refused(status(&error), &format!("{error}\n")),
                (_, Ok(session)) => {
                    *permit.lock() = Some(session);
                    answer(&self.tokens, &then, self.idle_timeout, request)
                }
                (_, Err(_)) => refused(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &format!("{MAX_SESSIONS} sessions already\n"),
                ),
            };
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::select! {
            served = tokio::time::timeout(HTTP_TIMEOUT, connection) => match served {
                Ok(Ok(())) => {}
                Ok(Err(e)) => debug!("a stream's connection failed: {e}"),
                Err(_) => debug!("a stream's connection took longer than {HTTP_TIMEOUT:?}"),
            },
            () = place.lost() => {
                return debug!("a newer connection took the place of one without a request");
            }
        }
        drop(place);
        let next = then.lock().take();
        if let Some(next) = next {
            next.await;
        }
    }
}

/// Returns the response to a request: an error, or the switch of protocols.
fn answer(
    tokens: &Tokens,
    then: &Then,
    idle_timeout: Duration,
    mut request: Request<Incoming>,
) -> Response<String> {
    let path = request.uri().path().to_owned();
    let found = path.trim_start_matches('/').split_once('/');
    let Some((purpose, token)) = found.filter(|(path, token)| tokens.is_good(path, token)) else {
        let message = "no such stream: its URL is good for one connection within a minute\n";
        return refused(StatusCode::NOT_FOUND, message);
    };
    let (wire, response) = match switch::chosen(&request, purpose == "portforward") {
        Ok(chosen) => chosen,
        Err(error) => return refusal(&error),
    };
    let Some(purpose) = tokens.take(purpose, token) else {
        return refused(
            StatusCode::NOT_FOUND,
            "no such stream: it has just been used\n",
        );
    };
    let upgrading = hyper::upgrade::on(&mut request);
    *then.lock() = Some(Box::pin(async move {
        let upgraded = match upgrading.await {
            Ok(upgraded) => upgraded,
            Err(e) => return debug!("a stream's connection did not switch protocols: {e}"),
        };
        let (io, traffic) = Watched::new(TokioIo::new(upgraded));
        tokio::select! {
            () = switch::run(wire, io, purpose) => {}
            () = traffic.idle_for(idle_timeout) => {
                debug!("a session had no traffic for {idle_timeout:?}");
            }
        }
    }));
    response
}

/// Returns the response to a request that asks for no known protocol.
fn refusal(error: &SwitchError) -> Response<String> {
    let status = match error {
        SwitchError::Version(VersionError::Unknown) => StatusCode::FORBIDDEN,
        _ => StatusCode::BAD_REQUEST,
    };
    let mut response = refused(status, &format!("{error}\n"));
    if status == StatusCode::FORBIDDEN {
        let known = RemoteCommand::ALL.map(|(name, _)| name);
        for name in known.into_iter().chain(PORT_FORWARD.map(|(name, ())| name)) {
            let name = HeaderValue::from_static(name);
            response.headers_mut().append(ACCEPTED_VERSIONS, name);
        }
    }
    response
}

fn status(error: &OriginError) -> StatusCode {
    match error {
        OriginError::Host => StatusCode::BAD_REQUEST,
        OriginError::ForeignPage | OriginError::ForeignName => StatusCode::FORBIDDEN,
    }
}

fn refused(status: StatusCode, message: &str) -> Response<String> {
    let mut response = Response::new(message.to_owned());
    *response.status_mut() = status;
    response
}
