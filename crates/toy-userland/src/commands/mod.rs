//! The built-in commands, a short function each, by theme. Messages and exit
//! codes are those of BusyBox, which is what most small images have.

mod arguments;
mod conditions;
mod copy;
mod date;
mod environment;
mod files;
mod grep;
mod identity;
mod listing;
mod network;
mod printf;
mod processes;
mod script;
mod shell;
mod streams;
mod system;
mod text;

use std::sync::LazyLock;

use futures::future::BoxFuture;

use super::interpret::{Input, Interpreter, Outcome, Unwind, WriteError};
use super::world::{FileError, Signal};
use arguments::Arguments;
pub(super) use script::duration;

/// The longest line that is kept whole, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// What a line that is kept takes besides its text, in bytes.
const LINE_OVERHEAD: usize = 24;

/// A command that is being run.
pub(super) struct Call<'s> {
    pub(super) shell: &'s mut Interpreter,
    name: &'static str,
    args: Vec<String>,
    out: Vec<u8>,
    err: Vec<u8>,
}

impl<'s> Call<'s> {
    pub(super) fn new(shell: &'s mut Interpreter, name: &'static str, args: Vec<String>) -> Self {
        Self {
            shell,
            name,
            args,
            out: Vec::new(),
            err: Vec::new(),
        }
    }

    /// Adds to what a plain command writes to standard output when it is done.
    fn say(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn say_line(&mut self, text: &str) {
        self.say(text);
        self.out.push(b'\n');
    }

    /// Adds a message to what a plain command writes to standard error, and
    /// gives the usual code of a failure.
    fn fail(&mut self, message: &str) -> u8 {
        let line = format!("{}: {message}\n", self.name);
        self.err.extend_from_slice(line.as_bytes());
        1
    }

    /// Writes to standard output at once.
    ///
    /// # Errors
    /// The end of the shell if nobody reads it, as by SIGPIPE; the failure of
    /// the command if there is no space.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Unwind> {
        let written = self.shell.descriptors.stdout.write(bytes).await;
        self.written(written).await
    }

    async fn written(&mut self, written: Result<(), WriteError>) -> Result<(), Unwind> {
        match written {
            Ok(()) => Ok(()),
            Err(WriteError::Closed) => Err(Unwind::Exit(Signal::PIPE.exit_code())),
            Err(WriteError::File(error)) => {
                self.complain(&format!("write error: {error}")).await;
                Err(Unwind::Failed(1))
            }
        }
    }

    /// Writes a message to standard error at once.
    async fn complain(&mut self, message: &str) {
        self.fail(message);
        self.flush_errors().await;
    }

    async fn flush_errors(&mut self) {
        let bytes = std::mem::take(&mut self.err);
        if !bytes.is_empty() {
            // Nobody can be told that it was not written.
            let _ = self.shell.descriptors.stderr.write(&bytes).await;
        }
    }

    async fn flush(&mut self) -> Result<(), Unwind> {
        self.flush_errors().await;
        let bytes = std::mem::take(&mut self.out);
        if bytes.is_empty() {
            return Ok(());
        }
        self.write(&bytes).await
    }

    /// The options and operands, with a message if they are wrong.
    fn arguments(&mut self, known: &str) -> Result<Arguments, u8> {
        let parsed = Arguments::parse(&self.args, known);
        parsed.map_err(|error| self.fail(&error.to_string()))
    }

    /// The same for a command that writes at once.
    async fn arguments_now(&mut self, known: &str) -> Result<Arguments, Unwind> {
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
    async fn input(&mut self, operand: &str) -> Option<Input> {
        if operand == "-" {
            return Some(self.shell.descriptors.stdin.clone());
        }
        match self.shell.open(operand) {
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
    async fn chunk(&mut self, input: &Input) -> Result<Vec<u8>, Unwind> {
        self.shell.step().await?;
        Ok(input.read(usize::MAX).await)
    }

    /// The next line of what is read, with its end; none at the end of it all. A
    /// line that is too long comes in pieces.
    async fn line(&mut self, input: &Input) -> Result<Vec<u8>, Unwind> {
        self.shell.step().await?;
        Ok(input.read_line(MAX_LINE_BYTES).await)
    }

    /// All lines of the operands, without their ends, as far as they are bounded.
    async fn lines(&mut self, operands: &[String]) -> Result<(Vec<Vec<u8>>, u8), Unwind> {
        let mut lines = Vec::new();
        let mut room = self.shell.limits.expansion_bytes;
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

/// How a command is run.
#[derive(Clone, Copy)]
enum Run {
    /// At once: it neither reads standard input nor waits.
    Plain(fn(&mut Call<'_>) -> u8),
    /// With waiting.
    Waiting(for<'a> fn(Call<'a>) -> BoxFuture<'a, Outcome>),
}

/// A built-in command.
pub(super) struct Entry {
    pub(super) name: &'static str,
    /// Whether it is a part of the shell only, and no file in `/bin`.
    shell_only: bool,
    run: Run,
}

/// Runs a command and writes what is left to write.
pub(super) async fn run(entry: &Entry, mut call: Call<'_>) -> Outcome {
    match entry.run {
        Run::Plain(plain) => {
            let code = plain(&mut call);
            call.flush().await?;
            Ok(code)
        }
        Run::Waiting(waiting) => waiting(call).await,
    }
}

/// The command of a name.
pub(super) fn find(name: &str) -> Option<&'static Entry> {
    let found = ENTRIES.binary_search_by_key(&name, |entry| entry.name);
    found.ok().map(|index| &ENTRIES[index])
}

/// The names of those that are files in `/bin`.
pub(super) fn names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let programs = ENTRIES.iter().filter(|entry| !entry.shell_only);
        programs.map(|entry| entry.name).collect()
    });
    &NAMES
}

/// Says why a file cannot be had, as most commands do.
fn about(path: &str, error: FileError) -> String {
    format!("{path}: {error}")
}

macro_rules! entries {
    ($($kind:ident $name:literal $run:path;)*) => {
        &[$(entries!(@ $kind $name $run)),*]
    };
    (@ plain $name:literal $run:path) => {
        Entry { name: $name, shell_only: false, run: Run::Plain($run) }
    };
    (@ waiting $name:literal $run:path) => {
        Entry { name: $name, shell_only: false, run: Run::Waiting(|call| Box::pin($run(call))) }
    };
    (@ own $name:literal $run:path) => {
        Entry { name: $name, shell_only: true, run: Run::Waiting(|call| Box::pin($run(call))) }
    };
}

/// All of them, by name.
static ENTRIES: &[Entry] = entries! {
    own "." shell::source;
    own ":" shell::nothing;
    plain "[" conditions::bracket;
    plain "arch" system::arch;
    plain "basename" files::basename;
    own "break" shell::leave_loop;
    waiting "cat" streams::cat;
    own "cd" shell::change_directory;
    plain "chgrp" files::chgrp;
    plain "chmod" files::chmod;
    plain "chown" files::chown;
    own "command" shell::command;
    own "continue" shell::next_round;
    plain "cp" copy::cp;
    waiting "curl" network::curl;
    waiting "cut" text::cut;
    plain "date" date::date;
    waiting "dd" streams::dd;
    plain "df" system::df;
    plain "dirname" files::dirname;
    plain "echo" text::echo;
    waiting "env" environment::env;
    own "eval" shell::eval;
    own "exec" shell::exec;
    own "exit" shell::exit;
    own "export" shell::export;
    plain "false" script::fail;
    plain "find" listing::find;
    waiting "grep" grep::grep;
    plain "groups" identity::groups;
    waiting "head" streams::head;
    plain "hostname" identity::hostname;
    plain "id" identity::id;
    plain "kill" processes::kill;
    own "local" shell::local;
    plain "ls" listing::ls;
    plain "mkdir" files::mkdir;
    plain "mount" system::mount;
    plain "mv" copy::mv;
    waiting "nc" network::nc;
    plain "nproc" system::nproc;
    waiting "nslookup" network::nslookup;
    plain "pgrep" processes::pgrep;
    waiting "ping" network::ping;
    plain "printenv" environment::printenv;
    plain "printf" printf::printf;
    plain "ps" processes::ps;
    plain "pwd" files::pwd;
    own "read" shell::read;
    own "readonly" shell::read_only;
    own "return" shell::return_from;
    plain "rm" files::rm;
    plain "rmdir" files::rmdir;
    waiting "seq" streams::seq;
    own "set" shell::set;
    waiting "sh" script::sh;
    own "shift" shell::shift;
    waiting "sleep" script::sleep;
    waiting "sort" text::sort;
    plain "stat" listing::stat;
    plain "sync" script::succeed;
    plain "sysctl" system::sysctl;
    waiting "tail" streams::tail;
    waiting "tee" streams::tee;
    plain "test" conditions::test;
    waiting "timeout" script::timeout;
    waiting "top" processes::top;
    plain "touch" files::touch;
    waiting "tr" text::tr;
    own "trap" shell::trap;
    plain "true" script::succeed;
    plain "tty" system::tty;
    own "type" shell::kind_of;
    plain "umask" system::umask;
    plain "uname" system::uname;
    waiting "uniq" text::uniq;
    own "unset" shell::unset;
    plain "uptime" system::uptime;
    own "wait" shell::wait;
    waiting "wc" text::wc;
    waiting "wget" network::wget;
    plain "which" environment::which;
    plain "whoami" identity::whoami;
    waiting "yes" streams::yes;
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_in_the_order_that_the_search_needs() {
        assert!(ENTRIES.is_sorted_by_key(|entry| entry.name));
        assert!(ENTRIES.iter().all(|entry| find(entry.name).is_some()));
        assert!(find("nonesuch").is_none());
        assert!(names().contains(&"sh") && !names().contains(&"cd"));
    }
}
