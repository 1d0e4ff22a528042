//! Tokens: each stands for one connection that a client is about to make.
//!
//! Tokens are kept and looked up by their SHA-256. The time of a comparison depends on the
//! digests alone, and from a digest nobody learns a token, so a client cannot guess a token
//! piece by piece from the time of replies.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::forward::Forwarder;
use super::session::{Handler, StreamingError, Streams};

/// Time for which a token is valid.
const LIFETIME: Duration = Duration::from_secs(60);
/// Largest number of unused tokens.
const MAX_WAITING: usize = 1000;
/// Number of random bytes in a token; too many to guess within a minute.
const TOKEN_BYTES: usize = 16;

/// Purpose of a connection.
pub(super) enum Purpose {
    Exec(Streams, Handler),
    Attach(Streams, Handler),
    PortForward(Forwarder),
}

impl Purpose {
    /// Returns the first part of the URL's path.
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Exec(..) => "exec",
            Self::Attach(..) => "attach",
            Self::PortForward(_) => "portforward",
        }
    }
}

/// Unused tokens.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<Digest, (Instant, Purpose)>>);

/// SHA-256 of a token.
type Digest = [u8; 32];

fn digest(token: &str) -> Digest {
    Sha256::digest(token).into()
}

impl Tokens {
    pub(super) fn issue(&self, purpose: Purpose) -> Result<String, StreamingError> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| StreamingError::NoRandomness)?;
        let token: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = token.concat();
        let now = Instant::now();
        let mut waiting = self.0.lock();
        if waiting.len() >= MAX_WAITING {
            waiting.retain(|_, (until, _)| *until > now);
        }
        if waiting.len() >= MAX_WAITING {
            return Err(StreamingError::TooMany(MAX_WAITING));
        }
        waiting.insert(digest(&token), (now + LIFETIME, purpose));
        Ok(token)
    }

    /// Returns whether a token is valid for this path.
    pub(super) fn is_good(&self, path: &str, token: &str) -> bool {
        let waiting = self.0.lock();
        let found = waiting.get(&digest(token));
        found.is_some_and(|(until, purpose)| *until > Instant::now() && purpose.path() == path)
    }

    /// Removes a token and returns its purpose, if the token is valid for this path.
    pub(super) fn take(&self, path: &str, token: &str) -> Option<Purpose> {
        if !self.is_good(path, token) {
            return None;
        }
        self.0
            .lock()
            .remove(&digest(token))
            .map(|(_, purpose)| purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streaming::forward::echo;

    #[tokio::test(start_paused = true)]
    async fn a_token_is_good_once_for_its_path_and_a_minute() {
        let tokens = Tokens::default();
        let first = tokens.issue(Purpose::PortForward(echo())).unwrap();
        let second = tokens.issue(Purpose::PortForward(echo())).unwrap();
        assert_ne!(first, second);
        assert!(tokens.take("exec", &first).is_none());
        assert!(tokens.take("portforward", &first).is_some());
        assert!(tokens.take("portforward", &first).is_none());
        tokio::time::advance(LIFETIME).await;
        assert!(tokens.take("portforward", &second).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_bounded_until_old_ones_expire() {
        let tokens = Tokens::default();
        for _ in 0..MAX_WAITING {
            tokens.issue(Purpose::PortForward(echo())).unwrap();
        }
        let refused = tokens.issue(Purpose::PortForward(echo()));
        assert!(matches!(refused, Err(StreamingError::TooMany(MAX_WAITING))));
        tokio::time::advance(LIFETIME).await;
        assert!(tokens.issue(Purpose::PortForward(echo())).is_ok());
    }
}
