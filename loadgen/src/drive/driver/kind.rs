//! Which door a plan is run through.

use std::fmt;

use clap::ValueEnum;

use crate::record::operation::Operation;

/// The doors that a run can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Sandbox and Task over ttrpc, on one connection.
    Ttrpc,
    /// Controller over gRPC and Task over ttrpc, on one socket: as containerd does.
    Controller,
    /// CRI, to containerd or any other runtime.
    Cri,
}

impl Kind {
    /// What it measures, in the order of a lifecycle.
    pub fn operations(self) -> &'static [Operation] {
        match self {
            Self::Ttrpc | Self::Controller => Operation::OF_TASKS,
            Self::Cri => Operation::OF_CRI,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ttrpc => "ttrpc",
            Self::Controller => "controller",
            Self::Cri => "cri",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_it_is_given() {
        for kind in Kind::value_variants() {
            assert_eq!(Kind::from_str(&kind.to_string(), false), Ok(*kind));
        }
    }
}
