//! The API through which a sandbox or container was created.

use super::change::NewSandbox;
use super::state::Container;

/// API through which a sandbox or container was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// containerd's sandbox API, by its Controller or over ttrpc.
    SandboxApi,
    /// CRI's `RuntimeService`.
    Cri,
}

impl NewSandbox {
    /// Returns the API through which the sandbox was created.
    pub fn origin(&self) -> Origin {
        match self.cri {
            Some(_) => Origin::Cri,
            None => Origin::SandboxApi,
        }
    }

    /// Returns the runtime handler that CRI names, or the runtime that containerd records;
    /// empty if neither is stated.
    pub fn handler(&self) -> &str {
        match &self.cri {
            Some(pod) => &pod.handler,
            None => &self.runtime,
        }
    }
}

impl Container {
    /// Returns the API through which the container was created.
    pub fn origin(&self) -> Origin {
        match self.cri {
            Some(_) => Origin::Cri,
            None => Origin::SandboxApi,
        }
    }
}
