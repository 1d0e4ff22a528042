//! A result on the terminal.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::commands::cli::OutputArgs;

/// What there is to say of a result.
#[derive(Debug)]
pub struct Text {
    /// All of it.
    pub whole: String,
    /// Only what speaks against it; empty if nothing does.
    pub problems: String,
}

/// Prints what came of a measurement, with the directory that it was saved in, and
/// the document if it is wanted. It is worth having even if it could not be saved.
///
/// # Errors
/// Why it could not be saved; and if a stream takes no more for another reason
/// than that its reader has gone.
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

/// A document as it is printed and saved.
///
/// # Errors
/// None that is known: every field is a string, a number or made of such.
pub fn json(document: &impl Serialize) -> io::Result<String> {
    let mut json = serde_json::to_string_pretty(document)?;
    json.push('\n');
    Ok(json)
}

/// Writes all at once: a reader that closes early, as `head` does, is no error.
///
/// # Errors
/// If standard output takes no more for another reason.
pub fn to_stdout(text: &str) -> io::Result<()> {
    put(&mut io::stdout(), text)
}

fn put(stream: &mut impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
