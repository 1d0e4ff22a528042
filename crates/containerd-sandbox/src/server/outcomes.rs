//! The log of requests that fail.

use std::fmt::Display;

use tracing::debug;

use super::warnings::Warnings;
use crate::error::{Code, Error};

/// Logs failed requests: invalid requests and outages as warnings, few of each kind in a pause,
/// and the rest, such as `NotFound`, which containerd expects, at level debug.
#[derive(Debug, Default)]
pub struct Outcomes {
    invalid: Warnings,
    outage: Warnings,
}

impl Outcomes {
    /// Logs the failure of the RPC of this name.
    pub fn failed(&self, rpc: impl Display, error: &Error) {
        match error.code() {
            Code::InvalidArgument | Code::PermissionDenied => {
                self.invalid.warn(format_args!("{rpc}: {error}"));
            }
            Code::ResourceExhausted | Code::Unavailable | Code::Internal | Code::DataLoss => {
                self.outage.warn(format_args!("{rpc}: {error}"));
            }
            _ => debug!("{rpc}: {error}"),
        }
    }
}
