//! Values of options: the words of options with a fixed set, with one line of help each, and
//! the time limit of a call.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::drive::driver::DriverKind;
use crate::workload::scenario::{Arrivals, SignalChoice};

impl ValueEnum for DriverKind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Ttrpc => "Sandbox and Task over ttrpc, on one connection",
            Self::Controller => {
                "Controller over gRPC and Task over ttrpc, on one socket: as containerd does"
            }
            Self::Cri => "CRI, to containerd or any other runtime",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

impl ValueEnum for SignalChoice {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Kill => "SIGKILL for every container",
            Self::Term => "SIGTERM for every container",
            Self::Mix => "SIGKILL or SIGTERM for each container, by the plan",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

impl ValueEnum for Arrivals {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Constant => "Equal gaps",
            Self::Poisson => "Poisson process: exponentially distributed gaps",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}

/// Parses the time that a call may take.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err("a call must have some time".to_owned()),
        Ok(limit) => Ok(limit),
        Err(error) => Err(error.to_string()),
    }
}
