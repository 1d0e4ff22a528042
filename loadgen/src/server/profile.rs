//! Takes a CPU profile of a Go program over its debug socket.
//!
//! The server of `net/http/pprof` profiles for the number of seconds in the request, or until the
//! client sends no more: it notices the end of the client's half of the connection, ends the
//! profile, and writes it to the other half. So a profile covers exactly the stretch between the
//! request and the end of that half.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Length of a profile that is not ended, far above that of any load, in seconds.
const LONGEST_S: u32 = 24 * 3600;

/// Timeout for the profile to arrive after its end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Largest profile, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// A profile that is being taken.
#[derive(Debug)]
pub struct Profiling(UnixStream);

/// Failure to take a profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The socket cannot be connected to, or failed.
    #[error("--cpu-profile: take a profile of containerd")]
    Io(#[from] io::Error),
    /// The server replied with something other than a profile.
    #[error("--cpu-profile: containerd answers {reply:?}")]
    Refused {
        /// First line of the reply.
        reply: String,
    },
}

impl Profiling {
    /// Begins a profile of the program that serves its debug endpoints at this socket.
    ///
    /// # Errors
    /// A socket that cannot be connected to.
    pub fn begin(socket: &Path) -> Result<Self, ProfileError> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // HTTP/1.0 has no chunks: the body ends with the connection.
        let request =
            format!("GET /debug/pprof/profile?seconds={LONGEST_S} HTTP/1.0\r\nHost: debug\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        Ok(Self(stream))
    }

    /// Ends the profile and returns it, in the compressed form that `go tool pprof` reads.
    ///
    /// # Errors
    /// A server that does not send it.
    pub fn end(mut self) -> Result<Vec<u8>, ProfileError> {
        self.0.shutdown(Shutdown::Write)?;
        let mut reply = Vec::new();
        let mut limited = (&mut self.0).take(MAX_BYTES);
        limited.read_to_end(&mut reply)?;
        body(&reply).map(<[u8]>::to_vec)
    }
}

/// Returns the body of a good reply.
fn body(reply: &[u8]) -> Result<&[u8], ProfileError> {
    const END: &[u8] = b"\r\n\r\n";
    let line = reply
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    let head = reply.windows(END.len()).position(|window| window == END);
    match head {
        Some(head) if line.split(' ').nth(1) == Some("200") => Ok(&reply[head + END.len()..]),
        _ => Err(ProfileError::Refused { reply: line }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    #[test]
    fn the_profile_ends_with_the_clients_half_of_the_connection() {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("debug.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            stream.read_to_string(&mut request).unwrap();
            stream
                .write_all(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\nprofile")
                .unwrap();
            request
        });
        let profile = Profiling::begin(&socket).unwrap().end().unwrap();
        assert_eq!(profile, b"profile");
        let request = server.join().unwrap();
        assert!(request.starts_with("GET /debug/pprof/profile?seconds=86400 HTTP/1.0\r\n"));
    }

    #[test]
    fn another_reply_is_an_error_with_its_first_line() {
        let error = body(b"HTTP/1.0 404 Not Found\r\n\r\nno").unwrap_err();
        assert!(
            error.to_string().ends_with("\"HTTP/1.0 404 Not Found\""),
            "{error}"
        );
        assert!(body(b"").is_err());
    }
}
