//! What scripts do: expansion and execution.
//!
//! Everything that may wait or repeat goes through [`Interpreter::step`], so a
//! script can be dropped at any time and one that never waits costs little.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::jobs::Jobs;
use crate::directory::WorkingDirectory;
use crate::limits::Limits;
use crate::outcome::{Outcome, Unwind, exit_code};
use crate::streams::Descriptors;
use crate::syntax::{self, Command, List};
use crate::variables::{SEPARATORS, Variable, Variables};
use crate::world::{Signal, Signals, User, World, path};

/// After how many steps others get their turn, at the latest.
const STEPS_PER_TURN: u64 = 32;
/// How many steps a script that has used up its full speed makes
const STEPS_PER_PAUSE: u64 = 64;
/// before it rests for this long. A step takes microseconds.
const PAUSE: Duration = Duration::from_millis(10);

/// Options of `set`.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// `-e`
    pub(crate) exit_on_failure: bool,
    /// `-u`
    pub(crate) unset_is_error: bool,
    /// `-x`
    pub(crate) trace: bool,
    /// `-f`
    pub(crate) no_glob: bool,
    /// `-o pipefail`
    pub(crate) pipe_fail: bool,
}

/// A shell that runs: its variables, functions, descriptors and place.
pub(crate) struct Interpreter {
    pub(crate) limits: Limits,
    pub(crate) name: String,
    pub(crate) pid: u32,
    pub(crate) parameters: Arc<Vec<String>>,
    pub(crate) variables: Arc<Variables>,
    pub(crate) functions: Arc<BTreeMap<String, Arc<Command>>>,
    pub(crate) directory: WorkingDirectory,
    pub(crate) descriptors: Descriptors,
    pub(crate) options: Options,
    /// The last exit code, `$?`.
    pub(crate) status: u8,
    /// The exit code of the command's last substitution.
    pub(super) substituted: Option<u8>,
    /// The last background command's process id, `$!`.
    pub(crate) last_job: Option<u32>,
    pub(crate) jobs: Jobs,
    pub(crate) signals: Arc<Signals>,
    pub(crate) traps: Arc<BTreeMap<Signal, Arc<str>>>,
    pub(super) in_trap: bool,
    /// Whether a program that it starts takes its place, as by exec(2), and so
    /// gets its signals.
    pub(crate) replaced: bool,
    /// What the variables were that functions have made local, in their order.
    pub(super) locals: Vec<(String, Option<Variable>)>,
    /// How many loops are around, for `break`.
    pub(super) loops: u32,
    /// Whether a failure is looked at, so that `set -e` does not act on it.
    pub(super) condition: bool,
    pub(super) depth: u32,
    steps: Arc<AtomicU64>,
    /// One permit for each background command that may still be started.
    pub(super) forks: Arc<Semaphore>,
}

impl Interpreter {
    /// A shell with a container's environment.
    pub(crate) fn new(
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
            // It only starts the process's command.
            replaced: true,
            locals: Vec::new(),
            loops: 0,
            condition: false,
            depth: 0,
            steps: Arc::default(),
            forks: Arc::new(Semaphore::new(limits.jobs)),
        }
    }

    /// A shell of its own that has what this one has now.
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

    /// Makes a step: whatever repeats calls this each time.
    ///
    /// # Errors
    /// What a trap that was due came to.
    pub(crate) async fn step(&mut self) -> Result<(), Unwind> {
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

    /// Reads a script, with a message if it is none.
    ///
    /// # Errors
    /// The end of the shell.
    pub(crate) async fn parse(&mut self, script: &str) -> Result<List, Unwind> {
        let limits = self.limits;
        match syntax::parse(script, limits.script_bytes, self.depth, limits.depth) {
            Ok(list) => Ok(list),
            Err(error) => Err(self.fatal(&error.to_string()).await),
        }
    }

    /// Runs a script to the end of the shell and gives its exit code.
    pub(crate) async fn run_script(&mut self, script: &str) -> u8 {
        let outcome = match self.parse(script).await {
            Ok(list) => self.list(&list).await,
            Err(unwind) => Err(unwind),
        };
        self.finish(outcome).await
    }

    /// Whether a text is a script already, or will not become one by more text.
    pub(crate) fn is_complete(&self, text: &str) -> bool {
        let limits = self.limits;
        match syntax::parse(text, limits.script_bytes, self.depth, limits.depth) {
            Ok(_) => !text.ends_with("\\\n"),
            Err(error) => !error.wants_more(),
        }
    }

    /// Runs a part of a script; an exit code if the shell ends with it.
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

    /// The exit code of a shell that has come to its end, after its last trap.
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

    /// Says something of the shell's own on standard error.
    pub(crate) fn complain(&self, message: &str) -> BoxFuture<'_, ()> {
        self.descriptors.complain(&self.name, message)
    }

    /// Says why the shell ends, which it does with 2.
    pub(crate) async fn fatal(&self, message: &str) -> Unwind {
        self.complain(message).await;
        Unwind::Exit(2)
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// The end of the shell, with a message, if it cannot be set.
    pub(crate) async fn assign(&mut self, name: &str, value: &str) -> Result<(), Unwind> {
        match Arc::make_mut(&mut self.variables).set(name, Some(value)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fatal(&format!("{name}: {error}")).await),
        }
    }

    /// Has a variable put back as it is when the function ends.
    pub(crate) fn make_local(&mut self, name: &str) {
        let before = self.variables.snapshot(name);
        self.locals.push((name.to_owned(), before));
    }

    /// How many loops are around.
    pub(crate) fn loops(&self) -> u32 {
        self.loops
    }

    /// Switches an option of `set`, by its letter or name; not if there is none.
    pub(crate) fn set_option(&mut self, name: &str, on: bool) -> bool {
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
}

fn home(user: &User) -> &'static str {
    match user.uid {
        0 => "/root",
        _ => "/",
    }
}
