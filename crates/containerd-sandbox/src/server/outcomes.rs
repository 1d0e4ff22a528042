//! The log of requests that fail.

use std::fmt::Display;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::{debug, warn};

use crate::error::{Code, Error};

/// Least time between two log lines of an outage, in which every request may fail.
const PAUSE: Duration = Duration::from_secs(5);

/// Logs failed requests: each invalid request as a warning, an outage as one warning in five
/// seconds, and the rest, such as `NotFound`, which containerd expects, at level debug.
#[derive(Debug, Default)]
pub struct Outcomes(Mutex<Outage>);

#[derive(Debug, Default)]
struct Outage {
    logged: Option<Instant>,
    unlogged: u64,
}

impl Outage {
    /// Counts a failure. Returns the number of failures since the last log line if this one is
    /// to be logged.
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
    /// Logs the failure of the RPC of this name.
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
    fn an_outage_is_logged_once_in_a_pause_with_the_number_of_other_failures() {
        let mut outage = Outage::default();
        let begun = Instant::now();
        assert_eq!(outage.failure(begun), Some(0));
        assert_eq!(outage.failure(begun + PAUSE / 2), None);
        assert_eq!(outage.failure(begun + PAUSE / 2), None);
        assert_eq!(outage.failure(begun + PAUSE), Some(2));
        assert_eq!(outage.failure(begun + 2 * PAUSE), Some(0));
    }
}
