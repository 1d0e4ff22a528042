//! What is logged of requests that fail.

use std::fmt::Display;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use crate::error::{Code, Error};

/// How often an outage, which may fail every request, is logged.
const PAUSE: Duration = Duration::from_secs(5);

/// Logs failed requests: a wrong one each time, an outage now and then, and what
/// containerd takes for an answer ("not found") only for debugging.
#[derive(Debug, Default)]
pub struct Outcomes(Mutex<Outage>);

#[derive(Debug, Default)]
struct Outage {
    logged: Option<Instant>,
    unlogged: u64,
}

impl Outage {
    /// Whether to log another failure now, and how many went unlogged before it.
    fn failure(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|at| now < at + PAUSE) {
            self.unlogged += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

impl Outcomes {
    /// Logs what came of the RPC of this name.
    pub fn failed(&self, rpc: impl Display, error: &Error) {
        match error.code() {
            Code::InvalidArgument | Code::PermissionDenied => warn!("{rpc}: {error}"),
            Code::ResourceExhausted | Code::Unavailable | Code::Internal | Code::DataLoss => {
                let outage = self
                    .0
                    .lock()
                    .map(|mut outage| outage.failure(Instant::now()));
                match outage.unwrap_or_default() {
                    Some(0) => warn!("{rpc}: {error}"),
                    Some(unlogged) => {
                        warn!("{rpc}: {error}; {unlogged} such failures before went unlogged");
                    }
                    None => debug!("{rpc}: {error}"),
                }
            }
            _ => debug!("{rpc}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_logged_now_and_then_with_what_went_unlogged() {
        let mut outage = Outage::default();
        let begun = Instant::now();
        assert_eq!(outage.failure(begun), Some(0));
        assert_eq!(outage.failure(begun + PAUSE / 2), None);
        assert_eq!(outage.failure(begun + PAUSE / 2), None);
        assert_eq!(outage.failure(begun + PAUSE), Some(2));
        assert_eq!(outage.failure(begun + 2 * PAUSE), Some(0));
    }
}
