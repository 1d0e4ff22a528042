//! The state of a shell, and the methods that all others build on.
//!
//! All code that may repeat calls [`Interpreter::step`]. A script can therefore be dropped at
//! any time, and a script that never waits costs little.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::foreground::Foreground;
use super::jobs::Jobs;
use crate::budget::{Budget, Share};
use crate::directory::WorkingDirectory;
use crate::limits::Limits;
use crate::outcome::{Outcome, Unwind, exit_code};
use crate::streams::Descriptors;
use crate::syntax::{self, Command, List};
use crate::variables::{SEPARATORS, Variable, Variables};
use crate::world::{Signal, Signals, User, World, path};

/// Cost of parsing a byte, in bytes of text that are copied.
pub(super) const PARSE_COST: usize = 32;

/// Options of `set`, POSIX XCU 2.15.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// `-e`: a failed command ends the shell.
    pub(crate) exit_on_failure: bool,
    /// `-u`: the expansion of an unset variable ends the shell.
    pub(crate) unset_is_error: bool,
    /// `-x`: each command is written to standard error before it runs.
    pub(crate) trace: bool,
    /// `-f`: words are not expanded to the paths of files.
    pub(crate) no_glob: bool,
    /// `-o pipefail`: a pipeline has the code of its last command that failed.
    pub(crate) pipe_fail: bool,
}

/// A function that a script has defined.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(super) body: Arc<Command>,
    /// Number of words and operators of the body.
    pub(super) words: usize,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a state of its own")]
/// A running shell: its variables, functions, working directory, descriptors and options.
pub(crate) struct Interpreter {
    pub(crate) limits: Limits,
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) parameters: Arc<Vec<String>>,
    pub(crate) variables: Arc<Variables>,
    pub(crate) functions: Arc<BTreeMap<String, Function>>,
    pub(crate) directory: WorkingDirectory,
    pub(crate) descriptors: Descriptors,
    pub(crate) options: Options,
    /// Exit code of the last command, `$?`.
    pub(crate) status: u8,
    /// Exit code of the last command substitution in the current command.
    pub(super) substituted: Option<u8>,
    /// Process id of the last background command, `$!`.
    pub(crate) last_job: Option<u32>,
    pub(crate) jobs: Jobs,
    pub(crate) signals: Arc<Signals>,
    pub(crate) traps: Arc<BTreeMap<Signal, Arc<str>>>,
    pub(super) in_trap: bool,
    /// Whether a program that the shell starts takes its place, as after exec(2), and so
    /// receives its signals.
    pub(crate) replaced: bool,
    /// Values to restore after the current functions: each `local` variable's name and former
    /// value, in the order of the declarations.
    pub(super) locals: Vec<(String, Option<Variable>)>,
    /// Number of loops around the current command, which bounds the level of `break`.
    pub(super) loops: u32,
    /// Whether the script tests the code of the current command, in which case `set -e` ignores
    /// a failure.
    pub(super) condition: bool,
    pub(super) depth: u32,
    /// Whether `exit` or `exec` ends the shell, and not an error.
    pub(crate) is_exiting: bool,
    /// Interactive shells of the process's terminal.
    pub(crate) foreground: Arc<Foreground>,
    pub(super) budget: Arc<Budget>,
    /// Holds one permit for each background command that may still be started.
    pub(super) forks: Arc<Semaphore>,
    /// Holds one permit for each command of a pipeline that may still run.
    pub(super) stages: Arc<Semaphore>,
}

impl Interpreter {
    /// Makes a shell with a container's environment.
    pub(crate) fn new(
        world: Arc<World>,
        limits: Limits,
        descriptors: Descriptors,
        signals: Arc<Signals>,
        pid: u32,
        share: Share,
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
        let given = setup.environment.iter();
        let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in usual.into_iter().chain(given) {
            // A variable that exceeds the limit is left out.
            let _ = variables.set(name, Some(value));
            let _ = variables.export(name);
        }
        let directory = path::absolute("/", &setup.working_directory);
        // The shell's own variables, of which only PWD is exported.
        for (name, value) in [
            ("PWD", directory.as_str()),
            ("IFS", SEPARATORS),
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
            directory: WorkingDirectory {
                world,
                path: directory,
            },
            descriptors,
            options: Options::default(),
            status: 0,
            substituted: None,
            last_job: None,
            jobs: Jobs::default(),
            signals,
            traps: Arc::default(),
            in_trap: false,
            // This shell exists only to start the process's command.
            replaced: true,
            locals: Vec::new(),
            loops: 0,
            condition: false,
            depth: 0,
            is_exiting: false,
            foreground: Arc::default(),
            budget: Arc::new(Budget::new(share, limits.full_speed_steps)),
            forks: Arc::new(Semaphore::new(limits.jobs)),
            stages: Arc::new(Semaphore::new(limits.stages)),
        }
    }

    /// Sets `TERM` as runtimes do for a process with a terminal, unless it is set.
    pub(crate) fn set_terminal_kind(&mut self) {
        let variables = Arc::make_mut(&mut self.variables);
        if variables.get("TERM").is_none() {
            // A variable that exceeds the limit is left out.
            let _ = variables.set("TERM", Some("xterm"));
            let _ = variables.export("TERM");
        }
    }

    /// Makes a subshell: a copy of the shell's state, without its jobs and traps.
    pub(crate) fn subshell(&self) -> Self {
        Self {
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
            // A subshell handles no traps of its parent, POSIX XCU 2.13.
            signals: Arc::default(),
            traps: Arc::default(),
            in_trap: self.in_trap,
            replaced: false,
            locals: Vec::new(),
            loops: 0,
            condition: self.condition,
            depth: self.depth,
            is_exiting: false,
            foreground: Arc::clone(&self.foreground),
            budget: Arc::clone(&self.budget),
            forks: Arc::clone(&self.forks),
            stages: Arc::clone(&self.stages),
        }
    }

    /// Makes a shell for a program that this one starts, with the exported variables and
    /// without functions and options.
    pub(crate) fn program(&self) -> Self {
        let mut shell = self.subshell();
        if self.replaced {
            shell.signals = Arc::clone(&self.signals);
        }
        shell.variables = Arc::new(self.variables.of_program());
        shell.functions = Arc::default();
        shell.options = Options::default();
        shell.condition = false;
        shell
    }

    /// Counts one step; every construct that repeats calls this in each round. Yields now and
    /// then, slows the script down once its steps at full speed are used up, and runs the
    /// actions of trapped signals.
    ///
    /// # Errors
    /// The outcome of such an action, such as the end of the shell.
    pub(crate) async fn step(&mut self) -> Result<(), Unwind> {
        if self.budget.step() {
            self.budget.rest().await;
        }
        self.run_traps().await
    }

    /// Counts the handling of so many bytes of text, as [`Self::step`] counts a step. Code that
    /// handles a text, or a list of words, in one go calls this after it.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub(crate) async fn spend(&mut self, bytes: usize) -> Result<(), Unwind> {
        if self.budget.spend(bytes) {
            self.budget.rest().await;
            return self.run_traps().await;
        }
        Ok(())
    }

    /// Counts the copy of the variables that the next change of one makes, if they are shared
    /// with another shell.
    ///
    /// # Errors
    /// As [`Self::step`].
    pub(crate) async fn spend_on_variables(&mut self) -> Result<(), Unwind> {
        if Arc::strong_count(&self.variables) > 1 {
            let bytes = self.variables.bytes();
            self.spend(bytes).await?;
        }
        Ok(())
    }

    /// Goes one level deeper. Each call that succeeds is paired with one of [`Self::leave`].
    ///
    /// # Errors
    /// The end of the shell, after a message, if the nesting reaches
    /// [`Limits::depth`](crate::Limits::depth).
    pub(crate) async fn enter(&mut self) -> Result<(), Unwind> {
        if self.depth >= self.limits.depth {
            let limit = self.limits.depth;
            return Err(self.fatal(&format!("nested more than {limit} deep")).await);
        }
        self.depth += 1;
        Ok(())
    }

    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Parses a script.
    ///
    /// # Errors
    /// The end of the shell, after a message.
    pub(crate) async fn parse(&mut self, script: &str) -> Result<List, Unwind> {
        self.spend(script.len().saturating_mul(PARSE_COST)).await?;
        match syntax::parse(script, self.syntax_limits()) {
            Ok(list) => Ok(list),
            Err(error) => Err(self.fatal(&error.to_string()).await),
        }
    }

    fn syntax_limits(&self) -> syntax::Limits {
        syntax::Limits {
            bytes: self.limits.script_bytes,
            words: self.limits.words,
            depth: self.depth,
            max_depth: self.limits.depth,
        }
    }

    /// Runs a script to the end of the shell, and returns the exit code.
    pub(crate) async fn run_script(&mut self, script: &str) -> u8 {
        let outcome = match self.parse(script).await {
            Ok(list) => self.list(&list).await,
            Err(unwind) => Err(unwind),
        };
        self.finish(outcome).await
    }

    /// Returns whether a text can be run: as a whole script, or as one that no further line
    /// would complete.
    pub(crate) fn is_complete(&self, text: &str) -> bool {
        match syntax::parse(text, self.syntax_limits()) {
            Ok(_) => !text.ends_with("\\\n"),
            Err(error) => !error.wants_more(),
        }
    }

    /// Runs a part of a script, and returns the exit code if the part ends the shell.
    pub(crate) async fn run_line(&mut self, text: &str) -> Option<u8> {
        let outcome = match self.parse(text).await {
            Ok(list) => self.list(&list).await,
            Err(unwind) => Err(unwind),
        };
        match outcome {
            Ok(_) => None,
            outcome => Some(self.finish(outcome).await),
        }
    }

    /// Ends the shell: runs the action of its EXIT trap, and returns the exit code.
    pub(crate) async fn finish(&mut self, outcome: Outcome) -> u8 {
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

    /// Writes a message of the shell to standard error.
    pub(crate) fn complain(&self, message: &str) -> BoxFuture<'_, ()> {
        self.descriptors.complain(&self.name, message)
    }

    /// Writes the message of an error that ends the shell with code 2.
    pub(crate) async fn fatal(&self, message: &str) -> Unwind {
        self.complain(message).await;
        Unwind::Exit(2)
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// The end of the shell, after a message, if the variable is read-only or the variables'
    /// memory is used up.
    pub(crate) async fn assign(&mut self, name: &str, value: &str) -> Result<(), Unwind> {
        self.spend_on_variables().await?;
        match Arc::make_mut(&mut self.variables).set(name, Some(value)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fatal(&format!("{name}: {error}")).await),
        }
    }

    /// Records a variable's value, which is restored at the end of the current function.
    pub(crate) fn make_local(&mut self, name: &str) {
        let before = self.variables.snapshot(name);
        self.locals.push((name.to_owned(), before));
    }

    /// Returns the number of loops around the current command.
    pub(crate) fn loops(&self) -> u32 {
        self.loops
    }

    /// Switches an option of `set`, by its letter or name, and returns whether it exists.
    pub(crate) fn set_option(&mut self, name: &str, on: bool) -> bool {
        let option = match name {
            "e" | "errexit" => &mut self.options.exit_on_failure,
            "u" | "nounset" => &mut self.options.unset_is_error,
            "x" | "xtrace" => &mut self.options.trace,
            "f" | "noglob" => &mut self.options.no_glob,
            "pipefail" => &mut self.options.pipe_fail,
            // These options have no effect on a shell without a terminal or real files.
            "a" | "b" | "C" | "h" | "m" | "n" | "v" => return true,
            _ => return false,
        };
        *option = on;
        true
    }
}

fn home(user: &User) -> &'static str {
    match user.uid {
        0 => "/root",
        _ => "/",
    }
}
