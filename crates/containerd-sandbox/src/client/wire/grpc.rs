//! Opens the stream below a gRPC client.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tonic::codegen::Service;
use tonic::codegen::http::Uri;

use super::{Protocol, Stamped, Wire};

/// Opens the connection of a channel.
pub(crate) struct Connector {
    socket: Arc<PathBuf>,
    wire: Wire,
    opened: bool,
}

impl Connector {
    /// Creates the connector to a Unix socket.
    pub(crate) fn new(socket: PathBuf, wire: Wire) -> Self {
        Self {
            socket: Arc::new(socket),
            wire,
            opened: false,
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stamped<UnixStream>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        // The stream ids of a second connection begin again.
        if std::mem::replace(&mut self.opened, true) {
            self.wire.give_up();
        }
        let (socket, wire) = (Arc::clone(&self.socket), self.wire.clone());
        Box::pin(async move {
            let stream = UnixStream::connect(&*socket).await?;
            Ok(TokioIo::new(Stamped::new(stream, Protocol::Http2, wire)))
        })
    }
}
