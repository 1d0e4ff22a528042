//! The configuration file: a TOML table of options. Its values are the defaults of a command
//! line.

use std::error::Error;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use clap::builder::{self, Resettable};
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

/// Longest configuration file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Option that names the file, and is no key of it.
const CONFIG: &str = "config";

/// Makes the values of a file the defaults of the options, which have the same names. `renamed`
/// contains former names of options with their present ones.
///
/// # Errors
/// A message that says all but the path of the file.
pub fn with_defaults(
    mut command: Command,
    file: &Path,
    renamed: &[(&str, &str)],
) -> Result<Command, String> {
    for (key, value) in table(file)? {
        let present = renamed.iter().find(|(former, _)| *former == key);
        let name = present.map_or(key.as_str(), |(_, name)| name);
        command = with_default(command, name, (&key, &value))?.ok_or_else(|| unknown(&key))?;
    }
    Ok(command)
}

/// Makes the values of a file the defaults of the options of the subcommands. A value at the top is
/// that of every subcommand with the option, and a value in a table that of the subcommand with the
/// table's name.
///
/// # Errors
/// A message that says all but the path of the file.
pub fn with_subcommand_defaults(mut command: Command, file: &Path) -> Result<Command, String> {
    // Tables come last, because the value in a table replaces the one at the top.
    let (tables, all): (Vec<_>, Vec<_>) = table(file)?.into_iter().partition(|(_, v)| v.is_table());
    let names: Vec<String> = command
        .get_subcommands()
        .map(|sub| sub.get_name().to_owned())
        .collect();
    for (key, value) in all {
        let mut is_known = false;
        for name in &names {
            let (changed, has_option) = of_subcommand(command, name, &key, &value)?;
            command = changed;
            is_known |= has_option;
        }
        if !is_known {
            return Err(unknown(&key));
        }
    }
    for (name, table) in tables {
        if !names.contains(&name) {
            return Err(format!("unknown command [{name}]; --help lists them"));
        }
        for (key, value) in table.as_table().into_iter().flatten() {
            let (changed, has_option) = of_subcommand(command, &name, key, value)?;
            command = changed;
            if !has_option {
                return Err(format!("[{name}]: {}", unknown(key)));
            }
        }
    }
    Ok(command)
}

/// Sets the default of one option of one subcommand, and returns whether it has the option.
fn of_subcommand(
    command: Command,
    name: &str,
    key: &str,
    value: &toml::Value,
) -> Result<(Command, bool), String> {
    let mut result = Ok(false);
    let command = command.mut_subcommand(name, |subcommand| {
        match with_default(subcommand.clone(), key, (key, value)) {
            Ok(Some(changed)) => {
                result = Ok(true);
                changed
            }
            Ok(None) => subcommand,
            Err(reason) => {
                result = Err(reason);
                subcommand
            }
        }
    });
    result.map(|has_option| (command, has_option))
}

/// Sets the default of the option with this name; `None` if the command has no such option. The
/// setting is the key and the value in the file.
fn with_default(
    command: Command,
    name: &str,
    (key, value): (&str, &toml::Value),
) -> Result<Option<Command>, String> {
    let is_named = |arg: &&Arg| arg.get_long() == Some(name) && name != CONFIG;
    let Some(arg) = command.get_arguments().find(is_named) else {
        return Ok(None);
    };
    let values = values(value, arg).map_err(|reason| format!("{key}: {reason}"))?;
    check(arg, &values)?;
    let id = arg.get_id().clone();
    Ok(Some(command.mut_arg(id, |arg| arg.default_values(values))))
}

fn unknown(key: &str) -> String {
    format!("unknown option {key:?}; --help lists them")
}

fn table(file: &Path) -> Result<toml::Table, String> {
    let text = read(file).map_err(|e| e.to_string())?;
    text.parse().map_err(|e: toml::de::Error| e.to_string())
}

/// Reads a file that may be a pipe, but not without end.
fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    let mut file = File::open(file)?.take(MAX_BYTES + 1);
    file.read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!(
            "it has more than {MAX_BYTES} bytes"
        )));
    }
    Ok(text)
}

/// Returns the values of an option as on a command line.
fn values(value: &toml::Value, arg: &Arg) -> Result<Vec<String>, String> {
    let one = |value: &toml::Value| match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(flag) => Ok(flag.to_string()),
        other => Err(format!(
            "a string, an integer or a boolean is needed, not {}",
            other.type_str()
        )),
    };
    match value {
        toml::Value::Array(several) if repeats(arg) => several.iter().map(one).collect(),
        toml::Value::Array(_) => Err("one value is needed, not an array".to_owned()),
        single => one(single).map(|value| vec![value]),
    }
}

/// Returns whether an option may be repeated on a command line.
fn repeats(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// Checks the values of one option. Among all options, clap would check them only if neither a
/// flag nor the environment replaced them.
fn check(arg: &Arg, values: &[String]) -> Result<(), String> {
    let alone = arg.clone().env(Resettable::<builder::OsStr>::Reset);
    let command = Command::new(CONFIG)
        .no_binary_name(true)
        .arg(alone.default_values(values.to_vec()));
    let checked = command.try_get_matches_from(std::iter::empty::<OsString>());
    checked.map(drop).map_err(|error| reason(&error))
}

/// Adds the name of the environment variable to an error about its value: clap names the option
/// alone, which the command line does not contain.
pub fn naming_variable(error: clap::Error, command: &Command, args: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let mut command = command.clone();
    // An option can be shown once its definition is complete.
    command.build();
    let below = command.get_subcommands().flat_map(Command::get_arguments);
    let variable = command
        .get_arguments()
        .chain(below)
        .find(|arg| arg.to_string() == *shown && !is_given(arg, args))
        .and_then(Arg::get_env)
        .filter(|variable| std::env::var_os(variable).is_some());
    let Some(variable) = variable.map(|variable| variable.display().to_string()) else {
        return error;
    };
    let message = format!("environment variable {variable}: {}", reason(&error));
    command.error(error.kind(), message)
}

/// Returns whether a command line contains an option.
fn is_given(arg: &Arg, args: &[OsString]) -> bool {
    let names = arg.get_long_and_visible_aliases().unwrap_or_default();
    let names = names
        .into_iter()
        .chain(arg.get_all_aliases().unwrap_or_default());
    let flags: Vec<String> = names.map(|name| format!("--{name}")).collect();
    args.iter().any(|given| {
        let given = given.to_string_lossy();
        let flag = given.split_once('=').map_or(&*given, |(flag, _)| flag);
        flags.iter().any(|known| known == flag)
    })
}

/// Returns the message of an error of clap without its frame: the first word, and the hint at
/// the help.
fn reason(error: &clap::Error) -> String {
    let whole = error.render().to_string();
    let bare = whole.strip_prefix("error: ").unwrap_or(&whole);
    let bare = bare.split("\n\nFor more information").next();
    let text = bare.unwrap_or_default().trim_end();
    if text.is_empty() {
        return error.source().map(ToString::to_string).unwrap_or_default();
    }
    text.to_owned()
}
