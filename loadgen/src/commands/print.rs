//! Output of results on the terminal.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::commands::cli::OutputArgs;

/// Printed forms of a result.
#[derive(Debug)]
pub struct Text {
    /// The whole result.
    pub whole: String,
    /// Only its problems; empty if there are none.
    pub problems: String,
}

/// Prints a result with its directory, and the document if `--json` asks for it. The
/// result is printed even if it could not be saved.
///
/// # Errors
/// The error of saving. Otherwise the error of a stream, unless its reader is gone.
pub fn result<E: From<io::Error>>(
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
    let printed = if output.json || output.quiet {
        put(&mut io::stderr(), &shown)
    } else {
        to_stdout(&shown)
    };
    saved?;
    printed?;
    if output.json {
        to_stdout(&json(document)?)?;
    }
    Ok(())
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

/// Writes all text at once. A reader that closes early, such as `head`, causes no
/// error.
///
/// # Errors
/// If writing to standard output fails for another reason.
pub fn to_stdout(text: &str) -> io::Result<()> {
    put(&mut io::stdout(), text)
}

fn put(stream: &mut impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
