//! A toy userland: a shell and everyday commands that answer from what a
//! container's spec and pod say, and touch nothing real. No file is opened, no
//! process started, no connection made, no clock read but tokio's.
//!
//! A [`World`] is what a container's commands see; it lives as long as the
//! container. A [`Shell`] is a process in it:
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
//! Scripts are not trusted: nesting, lengths, variables, files, pipes and
//! background commands are bounded by [`Limits`] and the world's capacity, and a
//! script that never waits is slowed down. Dropping the future ends all of it.
//!
//! `syntax` reads a script, `interpret` expands and runs it, `commands` are the
//! built-in commands, `world` is what they look at. Nothing here knows of the
//! rest of the sandboxer.

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

use std::sync::Arc;

pub use idle::{Idle, idle};
use interpret::{Interpreter, until_killed};
pub use limits::Limits;
use outcome::exit_code;
use streams::Descriptors;
pub use streams::{Io, Reader, Writer};
pub use world::{
    Capabilities, CapabilitySet, FileError, Mount, Seccomp, Setup, Signal, Signals, User, World,
};
use world::{INIT, Process};

/// Whether a command, by its name or a path that ends with it, is built in.
pub fn is_known(command: &str) -> bool {
    let name = command.rsplit_once('/').map_or(command, |(_, name)| name);
    interpret::is_known(name)
}

impl World {
    /// Makes the world that a description asks for.
    pub fn new(setup: Setup) -> Self {
        Self::with_programs(setup, interpret::program_names())
    }
}

/// A process of a container.
pub struct Shell {
    world: Arc<World>,
    limits: Limits,
    signals: Arc<Signals>,
    is_first: bool,
}

impl Shell {
    /// A process that will run in a world.
    pub fn new(world: Arc<World>, limits: Limits) -> Self {
        Self {
            world,
            limits,
            signals: Arc::default(),
            is_first: false,
        }
    }

    /// The container's first process, which is listed from the beginning.
    pub fn first(world: Arc<World>, limits: Limits) -> Self {
        Self {
            signals: world.init_signals(),
            world,
            limits,
            is_first: true,
        }
    }

    /// Where signals to the process are sent. One that the script traps runs the
    /// trap's action; any other that would end a process ends this one.
    pub fn signals(&self) -> Arc<Signals> {
        Arc::clone(&self.signals)
    }

    /// Runs a command, which need not be a shell, and gives its exit code: 128
    /// and the signal's number if a signal has ended it. To kill it, drop the
    /// future. No command at all is one that is not found.
    pub async fn run(&self, argv: &[String], io: Io) -> u8 {
        let listed = (!self.is_first).then(|| {
            self.world.processes().start(Process {
                command: argv.join(" "),
                signals: Arc::clone(&self.signals),
            })
        });
        let mut shell = Interpreter::new(
            Arc::clone(&self.world),
            self.limits,
            Descriptors::from(io),
            Arc::clone(&self.signals),
            listed.as_ref().map_or(INIT, |listed| listed.pid),
        );
        let words = match argv {
            [] => vec![String::new()],
            words => words.to_vec(),
        };
        until_killed(&self.signals, async move {
            exit_code(shell.run_words(words).await, 0)
        })
        .await
    }
}
