//! The drivers that a user can choose.

use std::fmt;

use crate::record::operation::Operation;

/// Names the protocols that a driver runs pods over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverKind {
    /// Sandbox and Task over ttrpc, on one connection.
    Ttrpc,
    /// Controller over gRPC and Task over ttrpc, on one socket: as containerd does.
    Controller,
    /// CRI, to containerd or any other runtime.
    Cri,
}

impl DriverKind {
    /// Every driver.
    pub const ALL: [Self; 3] = [Self::Ttrpc, Self::Controller, Self::Cri];

    /// Returns the word for it in options and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttrpc => "ttrpc",
            Self::Controller => "controller",
            Self::Cri => "cri",
        }
    }

    /// Lists the operations that it measures, in the order of a lifecycle.
    pub fn operations(self) -> &'static [Operation] {
        match self {
            Self::Ttrpc | Self::Controller => Operation::OF_TASKS,
            Self::Cri => Operation::OF_CRI,
        }
    }
}

impl fmt::Display for DriverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
