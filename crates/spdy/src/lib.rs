//! The server's side of SPDY/3.1, as far as Kubernetes' streams use it.
//!
//! The protocol is that of the [draft 3.1](https://www.chromium.org/spdy/spdy-protocol/spdy-protocol-draft3-1/).
//! Its clients are those on moby/spdystream, among them kubectl, crictl and the API server, and
//! spdy-transport for Node. spdystream keeps no windows: it neither sends WINDOW_UPDATE nor
//! heeds one. The windows of a client therefore count from its first SETTINGS or WINDOW_UPDATE
//! on. Until then the bounded buffers and the flow control of TCP slow both sides down.
//!
//! [`serve`] returns the streams that a client opens, and the future that moves the bytes:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
//! # let (io, client) = tokio::io::duplex(1024);
//! # drop(client);
//! let (mut streams, connection) = spdy::serve(io);
//! let echo = async move {
//!     while let Some(stream) = streams.next().await {
//!         let (mut read, mut write) = tokio::io::split(stream);
//!         tokio::io::copy(&mut read, &mut write).await?;
//!     }
//!     std::io::Result::Ok(())
//! };
//! let _ = tokio::join!(echo, connection);
//! # Ok(()) }
//! ```
//!
//! # Modules
//!
//! - `frame` has the frames, `decoder` reads them, `encoder` writes those that a server sends.
//! - `headers` decompresses header blocks with the `dictionary`.
//! - `machine` is a connection without its transport: bytes in, events and bytes out.
//! - `connection` moves the bytes, `stream` is one stream of a client, and `state` what they share.

mod connection;
mod decoder;
mod dictionary;
mod encoder;
mod error;
mod frame;
mod headers;
mod limits;
mod machine;
mod state;
mod stream;

pub mod fuzzed;

pub use connection::{Streams, serve};
pub use error::{HeaderError, ProtocolError};
pub use headers::Headers;
pub use stream::Stream;
