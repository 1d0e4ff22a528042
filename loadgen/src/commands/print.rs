//! Output of results on the terminal.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::termios::tcgetwinsize;
use serde::Serialize;

use crate::commands::cli::{OutputArgs, is_stdout};
use crate::result::directory::SaveError;
use display::columns;

/// Printed forms of a result.
#[derive(Debug)]
pub struct Text {
    /// The whole result.
    pub whole: String,
    /// Only its problems; empty if there are none.
    pub problems: String,
}

/// Prints a result with its directory, and the document to where `--json` and `--output` ask for it.
/// The result is printed even if it could not be saved.
///
/// # Errors
/// The error of saving. Otherwise the error of a stream, unless its reader is gone, or of the
/// further file.
pub fn result<E: From<io::Error> + From<SaveError>>(
    output: &OutputArgs,
    text: Text,
    saved: Result<PathBuf, E>,
    document: &impl Serialize,
) -> Result<(), E> {
    let mut shown = if output.quiet {
        text.problems
    } else {
        text.whole
    };
    if let (false, Ok(dir)) = (shown.is_empty(), &saved) {
        shown.extend(["result     ", &dir.display().to_string(), "\n"]);
    }
    let printed = if output.is_json() || output.quiet {
        put(&mut io::stderr(), &fitted(&shown, &io::stderr()))
    } else {
        to_stdout(&fitted(&shown, &io::stdout()))
    };
    saved?;
    printed?;
    if output.is_json() {
        to_stdout(&json(document)?)?;
    }
    match &output.output {
        Some(file) if !is_stdout(file) => to(Some(file), &json(document)?),
        _ => Ok(()),
    }
}

/// Breaks the lines of a text that are longer than a terminal is wide; other readers get them whole.
fn fitted(text: &str, stream: &(impl IsTerminal + AsFd)) -> String {
    match tcgetwinsize(stream) {
        Ok(size) if stream.is_terminal() && size.ws_col > 0 => {
            columns::wrapped(text, size.ws_col.into())
        }
        _ => text.to_owned(),
    }
}

/// Formats a document as printed and saved.
///
/// # Errors
/// No known case: every field is a string, a number or composed of these.
pub fn json(document: &impl Serialize) -> io::Result<String> {
    let mut json = serde_json::to_string_pretty(document)?;
    json.push('\n');
    Ok(json)
}

/// Writes text to a file, or to standard output without a file and for `-`.
///
/// # Errors
/// A file that cannot be written, or as [`to_stdout`].
pub fn to<E: From<io::Error> + From<SaveError>>(
    output: Option<&Path>,
    text: &str,
) -> Result<(), E> {
    match output.filter(|path| !is_stdout(path)) {
        Some(path) => fs::write(path, text).map_err(|source| SaveError {
            path: path.to_owned(),
            source,
        })?,
        None => to_stdout(text)?,
    }
    Ok(())
}

/// Writes all text at once. A reader that closes early, such as `head`, causes no
/// error.
///
/// # Errors
/// If writing to standard output fails for another reason.
pub fn to_stdout(text: &str) -> io::Result<()> {
    put(&mut io::stdout(), text)
}

/// Writes all text at once to standard error, as [`to_stdout`].
///
/// # Errors
/// If writing to standard error fails for another reason.
pub fn to_stderr(text: &str) -> io::Result<()> {
    put(&mut io::stderr(), text)
}

fn put(stream: &mut impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
