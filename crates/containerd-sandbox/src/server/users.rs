//! The users that may connect to a server.

use std::io;
use std::os::fd::AsFd;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

/// The users that may connect: root, the user of this process, and a list of others.
#[derive(Debug, Clone, Default)]
pub struct AllowedUsers {
    others: Vec<u32>,
    hint: Option<&'static str>,
}

impl AllowedUsers {
    /// Allows the users with these ids, too.
    pub fn new(others: Vec<u32>) -> Self {
        Self { others, hint: None }
    }

    /// Ends the message of each refusal with a hint, such as the option that allows a user.
    #[must_use]
    pub fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// Returns whether only root and the user of this process may connect.
    pub fn is_default(&self) -> bool {
        self.others.is_empty()
    }

    /// Returns the users that may connect beside root and the user of this process.
    pub(super) fn others(&self) -> &[u32] {
        &self.others
    }

    /// Checks the user of the peer of a Unix socket (`SO_PEERCRED`, unix(7)). Returns the user's
    /// id if it is one of [`AllowedUsers::others`].
    ///
    /// # Errors
    /// `PermissionDenied`, with the user's id; the kernel's error if it cannot tell the user.
    pub(super) fn check_peer(&self, socket: impl AsFd) -> io::Result<Option<u32>> {
        let uid = socket_peercred(socket)?.uid;
        if uid.is_root() || uid == geteuid() {
            return Ok(None);
        }
        if self.others.contains(&uid.as_raw()) {
            return Ok(Some(uid.as_raw()));
        }
        let hint = self.hint.map(|hint| format!(", {hint}"));
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "user {} may not connect{}",
                uid.as_raw(),
                hint.unwrap_or_default()
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_of_this_process_may_connect() {
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(AllowedUsers::default().check_peer(&socket).unwrap(), None);
    }
}
