//! The call of a builtin.

use super::super::interpreter::Interpreter;
use crate::commands::Arguments;
use crate::outcome::Unwind;

/// The shell, name and arguments of a builtin that runs.
pub(crate) struct Invocation<'s> {
    pub(crate) shell: &'s mut Interpreter,
    pub(crate) name: &'static str,
    /// Name or path by which the builtin was called.
    pub(crate) called: String,
    /// Words after the name.
    pub(crate) args: Vec<String>,
}

impl Invocation<'_> {
    /// Writes to standard output.
    ///
    /// # Errors
    /// The end of the shell, as by SIGPIPE, if the reader is gone; the failure of the
    /// builtin, after a message, if the file refuses the bytes.
    pub(super) async fn write(&self, bytes: &[u8]) -> Result<(), Unwind> {
        self.shell.descriptors.print(self.name, bytes).await
    }

    /// Writes a message to standard error.
    pub(super) async fn complain(&self, message: &str) {
        self.shell.descriptors.complain(self.name, message).await;
    }

    /// Parses the options and operands; `known` is as for [`Arguments::parse`].
    ///
    /// # Errors
    /// The failure of the builtin, after a message.
    pub(super) async fn arguments(&self, known: &str) -> Result<Arguments, Unwind> {
        match Arguments::parse(&self.args, known) {
            Ok(arguments) => Ok(arguments),
            Err(error) => {
                self.complain(&error.to_string()).await;
                Err(Unwind::Failed(1))
            }
        }
    }

    /// Returns the first argument as a number, or `otherwise` if there is no argument.
    ///
    /// # Errors
    /// The end of the shell, after a message.
    pub(super) async fn number(&self, otherwise: u32) -> Result<u32, Unwind> {
        let Some(text) = self.args.first() else {
            return Ok(otherwise);
        };
        match text.parse() {
            Ok(number) => Ok(number),
            Err(_) => {
                let message = format!("{}: Illegal number: {text}", self.name);
                Err(self.shell.fatal(&message).await)
            }
        }
    }
}
