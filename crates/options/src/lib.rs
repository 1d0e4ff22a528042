//! Parts of a command line that several programs read in the same way.

mod config;

use std::ffi::{OsStr, OsString};

use bytesize::ByteSize;
use clap::Command;
use clap::builder::Resettable;

pub use config::{naming_variable, with_defaults, with_subcommand_defaults};

/// Parses a number of bytes: a plain number, or one with a unit such as KiB, MiB and GiB, or
/// kB, MB and GB for powers of ten.
///
/// ```
/// assert_eq!(options::bytes("64KiB"), Ok(65_536));
/// assert_eq!(options::bytes("65536"), Ok(65_536));
/// assert!(options::bytes("many").is_err());
/// ```
///
/// # Errors
/// A message with examples of the right form.
pub fn bytes(text: &str) -> Result<u64, String> {
    match text.trim().parse::<ByteSize>() {
        // A number beyond 64 bits is read as the largest one.
        Ok(ByteSize(u64::MAX)) | Err(_) => {
            Err("a number of bytes is needed, such as 65536, 64KiB or 16MiB".to_owned())
        }
        Ok(ByteSize(number)) => Ok(number),
    }
}

/// Makes the arguments of a command and of its subcommands ignore variables with an empty
/// value: a unit's `EnvironmentFile` and the inputs of a CI job write them so for an option
/// that is not set. `variable` returns the value of a variable.
pub fn ignore_empty(command: Command, variable: fn(&OsStr) -> Option<OsString>) -> Command {
    command
        .mut_args(|arg| {
            let value = arg.get_env().and_then(variable);
            if value.is_some_and(|value| value.is_empty()) {
                arg.env(Resettable::<clap::builder::OsStr>::Reset)
            } else {
                arg
            }
        })
        .mut_subcommands(|command| ignore_empty(command, variable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    fn variable(name: &OsStr) -> Option<OsString> {
        match name.to_str() {
            Some("TOOL_EMPTY") => Some(OsString::new()),
            Some("TOOL_FULL") => Some("7".into()),
            _ => None,
        }
    }

    #[test]
    fn only_a_variable_that_is_set_to_nothing_is_ignored() {
        let args = || {
            ["EMPTY", "FULL", "UNSET"]
                .map(|name| Arg::new(name).long(name).env(format!("TOOL_{name}")))
        };
        let command = Command::new("tool")
            .args(args())
            .subcommand(Command::new("sub").args(args()));
        let command = ignore_empty(command, variable);
        let subcommand = command.find_subcommand("sub").unwrap();
        for command in [&command, subcommand] {
            let named = |arg: &Arg| arg.get_env().map(OsStr::to_owned);
            let variables: Vec<_> = command.get_arguments().map(named).collect();
            let full = Some("TOOL_FULL".into());
            assert_eq!(variables, [None, full, Some("TOOL_UNSET".into())]);
        }
    }

    #[test]
    fn bytes_have_units_or_none() {
        for (text, number) in [
            ("0", 0),
            ("65536", 65_536),
            ("64KiB", 65_536),
            ("64 Ki", 65_536),
            ("16MiB", 16 << 20),
            ("1.5GiB", 3 << 29),
            ("2kB", 2_000),
            ("3m", 3_000_000),
        ] {
            assert_eq!(bytes(text), Ok(number), "{text}");
        }
        for text in [
            "",
            "many",
            "-1",
            "1QiB",
            "MiB",
            "1e3",
            "99999999EiB",
            "1,5KiB",
        ] {
            let error = bytes(text).unwrap_err();
            assert!(error.contains("64KiB"), "{text}: {error}");
        }
    }
}
