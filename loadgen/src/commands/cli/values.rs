//! Values of options: the words of options with a fixed set, with one line of help each,
//! sockets, sizes, and the time limit of a call.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, PossibleValue, StringValueParser, TypedValueParser};
use containerd_sandbox::SocketPath;

use crate::drive::driver::DriverKind;
use crate::workload::runtime::Network;
use crate::workload::scenario::{self, Arrivals, SignalChoice};

/// Parser of the name of a scenario. Shells complete the names of the shipped ones; any other text
/// may be the path of a file.
#[derive(Debug, Clone, Copy)]
pub struct ScenarioName;

impl TypedValueParser for ScenarioName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(
            scenario::names().into_iter().map(PossibleValue::new),
        ))
    }
}

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

impl ValueEnum for Network {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Host => "That of the host; no CNI plugin is called",
            Self::Pod => {
                "One of each pod's own by CNI: in a started containerd by a plugin that sets up \
                 nothing, unless its configuration names another"
            }
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

/// Returns a parser of the address of a Unix socket.
pub(super) fn socket() -> impl TypedValueParser<Value = SocketPath> {
    OsStringValueParser::new().try_map(|text| SocketPath::parse(&text))
}

/// Parses an id of containerd.
pub(super) fn id(text: &str) -> Result<String, String> {
    containerd_sandbox::check_id("id", text)
        .map(|()| text.to_owned())
        .map_err(|error| error.to_string())
}

/// Parses a number of bytes, as [`options::bytes`].
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    usize::try_from(options::bytes(text)?).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_units_or_none() {
        let sizes = ["0", "65536", "64KiB", "16 MiB", "2kB"].map(|text| bytes(text).unwrap());
        assert_eq!(sizes, [0, 65_536, 65_536, 16 << 20, 2_000]);
        for text in ["", "many", "-1", "99999999EiB"] {
            assert!(bytes(text).unwrap_err().contains("64KiB"), "{text}");
        }
    }
}
