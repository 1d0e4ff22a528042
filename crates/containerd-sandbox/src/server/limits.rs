//! What peers may take up, and who they may be.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use super::listener::MAX_GRPC_MESSAGE;
use crate::error::{Error, Result};

/// What peers may take up: whoever wants more is answered `ResourceExhausted`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The longest message taken, in bytes; over ttrpc at most its own limit of 4 MiB.
    pub message: usize,
    /// The connections.
    pub connections: Counted,
    /// The calls under way, over all connections, those that wait included.
    pub in_flight: Counted,
    /// The users who may connect, beside root and the one this process runs as.
    pub uids: Vec<u32>,
}

impl Default for Limits {
    /// Messages of 16 MiB, 16,384 connections, 262,144 calls; no other users.
    fn default() -> Self {
        Self {
            message: MAX_GRPC_MESSAGE,
            connections: Counted::new(1 << 14),
            in_flight: Counted::new(1 << 18),
            uids: Vec::new(),
        }
    }
}

impl Limits {
    /// Checks who is at the other end of a Unix socket (`SO_PEERCRED`, unix(7)).
    ///
    /// # Errors
    /// The user who may not connect, or what the kernel says.
    pub(super) fn admit(&self, socket: impl AsFd) -> io::Result<()> {
        let uid = socket_peercred(socket)?.uid;
        if uid.is_root() || uid == geteuid() || self.uids.contains(&uid.as_raw()) {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("user {} may not connect, see --allow-uid", uid.as_raw()),
        ))
    }
}

/// Counts what there may be so many of. Clones count together.
#[derive(Debug, Clone)]
pub struct Counted {
    most: usize,
    count: Arc<AtomicUsize>,
}

/// One of those; it counts until it is dropped.
#[derive(Debug)]
#[must_use]
pub struct One(Arc<AtomicUsize>);

impl Counted {
    /// None yet, and so many at most.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            count: Arc::default(),
        }
    }

    /// One more, unless there are too many.
    ///
    /// # Errors
    /// `ResourceExhausted`, naming `what` there are too many of and the `flag` that says
    /// how many there may be.
    pub fn one(&self, what: &str, flag: &str) -> Result<One> {
        let one = self.one_more();
        match self.excess() {
            0 => Ok(one),
            _ => Err(Error::resource_exhausted(format!(
                "there are {} {what} already, see {flag}",
                self.most
            ))),
        }
    }

    /// One more, however many there are.
    pub fn one_more(&self) -> One {
        self.count.fetch_add(1, Ordering::Relaxed);
        One(Arc::clone(&self.count))
    }

    /// By how many there are too many.
    fn excess(&self) -> usize {
        self.count.load(Ordering::Relaxed).saturating_sub(self.most)
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn one_too_many_is_refused_and_room_is_made_by_those_that_go() {
        let counted = Counted::new(2);
        let first = counted.one("calls", "--max-in-flight").unwrap();
        let _second = counted.clone().one("calls", "--max-in-flight").unwrap();
        let error = counted.one("calls", "--max-in-flight").unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert_eq!(
            error.to_string(),
            "there are 2 calls already, see --max-in-flight"
        );
        drop(first);
        let _third = counted.one("calls", "--max-in-flight").unwrap();
        assert_eq!(counted.excess(), 0);
    }

    #[test]
    fn those_who_run_this_may_connect() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        Limits::default().admit(&one).unwrap();
    }
}
