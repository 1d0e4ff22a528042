//! What scripts do: expansion and execution.
//!
//! Everything that may wait or repeat goes through [`Interpreter::step`], so a
//! script can be dropped at any time and one that never waits costs little.

mod arithmetic;
mod execute;
mod expand;
mod fields;
mod glob;
mod jobs;
mod pattern;
mod redirect;
mod simple;
mod streams;
mod variables;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

pub(super) use jobs::{Jobs, until_killed};
pub(super) use pattern::matches;
pub(super) use streams::{Descriptors, Input, Output, WriteError};
pub use streams::{Io, Reader, Writer};
use variables::Variable;
pub(super) use variables::{VariableError, Variables};

use super::limits::Limits;
use super::syntax::{self, Command, List};
use super::world::{FileError, Kind, Opening, Signal, Signals, User, World, path};

/// After how many steps others get their turn, at the latest.
const STEPS_PER_TURN: u64 = 32;
/// How many steps a script that has used up its full speed makes
const STEPS_PER_PAUSE: u64 = 64;
/// before it rests for this long. A step takes microseconds.
const PAUSE: Duration = Duration::from_millis(10);

/// Why a command does not go on to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwind {
    /// This command has failed with a code; the next one follows.
    Failed(u8),
    Break(u32),
    Continue(u32),
    Return(u8),
    /// The shell ends.
    Exit(u8),
}

/// An exit code, or something else to go on with.
pub(super) type Outcome = Result<u8, Unwind>;

/// Options of `set`.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    /// `-e`
    pub(super) exit_on_failure: bool,
    /// `-u`
    pub(super) unset_is_error: bool,
    /// `-x`
    pub(super) trace: bool,
    /// `-f`
    pub(super) no_glob: bool,
    /// `-o pipefail`
    pub(super) pipe_fail: bool,
}

/// A shell that runs: its variables, functions, descriptors and place.
pub(super) struct Interpreter {
    pub(super) world: Arc<World>,
    pub(super) limits: Limits,
    pub(super) name: String,
    pub(super) pid: u32,
    pub(super) parameters: Arc<Vec<String>>,
    pub(super) variables: Arc<Variables>,
    pub(super) functions: Arc<BTreeMap<String, Arc<Command>>>,
    pub(super) directory: String,
    pub(super) descriptors: Descriptors,
    pub(super) options: Options,
    /// The last exit code, `$?`.
    pub(super) status: u8,
    /// The exit code of the command's last substitution.
    substituted: Option<u8>,
    /// The last background command's process id, `$!`.
    pub(super) last_job: Option<u32>,
    pub(super) jobs: Jobs,
    pub(super) signals: Arc<Signals>,
    pub(super) traps: Arc<BTreeMap<Signal, Arc<str>>>,
    in_trap: bool,
    /// Whether a program that it starts takes its place, as by exec(2), and so
    /// gets its signals.
    pub(super) replaced: bool,
    /// What the variables were that functions have made local, in their order.
    locals: Vec<(String, Option<Variable>)>,
    /// How many loops are around, for `break`.
    loops: u32,
    /// Whether a failure is looked at, so that `set -e` does not act on it.
    condition: bool,
    depth: u32,
    steps: Arc<AtomicU64>,
    /// One permit for each background command that may still be started.
    forks: Arc<Semaphore>,
}

impl Interpreter {
    /// A shell with a container's environment.
    pub(super) fn new(
        world: Arc<World>,
        limits: Limits,
        descriptors: Descriptors,
        signals: Arc<Signals>,
        pid: u32,
    ) -> Self {
        let setup = world.setup();
        let mut variables = Variables::new(limits.variable_bytes);
        let usual = [
            (
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            ),
            ("HOSTNAME", setup.hostname.as_str()),
            ("HOME", home(&setup.user)),
        ];
        let stated = setup.environment.iter();
        let stated = stated.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in usual.into_iter().chain(stated) {
            // What is too long for the shell is left out.
            let _ = variables.set(name, Some(value));
            let _ = variables.export(name);
        }
        let directory = path::absolute("/", &setup.working_directory);
        // A shell's own; they are not exported.
        for (name, value) in [
            ("PWD", directory.as_str()),
            ("IFS", " \t\n"),
            ("OPTIND", "1"),
        ] {
            let _ = variables.set(name, Some(value));
        }
        let _ = variables.export("PWD");
        Self {
            limits,
            name: "sh".to_owned(),
            pid,
            parameters: Arc::default(),
            variables: Arc::new(variables),
            functions: Arc::default(),
            directory,
            descriptors,
            options: Options::default(),
            status: 0,
            substituted: None,
            last_job: None,
            jobs: Jobs::default(),
            signals,
            traps: Arc::default(),
            in_trap: false,
            // It only starts the process's command.
            replaced: true,
            locals: Vec::new(),
            loops: 0,
            condition: false,
            depth: 0,
            steps: Arc::default(),
            forks: Arc::new(Semaphore::new(limits.jobs)),
            world,
        }
    }

    /// A shell of its own that has what this one has now.
    pub(super) fn subshell(&self) -> Self {
        Self {
            world: Arc::clone(&self.world),
            limits: self.limits,
            name: self.name.clone(),
            pid: self.pid,
            parameters: Arc::clone(&self.parameters),
            variables: Arc::clone(&self.variables),
            functions: Arc::clone(&self.functions),
            directory: self.directory.clone(),
            descriptors: self.descriptors.clone(),
            options: self.options,
            status: self.status,
            substituted: None,
            last_job: self.last_job,
            jobs: Jobs::default(),
            // Traps are the parent's.
            signals: Arc::default(),
            traps: Arc::default(),
            in_trap: self.in_trap,
            replaced: false,
            locals: Vec::new(),
            loops: 0,
            condition: self.condition,
            depth: self.depth,
            steps: Arc::clone(&self.steps),
            forks: Arc::clone(&self.forks),
        }
    }

    /// A shell as a program that is started gets it: with what is exported.
    pub(super) fn program(&self) -> Self {
        let mut shell = self.subshell();
        if self.replaced {
            shell.signals = Arc::clone(&self.signals);
        }
        Arc::make_mut(&mut shell.variables).retain_exported();
        // There is always room for it: something of its size was left out.
        let _ = Arc::make_mut(&mut shell.variables).set("IFS", Some(" \t\n"));
        shell.functions = Arc::default();
        shell.options = Options::default();
        shell.condition = false;
        shell
    }

    /// Makes a step: whatever repeats calls this each time.
    ///
    /// # Errors
    /// What a trap that was due came to.
    pub(super) async fn step(&mut self) -> Result<(), Unwind> {
        let step = self.steps.fetch_add(1, Ordering::Relaxed);
        if step > self.limits.full_speed_steps && step.is_multiple_of(STEPS_PER_PAUSE) {
            tokio::time::sleep(PAUSE).await;
        } else if step.is_multiple_of(STEPS_PER_TURN) {
            tokio::task::yield_now().await;
        }
        self.run_traps().await
    }

    /// Goes one level deeper, if that is allowed.
    ///
    /// # Errors
    /// The end of the shell, with a message.
    pub(super) async fn enter(&mut self) -> Result<(), Unwind> {
        if self.depth >= self.limits.depth {
            let limit = self.limits.depth;
            return Err(self.fatal(&format!("nested more than {limit} deep")).await);
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Reads a script, with a message if it is none.
    ///
    /// # Errors
    /// The end of the shell.
    pub(super) async fn parse(&mut self, script: &str) -> Result<List, Unwind> {
        let limits = self.limits;
        match syntax::parse(script, limits.script_bytes, self.depth, limits.depth) {
            Ok(list) => Ok(list),
            Err(error) => Err(self.fatal(&error.to_string()).await),
        }
    }

    /// Runs a script to the end of the shell and gives its exit code.
    pub(super) async fn run_script(&mut self, script: &str) -> u8 {
        let outcome = match self.parse(script).await {
            Ok(list) => self.list(&list).await,
            Err(unwind) => Err(unwind),
        };
        self.finish(outcome).await
    }

    /// Whether a text is a script already, or will not become one by more text.
    pub(super) fn is_complete(&self, text: &str) -> bool {
        let limits = self.limits;
        match syntax::parse(text, limits.script_bytes, self.depth, limits.depth) {
            Ok(_) => !text.ends_with("\\\n"),
            Err(error) => !error.wants_more(),
        }
    }

    /// Runs a part of a script; an exit code if the shell ends with it.
    pub(super) async fn run_line(&mut self, text: &str) -> Option<u8> {
        let outcome = match self.parse(text).await {
            Ok(list) => self.list(&list).await,
            Err(unwind) => Err(unwind),
        };
        match outcome {
            Ok(_) => None,
            outcome => Some(self.finish(outcome).await),
        }
    }

    /// The exit code of a shell that has come to its end, after its last trap.
    pub(super) async fn finish(&mut self, outcome: Outcome) -> u8 {
        let code = exit_code(outcome, self.status);
        self.status = code;
        let trap = Arc::make_mut(&mut self.traps).remove(&Signal(0));
        match trap {
            Some(action) => match self.run_trap(&action).await {
                Err(Unwind::Exit(code)) => code,
                _ => code,
            },
            None => code,
        }
    }

    /// Says something of the shell's own on standard error.
    pub(super) async fn complain(&self, message: &str) {
        let line = format!("{}: {message}\n", self.name);
        // Nobody can be told that it was not written.
        let _ = self.descriptors.stderr.write(line.as_bytes()).await;
    }

    /// Says why the shell ends, which it does with 2.
    pub(super) async fn fatal(&self, message: &str) -> Unwind {
        self.complain(message).await;
        Unwind::Exit(2)
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// The end of the shell, with a message, if it cannot be set.
    pub(super) async fn assign(&mut self, name: &str, value: &str) -> Result<(), Unwind> {
        match Arc::make_mut(&mut self.variables).set(name, Some(value)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fatal(&format!("{name}: {error}")).await),
        }
    }

    pub(super) fn user(&self) -> &User {
        &self.world.setup().user
    }

    /// The absolute form of a path seen from where the shell is.
    pub(super) fn path(&self, path: &str) -> String {
        path::absolute(&self.directory, path)
    }

    /// Has a variable put back as it is when the function ends.
    pub(super) fn make_local(&mut self, name: &str) {
        let before = self.variables.snapshot(name);
        self.locals.push((name.to_owned(), before));
    }

    /// How many loops are around.
    pub(super) fn loops(&self) -> u32 {
        self.loops
    }

    /// Switches an option of `set`, by its letter or name; not if there is none.
    pub(super) fn set_option(&mut self, name: &str, on: bool) -> bool {
        let option = match name {
            "e" | "errexit" => &mut self.options.exit_on_failure,
            "u" | "nounset" => &mut self.options.unset_is_error,
            "x" | "xtrace" => &mut self.options.trace,
            "f" | "noglob" => &mut self.options.no_glob,
            "pipefail" => &mut self.options.pipe_fail,
            // Nothing here depends on them.
            "a" | "b" | "C" | "h" | "m" | "n" | "v" => return true,
            _ => return false,
        };
        *option = on;
        true
    }

    /// The content of a file as text.
    pub(super) fn text_of(&self, path: &str) -> Result<String, FileError> {
        let node = self.world.tree().read(&self.path(path), self.user())?;
        Ok(match node.kind {
            Kind::File(content) => String::from_utf8_lossy(&content).into_owned(),
            Kind::Directory | Kind::Device(_) | Kind::Program => String::new(),
        })
    }

    /// The content of a file; empty if it cannot be had.
    pub(super) fn bytes_of(&self, path: &str) -> Arc<Vec<u8>> {
        let node = self.world.tree().read(&self.path(path), self.user());
        match node.map(|node| node.kind) {
            Ok(Kind::File(content)) => content,
            _ => Arc::default(),
        }
    }

    /// A file to write to.
    pub(super) fn create_file(&self, path: &str, opening: Opening) -> Result<Output, FileError> {
        if path.is_empty() {
            return Err(FileError::NotFound);
        }
        let path = self.path(path);
        let now = self.world.now();
        self.world.tree().open(&path, opening, self.user(), now)?;
        Ok(Output::File {
            world: Arc::clone(&self.world),
            path: path.into(),
        })
    }

    /// A file to read from.
    pub(super) fn open(&self, path: &str) -> Result<Input, FileError> {
        if path.is_empty() {
            return Err(FileError::NotFound);
        }
        let node = self.world.tree().read(&self.path(path), self.user())?;
        Ok(Input::of_file(node))
    }
}

/// What an outcome means for whoever waits for a shell.
pub(super) fn exit_code(outcome: Outcome, status: u8) -> u8 {
    match outcome {
        Ok(code) | Err(Unwind::Failed(code) | Unwind::Exit(code) | Unwind::Return(code)) => code,
        Err(Unwind::Break(_) | Unwind::Continue(_)) => status,
    }
}

fn home(user: &User) -> &'static str {
    match user.uid {
        0 => "/root",
        _ => "/",
    }
}
