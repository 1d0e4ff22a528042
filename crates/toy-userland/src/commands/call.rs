//! What a program gets: its arguments and surroundings, and ways to read and write.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::arguments::Arguments;
use crate::directory::WorkingDirectory;
use crate::limits::Limits;
use crate::outcome::Unwind;
use crate::streams::{Descriptors, Input, WriteError};
use crate::variables::Variables;
use crate::world::{FileError, Signals, User, World};

/// The longest line that is kept whole, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// What a line that is kept takes besides its text, in bytes.
const LINE_OVERHEAD: usize = 24;

/// A shell as the programs that it starts see it.
pub(crate) trait Host: Send + Sync {
    /// Lets other tasks run, slows down a program that never waits, and runs the actions of
    /// the signals that the shell traps. A program calls this each time that it repeats.
    ///
    /// # Errors
    /// What such an action asks for, such as the end of the shell.
    fn step(&mut self) -> BoxFuture<'_, Result<(), Unwind>>;

    /// Runs a command with these variables as a process of its own, and returns its exit
    /// code. Dropping the future ends the process.
    fn run(&mut self, words: Vec<String>, variables: Variables) -> BoxFuture<'_, u8>;
}

/// A program's surroundings.
pub(crate) struct Context<'s> {
    pub(crate) host: &'s mut dyn Host,
    pub(crate) directory: WorkingDirectory,
    /// All variables of the shell that starts the program; only the exported ones are the
    /// program's environment.
    pub(crate) variables: Arc<Variables>,
    pub(crate) descriptors: Descriptors,
    pub(crate) limits: Limits,
    /// Signals to the process.
    pub(crate) signals: Arc<Signals>,
    /// Process id, which a program shares with the shell that starts it.
    pub(crate) pid: u32,
}

/// A program that is being run.
pub(crate) struct Call<'s> {
    pub(super) context: Context<'s>,
    pub(super) name: &'static str,
    /// The words after the name.
    pub(super) args: Vec<String>,
    /// Output that is not written yet.
    pub(super) out: Vec<u8>,
    /// Messages that are not written yet.
    pub(super) err: Vec<u8>,
}

impl<'s> Call<'s> {
    pub(crate) fn new(context: Context<'s>, name: &'static str, args: Vec<String>) -> Self {
        Self {
            context,
            name,
            args,
            out: Vec::new(),
            err: Vec::new(),
        }
    }

    /// Returns the container's world.
    pub(super) fn world(&self) -> &World {
        &self.context.directory.world
    }

    /// Returns the user that the program runs as.
    pub(super) fn user(&self) -> &User {
        self.context.directory.user()
    }

    /// Returns the absolute form of a path.
    pub(super) fn path(&self, path: &str) -> String {
        self.context.directory.absolute(path)
    }

    /// Reads a whole file as [`WorkingDirectory::read_text`] does.
    pub(super) fn read_text(&self, path: &str) -> Result<String, FileError> {
        self.context.directory.read_text(path)
    }

    /// Makes a step, as [`Host::step`] describes.
    pub(super) async fn step(&mut self) -> Result<(), Unwind> {
        self.context.host.step().await
    }

    /// Adds to what a plain command writes to standard output when it is done.
    pub(super) fn say(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn say_line(&mut self, text: &str) {
        self.say(text);
        self.out.push(b'\n');
    }

    /// Adds a message to what a plain command writes to standard error, and
    /// gives the usual code of a failure.
    pub(super) fn fail(&mut self, message: &str) -> u8 {
        let line = format!("{}: {message}\n", self.name);
        self.err.extend_from_slice(line.as_bytes());
        1
    }

    /// Writes to standard output at once.
    ///
    /// # Errors
    /// The end of the shell if nobody reads it, as by SIGPIPE; the failure of
    /// the command if there is no space.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Unwind> {
        self.context.descriptors.print(self.name, bytes).await
    }

    /// Reports the failure of a write, as [`Descriptors::check`] does.
    pub(super) async fn written(&self, written: Result<(), WriteError>) -> Result<(), Unwind> {
        self.context.descriptors.check(self.name, written).await
    }

    /// Writes a message to standard error at once.
    pub(super) async fn complain(&mut self, message: &str) {
        self.fail(message);
        self.flush_errors().await;
    }

    pub(super) async fn flush_errors(&mut self) {
        let bytes = std::mem::take(&mut self.err);
        if !bytes.is_empty() {
            // Nobody can be told that it was not written.
            let _ = self.context.descriptors.stderr.write(&bytes).await;
        }
    }

    pub(super) async fn flush(&mut self) -> Result<(), Unwind> {
        self.flush_errors().await;
        let bytes = std::mem::take(&mut self.out);
        if bytes.is_empty() {
            return Ok(());
        }
        self.write(&bytes).await
    }

    /// The options and operands, with a message if they are wrong.
    pub(super) fn arguments(&mut self, known: &str) -> Result<Arguments, u8> {
        let parsed = Arguments::parse(&self.args, known);
        parsed.map_err(|error| self.fail(&error.to_string()))
    }

    /// The same for a command that writes at once.
    pub(super) async fn arguments_now(&mut self, known: &str) -> Result<Arguments, Unwind> {
        match self.arguments(known) {
            Ok(arguments) => Ok(arguments),
            Err(code) => {
                self.flush_errors().await;
                Err(Unwind::Failed(code))
            }
        }
    }

    /// What an operand names to be read, `-` being standard input, or none with
    /// a message.
    pub(super) async fn input(&mut self, operand: &str) -> Option<Input> {
        if operand == "-" {
            return Some(self.context.descriptors.stdin.clone());
        }
        match self.context.directory.open(operand) {
            Ok(input) => Some(input),
            Err(FileError::IsADirectory) => {
                self.complain("read error: Is a directory").await;
                None
            }
            Err(error) => {
                self.complain(&format!("can't open '{operand}': {error}"))
                    .await;
                None
            }
        }
    }

    /// The next bytes of what is read; none at its end.
    pub(super) async fn chunk(&mut self, input: &Input) -> Result<Vec<u8>, Unwind> {
        self.step().await?;
        Ok(input.read(usize::MAX).await)
    }

    /// The next line of what is read, with its end; none at the end of it all. A
    /// line that is too long comes in pieces.
    pub(super) async fn line(&mut self, input: &Input) -> Result<Vec<u8>, Unwind> {
        self.step().await?;
        Ok(input.read_line(MAX_LINE_BYTES).await)
    }

    /// All lines of the operands, without their ends, as far as they are bounded.
    pub(super) async fn lines(
        &mut self,
        operands: &[String],
    ) -> Result<(Vec<Vec<u8>>, u8), Unwind> {
        let mut lines = Vec::new();
        let mut room = self.context.limits.expansion_bytes;
        let mut code = 0;
        for operand in operands {
            let Some(input) = self.input(operand).await else {
                code = 1;
                continue;
            };
            loop {
                let mut line = self.line(&input).await?;
                if line.is_empty() {
                    break;
                }
                let Some(left) = room.checked_sub(line.len() + LINE_OVERHEAD) else {
                    self.complain("out of memory").await;
                    return Err(Unwind::Failed(1));
                };
                room = left;
                if line.ends_with(b"\n") {
                    line.pop();
                }
                lines.push(line);
            }
        }
        Ok((lines, code))
    }
}

/// Says why a file cannot be had, as most commands do.
pub(super) fn about(path: &str, error: FileError) -> String {
    format!("{path}: {error}")
}
