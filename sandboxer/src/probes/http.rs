//! Responses to HTTP requests.

use std::future::Future;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::rt::Executor;
use hyper::{Request, Response, StatusCode};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tonic::body::Body;

use super::answers::{Closed, PodPort};
use super::health;
use crate::simulate::probe;

/// Body of a good answer, unless an annotation states another one.
const GOOD_BODY: &str = "ok\n";
/// Body of an answer that is not good.
const BAD_BODY: &str = "simulated: not ready, or a probe that was to fail\n";

/// Tasks of one connection, which end with it.
#[derive(Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

/// Starts tasks of a connection.
#[derive(Clone)]
pub(super) struct Spawner(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    pub(super) fn executor(&self) -> Spawner {
        Spawner(Arc::clone(&self.0))
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.lock().abort_all();
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawner {
    fn execute(&self, task: F) {
        let mut tasks = self.0.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }
}

/// Responds to one request: of gRPC by its health, of anything else by a status code.
///
/// # Errors
/// [`Closed`] if the port is closed by now.
pub(super) async fn respond(
    port: &PodPort,
    request: Request<Incoming>,
) -> Result<Response<Body>, Closed> {
    let kind = request.headers().get(CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        return Ok(health::respond(port, request).await);
    }
    let path = request.uri().path();
    port.answer(|stated, is_good| {
        if !is_good {
            return plain(StatusCode::SERVICE_UNAVAILABLE, BAD_BODY.to_owned());
        }
        let status = StatusCode::from_u16(probe::status(stated, path)).unwrap_or_default();
        let body = stated.and_then(|stated| stated.body.clone());
        plain(status, body.unwrap_or_else(|| GOOD_BODY.to_owned()))
    })
    .await
}

fn plain(status: StatusCode, body: String) -> Response<Body> {
    // These statuses have no body (RFC 9110, sections 15.3.5 and 15.4.5).
    let is_empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = if is_empty {
        Body::empty()
    } else {
        Body::new(body)
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
