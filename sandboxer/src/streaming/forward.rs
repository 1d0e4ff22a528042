//! The other end of a forwarded port.

use std::io;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// Bytes of one connection through a forwarded port, both ways.
pub trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytes for S {}

/// Serves one connection to a port of a pod until either side ends it. An error is told to the
/// client.
pub type Forwarder =
    Arc<dyn Fn(u16, Box<dyn Bytes>) -> BoxFuture<'static, io::Result<()>> + Send + Sync>;

/// Returns a forwarder whose every port sends back what it receives.
#[cfg(test)]
pub(super) fn echo() -> Forwarder {
    Arc::new(|_, bytes| {
        Box::pin(async move {
            let (mut read, mut write) = tokio::io::split(bytes);
            tokio::io::copy(&mut read, &mut write).await.map(drop)
        })
    })
}
