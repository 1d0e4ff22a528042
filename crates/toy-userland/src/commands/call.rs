//! The call of a program: its arguments, its context, and methods to read and write.

use std::sync::Arc;

use futures::future::BoxFuture;
use terminal::Terminal;

use super::accounts::Accounts;
use super::arguments::Arguments;
use crate::budget::Budget;
use crate::directory::WorkingDirectory;
use crate::limits::Limits;
use crate::outcome::Unwind;
use crate::streams::{Descriptors, Input, WriteError};
use crate::variables::Variables;
use crate::world::{FileError, Signals, User, World};

/// Most bytes of a line that are read at once.
const MAX_LINE_BYTES: usize = 64 << 10;

/// Cost of a write besides its bytes, in bytes of text.
const WRITE_COST: usize = 64;

/// Bytes that count for a line in memory besides its text: the size of a `Vec`.
const LINE_OVERHEAD: usize = 24;

/// The shell that starts a program, as far as the program may use it.
pub(crate) trait Host: Send + Sync {
    /// Lets other tasks run, slows down a program that never waits, and runs the actions of
    /// the signals that the shell traps. A program calls this in each round of a loop.
    ///
    /// # Errors
    /// The outcome of such an action, such as the end of the shell.
    fn step(&mut self) -> BoxFuture<'_, Result<(), Unwind>>;

    /// Ends the turn of the budget, as [`Self::step`] does after some steps.
    ///
    /// # Errors
    /// As [`Self::step`].
    fn rest(&mut self) -> BoxFuture<'_, Result<(), Unwind>>;

    /// Runs a command with these variables as a process of its own, and returns its exit
    /// code. Dropping the future ends the process.
    fn run(&mut self, words: Vec<String>, variables: Variables) -> BoxFuture<'_, u8>;
}

/// Surroundings of a program: everything that it may use besides its arguments.
pub(crate) struct Context<'s> {
    pub(crate) host: &'s mut dyn Host,
    pub(crate) directory: WorkingDirectory,
    /// All variables of the shell that starts the program; only the exported ones are the
    /// program's environment.
    pub(crate) variables: Arc<Variables>,
    pub(crate) descriptors: Descriptors,
    pub(crate) limits: Limits,
    pub(crate) budget: Arc<Budget>,
    /// Signals to the program's process.
    pub(crate) signals: Arc<Signals>,
    /// Process id, which a program shares with the shell that starts it.
    pub(crate) pid: u32,
}

/// A program that runs, with its arguments and its unwritten output.
pub(crate) struct Call<'s> {
    pub(super) context: Context<'s>,
    pub(super) name: &'static str,
    /// Words after the name.
    pub(super) args: Vec<String>,
    /// Bytes for standard output that are not written yet.
    pub(super) out: Vec<u8>,
    /// Bytes for standard error that are not written yet.
    pub(super) err: Vec<u8>,
    accounts: Accounts,
}

impl<'s> Call<'s> {
    pub(crate) fn new(context: Context<'s>, name: &'static str, args: Vec<String>) -> Self {
        Self {
            context,
            name,
            args,
            out: Vec::new(),
            err: Vec::new(),
            accounts: Accounts::default(),
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

    /// Returns the terminal on standard input, if there is one.
    pub(super) fn terminal(&self) -> Option<&Terminal> {
        self.context.descriptors.stdin.terminal()
    }

    /// Returns the absolute form of a path.
    pub(super) fn path(&self, path: &str) -> String {
        self.context.directory.absolute(path)
    }

    /// Reads a whole file as [`WorkingDirectory::read_text`] does.
    pub(super) fn read_text(&self, path: &str) -> Result<String, FileError> {
        self.context.directory.read_text(path)
    }

    /// Returns the id of a name in `file`, which is `/etc/passwd` or `/etc/group`. A number is
    /// its own id.
    pub(super) fn id_of(&mut self, text: &str, file: &'static str) -> Option<u32> {
        let directory = &self.context.directory;
        let read = || directory.read_text(file).unwrap_or_default();
        self.accounts.id_of(text, file, read)
    }

    /// Returns the name of an id in `file`, which is `/etc/passwd` or `/etc/group`.
    pub(super) fn name_of(&mut self, id: u32, file: &'static str) -> Option<String> {
        let directory = &self.context.directory;
        let read = || directory.read_text(file).unwrap_or_default();
        self.accounts.name_of(id, file, read)
    }

    /// Makes a step, as [`Host::step`] describes.
    pub(super) async fn step(&mut self) -> Result<(), Unwind> {
        self.context.host.step().await
    }

    /// Counts the handling of so many bytes of text, as [`Self::step`] counts a step. A program
    /// that handles a text, or a list, in one go calls this after it.
    pub(super) async fn spend(&mut self, bytes: usize) -> Result<(), Unwind> {
        if self.context.budget.spend(bytes) {
            self.context.host.rest().await?;
        }
        Ok(())
    }

    /// Adds text to the output that a plain program writes at its end.
    pub(super) fn print(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Adds text and a newline to that output.
    pub(super) fn print_line(&mut self, text: &str) {
        self.print(text);
        self.out.push(b'\n');
    }

    /// Adds a message to the errors that a plain program writes at its end, and returns 1, the
    /// usual code of a failure.
    pub(super) fn fail(&mut self, message: &str) -> u8 {
        let line = format!("{}: {message}\n", self.name);
        self.err.extend_from_slice(line.as_bytes());
        1
    }

    /// Writes to standard output at once.
    ///
    /// # Errors
    /// The end of the shell, as by SIGPIPE, if the reader is gone; the failure of the program,
    /// after a message, if the file refuses the bytes.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Unwind> {
        self.spend(WRITE_COST + bytes.len()).await?;
        self.context.descriptors.print(self.name, bytes).await
    }

    /// Reports the failure of a write to another output, as [`Descriptors::check`] does.
    pub(super) async fn written(&self, written: Result<(), WriteError>) -> Result<(), Unwind> {
        self.context.descriptors.check(self.name, written).await
    }

    /// Writes a message to standard error at once, with the name of the program.
    pub(super) async fn complain(&mut self, message: &str) {
        self.fail(message);
        self.flush_errors().await;
    }

    /// Writes the collected messages.
    pub(super) async fn flush_errors(&mut self) {
        let bytes = std::mem::take(&mut self.err);
        if !bytes.is_empty() {
            // There is no other way to report a failed write.
            let _ = self.context.descriptors.stderr.write(&bytes).await;
        }
    }

    /// Writes the collected messages and output.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(super) async fn flush(&mut self) -> Result<(), Unwind> {
        self.flush_errors().await;
        let bytes = std::mem::take(&mut self.out);
        if bytes.is_empty() {
            return Ok(());
        }
        self.write(&bytes).await
    }

    /// Parses the options and operands. `known` is as for [`Arguments::parse`].
    ///
    /// # Errors
    /// The program's exit code, after a message, which is written at the program's end.
    pub(super) fn arguments(&mut self, known: &str) -> Result<Arguments, u8> {
        let parsed = Arguments::parse(&self.args, known);
        parsed.map_err(|error| self.fail(&error.to_string()))
    }

    /// Parses the options and operands for a program that writes at once.
    ///
    /// # Errors
    /// The failure of the program, after a message.
    pub(super) async fn arguments_now(&mut self, known: &str) -> Result<Arguments, Unwind> {
        match self.arguments(known) {
            Ok(arguments) => Ok(arguments),
            Err(code) => {
                self.flush_errors().await;
                Err(Unwind::Failed(code))
            }
        }
    }

    /// Opens the file of an operand, or standard input for `-`. Returns `None` after a message
    /// if the file cannot be read.
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

    /// Makes a step, and reads the next bytes. No bytes mean the end.
    pub(super) async fn chunk(&mut self, input: &Input) -> Result<Vec<u8>, Unwind> {
        self.step().await?;
        Ok(input.read(usize::MAX).await)
    }

    /// Makes a step, and reads the next line with its newline, or a piece of a line that is
    /// longer than 64 KiB. No bytes mean the end.
    pub(super) async fn line(&mut self, input: &Input) -> Result<Vec<u8>, Unwind> {
        self.line_up_to(input, MAX_LINE_BYTES).await
    }

    /// Reads a line as [`Self::line`] does, or a piece of it with this many bytes.
    pub(super) async fn line_up_to(
        &mut self,
        input: &Input,
        at_most: usize,
    ) -> Result<Vec<u8>, Unwind> {
        self.step().await?;
        let line = input.read_line(at_most).await;
        self.spend(line.len()).await?;
        Ok(line)
    }

    /// Reads all lines of all operands, without their newlines. Returns them with the exit
    /// code, which is 1 if a file could not be read.
    ///
    /// # Errors
    /// The failure of the program, after a message, if the lines take more than
    /// [`Limits::expansion_bytes`].
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

/// Returns the message that most programs give for a file error.
pub(super) fn about(path: &str, error: FileError) -> String {
    format!("{path}: {error}")
}
