//! Environment variables that are set to nothing.

use std::ffi::{OsStr, OsString};

use clap::Command;
use clap::builder::Resettable;

/// Makes the arguments of a command and of its subcommands ignore variables with an empty
/// value: a unit's `EnvironmentFile` and the inputs of a CI job write them so for an option
/// that is not set. `variable` returns the value of a variable.
pub(super) fn ignore_empty(command: Command, variable: fn(&OsStr) -> Option<OsString>) -> Command {
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
}
