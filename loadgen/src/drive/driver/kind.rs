//! The drivers from which a user can choose.

use std::fmt;

use crate::record::operation::Operation;

/// Protocols over which a driver runs pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DriverKind {
    /// The sandbox and task services over ttrpc, on one connection.
    Ttrpc,
    /// The Controller service over gRPC and the task service over ttrpc, on one socket;
    /// the combination that containerd uses.
    Controller,
    /// CRI, served by containerd or another runtime.
    Cri,
}

impl DriverKind {
    /// Every driver.
    pub const ALL: [Self; 3] = [Self::Ttrpc, Self::Controller, Self::Cri];

    /// Returns the name of the driver in options and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttrpc => "ttrpc",
            Self::Controller => "controller",
            Self::Cri => "cri",
        }
    }

    /// Returns the measured operations, in the order of a lifecycle.
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
