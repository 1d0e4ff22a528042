//! A POST over HTTP/1 without TLS, on hyper's client connection.

use std::fmt;
use std::io;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

pub use hyper::StatusCode;

/// Address of a receiver: `http://HOST[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    host: String,
    port: u16,
    /// Path, `/` or more.
    path: String,
}

/// Failure to send a request and receive its reply.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The connection could not be opened.
    #[error("connect")]
    Connect(#[source] io::Error),
    /// The connection failed during the request.
    #[error("send")]
    Send(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Url {
    /// Parses a URL, with this port if it names none.
    ///
    /// # Errors
    /// The reason against the URL, in words.
    pub fn parse(url: &str, port: u16) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|e| format!("{e}"))?;
        if uri.scheme_str() != Some("http") {
            return Err("http:// is needed".to_owned());
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or("a host is needed")?;
        if uri.query().is_some() {
            return Err("a query has no meaning".to_owned());
        }
        Ok(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(port),
            path: uri.path().to_owned(),
        })
    }

    /// Returns the path, `/` or more.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the URL with another path.
    #[must_use]
    pub fn with_path(self, path: String) -> Self {
        Self { path, ..self }
    }

    /// Sends a request with this body, and returns the status of the reply.
    ///
    /// # Errors
    /// A connection that cannot be opened, or fails.
    pub async fn post(
        &self,
        content_type: &str,
        body: impl Into<Bytes>,
    ) -> Result<StatusCode, PostError> {
        // An IPv6 address has brackets in a URL and none in a socket address.
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await;
        let stream = stream.map_err(PostError::Connect)?;
        let request = Request::post(&self.path)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(CONTENT_TYPE, content_type)
            .body(Full::new(body.into()))
            .map_err(|e| PostError::Send(e.into()))?;
        let io = TokioIo::new(stream);
        let handshake = hyper::client::conn::http1::handshake(io).await;
        let (mut sender, connection) = handshake.map_err(|e| PostError::Send(e.into()))?;
        // The task ends with the sender, and a failure of it shows in the answer.
        tokio::spawn(connection);
        let answer = sender.send_request(request).await;
        Ok(answer.map_err(|e| PostError::Send(e.into()))?.status())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
