//! A result on the terminal.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

/// What goes where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// The document goes to standard output, and the text to standard error.
    pub json: bool,
    /// The text tells problems only, and goes to standard error.
    pub quiet: bool,
}

/// Prints a text, with the directory that the result was saved in; and the
/// document if it is wanted.
///
/// # Errors
/// If a stream takes no more for another reason than that its reader has gone.
pub fn print(
    output: Output,
    mut text: String,
    dir: Option<&Path>,
    document: &impl Serialize,
) -> io::Result<()> {
    if let (false, Some(dir)) = (text.is_empty(), dir) {
        text.extend(["result     ", &dir.display().to_string(), "\n"]);
    }
    if output.json || output.quiet {
        put(&mut io::stderr(), &text)?;
    } else {
        put(&mut io::stdout(), &text)?;
    }
    if output.json {
        let mut json = serde_json::to_string_pretty(document).map_err(io::Error::from)?;
        json.push('\n');
        put(&mut io::stdout(), &json)?;
    }
    Ok(())
}

/// Whoever closed a stream does not want to read it.
fn put(stream: &mut impl Write, text: &str) -> io::Result<()> {
    match stream.write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}
