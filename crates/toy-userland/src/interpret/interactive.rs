//! An interactive shell: reads commands from a terminal, after a prompt, and goes on after ^C
//! and errors.

use std::sync::Arc;

use super::interpreter::{Interpreter, PARSE_COST};
use crate::outcome::{Outcome, Unwind};
use crate::streams::{Descriptors, Input};
use crate::world::Signal;

/// Most bytes that are read at once.
const MAX_LINE_BYTES: usize = 64 << 10;
/// Prompts of BusyBox's ash without PS1 and PS2.
const PS1: &str = "\\w \\$ ";
const PS2: &str = "> ";

/// State that a command changes while it runs, and puts back at its end. A command that ^C ends
/// does not come to its end.
struct Checkpoint {
    descriptors: Descriptors,
    name: String,
    parameters: Arc<Vec<String>>,
    locals: usize,
    loops: u32,
    condition: bool,
    in_trap: bool,
    depth: u32,
}

impl Interpreter {
    /// Returns whether the shell can be interactive: its standard input and error are terminals.
    pub(super) fn has_terminal(&self) -> bool {
        self.descriptors.stdin.terminal().is_some() && self.descriptors.stderr.terminal().is_some()
    }

    /// Runs commands from a terminal until the end of the input or `exit`, and returns the exit
    /// code.
    ///
    /// # Errors
    /// As [`Interpreter::step`].
    pub(super) async fn interact(&mut self) -> Outcome {
        let level = self.foreground.enter();
        let input = self.descriptors.stdin.clone();
        let mut pending = String::new();
        loop {
            self.step().await?;
            self.take_window_size(&input);
            self.say(&self.prompt(pending.is_empty())).await?;
            let line = tokio::select! {
                biased;
                signal = level.interrupted() => {
                    // An interactive shell ignores SIGQUIT.
                    if signal == Signal::INT {
                        pending.clear();
                        self.status = signal.exit_code();
                        self.run_trap_of(signal).await?;
                    }
                    self.say("\n").await?;
                    continue;
                }
                line = input.read_line(MAX_LINE_BYTES) => line,
            };
            let is_over = line.is_empty();
            if is_over && pending.is_empty() {
                let status = self.status;
                return Ok(self.finish(Ok(status)).await);
            }
            pending.push_str(&String::from_utf8_lossy(&line));
            self.spend(pending.len().saturating_mul(PARSE_COST)).await?;
            if !is_over && !self.is_complete(&pending) {
                continue;
            }
            let script = std::mem::take(&mut pending);
            let checkpoint = self.checkpoint();
            let ended = tokio::select! {
                biased;
                signal = level.interrupted() => Err(signal),
                outcome = self.run_text(&script) => Ok(outcome),
            };
            match ended {
                Ok(Err(Unwind::Exit(code))) if self.is_exiting => {
                    return Ok(self.finish(Err(Unwind::Exit(code))).await);
                }
                // An error that ends a script ends the line only.
                Ok(Err(Unwind::Exit(code) | Unwind::Failed(code))) => {
                    self.status = code;
                    self.recover(checkpoint);
                }
                Ok(_) => {}
                Err(signal) => {
                    self.recover(checkpoint);
                    self.status = signal.exit_code();
                    self.say("\n").await?;
                    self.run_trap_of(signal).await?;
                }
            }
        }
    }

    async fn run_text(&mut self, text: &str) -> Outcome {
        let list = self.parse(text).await?;
        self.list(&list).await
    }

    /// Writes to standard error, where a shell writes its prompts.
    ///
    /// # Errors
    /// The end of the shell, if the terminal is gone.
    async fn say(&self, text: &str) -> Result<(), Unwind> {
        let written = self.descriptors.stderr.write(text.as_bytes()).await;
        self.descriptors.check(&self.name, written).await
    }

    async fn run_trap_of(&mut self, signal: Signal) -> Result<(), Unwind> {
        match self.traps.get(&signal).cloned() {
            Some(action) => self.run_trap(&action).await,
            None => Ok(()),
        }
    }

    /// Sets `COLUMNS` and `LINES`, as shells do after each command.
    fn take_window_size(&mut self, input: &Input) {
        let Some(size) = input.terminal().map(terminal::Terminal::size) else {
            return;
        };
        let variables = Arc::make_mut(&mut self.variables);
        for (name, value) in [("COLUMNS", size.columns), ("LINES", size.rows)] {
            if value > 0 {
                // A variable that is read-only or has no room stays as it is.
                let _ = variables.set(name, Some(&value.to_string()));
            }
        }
    }

    /// Returns the prompt for a command, or for its continuation.
    fn prompt(&self, is_first: bool) -> String {
        let (name, default) = if is_first { ("PS1", PS1) } else { ("PS2", PS2) };
        let text = self.variables.get(name).unwrap_or(default);
        let mut prompt = String::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            if character != '\\' {
                prompt.push(character);
                continue;
            }
            match characters.next() {
                Some('w') => prompt.push_str(&self.shown_directory()),
                Some('W') => {
                    let directory = self.shown_directory();
                    let last = directory.rsplit('/').next().filter(|name| !name.is_empty());
                    prompt.push_str(last.unwrap_or(&directory));
                }
                Some('u') => prompt.push_str(&self.user_name()),
                Some('h' | 'H') => prompt.push_str(&self.directory.world.setup().hostname),
                Some('$') => prompt.push(if self.is_root() { '#' } else { '$' }),
                Some('n') => prompt.push('\n'),
                Some('e') => prompt.push('\u{1b}'),
                Some('\\') => prompt.push('\\'),
                // These enclose what takes no room on the screen.
                Some('[' | ']') | None => {}
                Some(other) => prompt.extend(['\\', other]),
            }
        }
        prompt
    }

    /// Returns the working directory, with `~` for the home directory.
    fn shown_directory(&self) -> String {
        let path = &self.directory.path;
        let home = self.variables.get("HOME").filter(|home| *home != "/");
        match home.and_then(|home| path.strip_prefix(home)) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("~{rest}"),
            _ => path.clone(),
        }
    }

    fn is_root(&self) -> bool {
        self.directory.user().uid == 0
    }

    fn user_name(&self) -> String {
        if self.is_root() {
            return "root".to_owned();
        }
        let uid = self.directory.user().uid.to_string();
        self.variables.get("USER").map_or(uid, str::to_owned)
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            descriptors: self.descriptors.clone(),
            name: self.name.clone(),
            parameters: Arc::clone(&self.parameters),
            locals: self.locals.len(),
            loops: self.loops,
            condition: self.condition,
            in_trap: self.in_trap,
            depth: self.depth,
        }
    }

    fn recover(&mut self, to: Checkpoint) {
        for (name, before) in self.locals.split_off(to.locals).into_iter().rev() {
            Arc::make_mut(&mut self.variables).restore(&name, before);
        }
        self.descriptors = to.descriptors;
        self.name = to.name;
        self.parameters = to.parameters;
        self.loops = to.loops;
        self.condition = to.condition;
        self.in_trap = to.in_trap;
        self.depth = to.depth;
    }
}
