//! A toy userland for simulated containers: a shell and everyday commands that answer from a
//! container's description, and touch nothing real. The crate opens no file, starts no process,
//! makes no connection, and reads no clock but tokio's.
//!
//! A [`World`] holds the files and processes that a container's commands see. It lives as long
//! as the container. A [`Shell`] is one process in it:
//!
//! ```
//! # use std::sync::Arc;
//! # use toy_userland::{Io, Limits, Setup, Shell, World};
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let world = Arc::new(World::new(Setup {
//!     hostname: "pod-1".to_owned(),
//!     ..Setup::default()
//! }));
//! let (stdout, mut read) = tokio::io::duplex(1024);
//! let io = Io {
//!     stdin: Box::new(tokio::io::empty()),
//!     stdout: Box::new(stdout),
//!     stderr: Box::new(tokio::io::sink()),
//! };
//! let argv = ["sh", "-c", "cat /etc/hostname | tr a-z A-Z; exit 3"].map(str::to_owned);
//! let code = Shell::new(world, Limits::default()).run(&argv, io).await;
//! let mut output = String::new();
//! tokio::io::AsyncReadExt::read_to_string(&mut read, &mut output).await.unwrap();
//! assert_eq!((output.as_str(), code), ("POD-1\n", 3));
//! # }
//! ```
//!
//! Scripts are untrusted. [`Limits`] and the capacity of the world bound nesting, lengths,
//! variables, files, pipes and background commands, and a script that never waits is slowed
//! down. Dropping the future of [`Shell::run`] ends the command with all that it started.
//!
//! # Modules
//!
//! Each module imports only modules below it, which a test holds. From the top:
//!
//! - `interpret` expands and runs scripts; its `builtins` change the state of the shell.
//! - `commands` are the programs, such as `cat`. They see a small context instead of the shell.
//! - `budget`, `directory`, `streams`, `variables`, `pattern` and `outcome` are common to shell
//!   and programs.
//! - `syntax` parses scripts. `world` holds the files, processes and signals.

mod budget;
mod commands;
mod directory;
mod idle;
mod interpret;
mod limits;
mod outcome;
mod pattern;
mod streams;
mod syntax;
mod variables;
mod world;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;

pub use budget::Share;
pub use idle::{Idle, idle};
use interpret::{Foreground, Interpreter, until_killed};
pub use limits::Limits;
use outcome::exit_code;
use streams::Descriptors;
pub use streams::{Io, Reader, Writer};
use terminal::Terminal;
use world::Process;
pub use world::{
    Capabilities, CapabilitySet, FileError, HostFiles, HostKind, HostNode, IdMap, Mount,
    PidNamespace, Room, Seccomp, Setup, Signal, Signals, Special, User, Volume, World,
};

/// Returns whether a command is built in. `command` is its name, or a path that ends with it.
pub fn is_known(command: &str) -> bool {
    let name = command.rsplit_once('/').map_or(command, |(_, name)| name);
    interpret::is_known(name)
}

impl World {
    /// Makes the world of a container.
    pub fn new(setup: Setup) -> Self {
        Self::with_programs(setup, interpret::program_names())
    }
}

impl Volume {
    /// Makes a volume of the files of an image, or of those below `part`, a path in it: the
    /// programs of this crate in `/bin`, the usual accounts, and the given files by path.
    ///
    /// # Errors
    /// [`FileError::NotFound`] if the image has nothing at `part`.
    pub fn of_image(files: &[(String, Vec<u8>)], part: &str) -> Result<Self, FileError> {
        world::of_image(files, part, interpret::program_names())
    }
}

/// One process of a container, which runs one command.
pub struct Shell {
    world: Arc<World>,
    limits: Limits,
    signals: Arc<Signals>,
    share: Share,
    is_first: bool,
    terminal: Option<Terminal>,
}

impl Shell {
    /// Makes a process that runs in a world next to the first one, as after an exec.
    pub fn new(world: Arc<World>, limits: Limits) -> Self {
        Self {
            world,
            limits,
            signals: Arc::default(),
            share: Share::new(),
            is_first: false,
            terminal: None,
        }
    }

    /// Makes the container's first process, which the world lists from its beginning.
    pub fn first(world: Arc<World>, limits: Limits) -> Self {
        Self {
            signals: world.init_signals(),
            world,
            limits,
            share: Share::new(),
            is_first: true,
            terminal: None,
        }
    }

    /// Gives the process a part in a share: together with all other processes of the share it
    /// takes a bounded part of a processor once it is slowed down. By default a process has a
    /// share of its own.
    #[must_use]
    pub fn sharing(mut self, share: &Share) -> Self {
        self.share = share.clone();
        self
    }

    /// Makes a terminal the one of the process: its streams are the terminal's, and the terminal's
    /// signals reach it. `sh` without a script is then interactive.
    #[must_use]
    pub fn on_terminal(mut self, terminal: Terminal) -> Self {
        self.terminal = Some(terminal);
        self
    }

    /// Returns the signals of the process, to which a caller can send more. A signal that the
    /// script traps runs the action of its trap; another one has its default effect.
    pub fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }

    /// Runs a command, which need not be a shell, and returns its exit code: that of the
    /// command, or 128 and the signal's number if a signal ended it. Dropping the future kills
    /// the command. An empty `argv` is a command that is not found.
    pub async fn run(&self, argv: &[String], io: Io) -> u8 {
        let listed = (!self.is_first).then(|| {
            self.world.processes().start(Process {
                command: shown(argv),
                signals: Arc::clone(&self.signals),
            })
        });
        let mut shell = Interpreter::new(
            Arc::clone(&self.world),
            self.limits,
            Descriptors::new(io, self.terminal.as_ref()),
            Arc::clone(&self.signals),
            listed
                .as_ref()
                .map_or_else(|| self.world.init(), |listed| listed.pid),
            self.share.clone(),
        );
        let foreground = Arc::clone(&shell.foreground);
        if self.terminal.is_some() {
            shell.set_terminal_kind();
        }
        let words = match argv {
            [] => vec![String::new()],
            words => words.to_vec(),
        };
        let running = until_killed(&self.signals, async move {
            exit_code(shell.run_words(words).await, 0)
        });
        tokio::select! {
            code = running => code,
            never = self.forward_signals(&foreground) => match never {},
        }
    }

    /// Hands the signals of the terminal to the process, or to an interactive shell. Never ends.
    async fn forward_signals(&self, foreground: &Foreground) -> Infallible {
        let Some(terminal) = &self.terminal else {
            return std::future::pending().await;
        };
        loop {
            let signal = match terminal.signal().await {
                terminal::Signal::HangUp => Signal::HUP,
                terminal::Signal::Interrupt => Signal::INT,
                terminal::Signal::Quit => Signal::QUIT,
                terminal::Signal::Resize => Signal::WINCH,
                // A process whose parent is in another session is not stopped: `get_signal` in
                // the kernel's kernel/signal.c. Jobs of a shell are not simulated.
                terminal::Signal::Stop => continue,
            };
            let is_key = matches!(signal, Signal::INT | Signal::QUIT);
            if !(is_key && foreground.deliver(signal)) {
                self.signals.send(signal);
            }
        }
    }
}

/// Most bytes of a command line that `ps` shows.
const SHOWN_BYTES: usize = 4096;

/// Returns a command line as `ps` shows it, cut if it is long.
fn shown(argv: &[String]) -> String {
    let mut line = String::new();
    for (index, word) in argv.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        let room = SHOWN_BYTES.saturating_sub(line.len());
        line.push_str(&word[..word.floor_char_boundary(room)]);
        if line.len() >= SHOWN_BYTES {
            break;
        }
    }
    line
}

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
