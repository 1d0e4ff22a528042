//! Simple commands, POSIX XCU 2.9.1: words with assignments and redirections.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::builtins::{self, Builtin, Invocation};
use super::interpreter::Interpreter;
use crate::commands::{self, Program};
use crate::outcome::{Outcome, Unwind};
use crate::syntax::{Command, Redirect, Word};
use crate::world::{FileError, NodeKind, PROGRAM_DIRECTORIES, path};

/// Result of the search for a command.
enum Found {
    Builtin(&'static Builtin),
    Program(&'static Program),
    /// An executable file that holds a script: its absolute path.
    Script(String),
    Denied,
    Nothing,
}

impl Found {
    /// Returns the builtin or program of a name without a slash.
    fn by_name(name: &str) -> Option<Self> {
        let builtin = builtins::find(name).map(Self::Builtin);
        builtin.or_else(|| commands::find(name).map(Self::Program))
    }
}

impl Interpreter {
    pub(super) async fn simple(
        &mut self,
        assignments: &[(String, Word)],
        words: &[Word],
        redirects: &[Redirect],
    ) -> Outcome {
        self.step().await?;
        self.substituted = None;
        let words = self.words(words).await?;
        if self.options.trace && !words.is_empty() {
            let line = format!("+ {}\n", words.join(" "));
            // There is no other way to report a failed write.
            let _ = self.descriptors.stderr.write(line.as_bytes()).await;
        }
        let before = self.descriptors.clone();
        let outcome = self.redirected(assignments, &words, redirects).await;
        // `exec` without a command makes its redirections permanent.
        if words != ["exec"] || outcome.is_err() {
            self.descriptors = before;
        }
        match outcome {
            Err(Unwind::Failed(code)) => Ok(code),
            outcome => outcome,
        }
    }

    async fn redirected(
        &mut self,
        assignments: &[(String, Word)],
        words: &[String],
        redirects: &[Redirect],
    ) -> Outcome {
        self.redirect(redirects).await?;
        let kept = words.is_empty();
        let mut saved = Vec::new();
        for (name, word) in assignments {
            let value = self.text(word).await?;
            if !kept {
                saved.push((name, self.variables.snapshot(name)));
            }
            self.assign(name, &value).await?;
            if !kept {
                // The variable was set above, so exporting it needs no memory.
                let _ = Arc::make_mut(&mut self.variables).export(name);
            }
        }
        if kept {
            return Ok(self.substituted.unwrap_or(0));
        }
        let outcome = match self.functions.get(&words[0]).cloned() {
            Some(function) => self.call(&function.body, &words[1..]).await,
            None => self.run_words(words.to_vec()).await,
        };
        for (name, before) in saved.into_iter().rev() {
            Arc::make_mut(&mut self.variables).restore(name, before);
        }
        outcome
    }

    async fn call(&mut self, body: &Command, arguments: &[String]) -> Outcome {
        self.enter().await?;
        let parameters = std::mem::replace(&mut self.parameters, Arc::new(arguments.to_vec()));
        let loops = std::mem::take(&mut self.loops);
        let locals = self.locals.len();
        let outcome = self.command(body).await;
        for (name, before) in self.locals.split_off(locals).into_iter().rev() {
            Arc::make_mut(&mut self.variables).restore(&name, before);
        }
        self.parameters = parameters;
        self.loops = loops;
        self.leave();
        match outcome {
            Err(Unwind::Return(code)) => Ok(code),
            outcome => outcome,
        }
    }

    /// Runs a builtin, a program or a script by its words. Functions are not looked up; without
    /// words the code is 0.
    pub(crate) fn run_words(&mut self, mut words: Vec<String>) -> BoxFuture<'_, Outcome> {
        Box::pin(async move {
            if words.is_empty() {
                return Ok(0);
            }
            let name = words.remove(0);
            match self.find(&name) {
                Found::Builtin(builtin) => {
                    let invocation = Invocation {
                        shell: self,
                        name: builtin.name,
                        called: name,
                        args: words,
                    };
                    (builtin.run)(invocation).await
                }
                Found::Program(program) => self.run_program(program, words).await,
                Found::Script(path) => {
                    self.enter().await?;
                    let code = self.run_file(&path, name, words).await;
                    self.leave();
                    code
                }
                Found::Denied => {
                    self.complain(&format!("{name}: Permission denied")).await;
                    Err(Unwind::Failed(126))
                }
                Found::Nothing => {
                    let code = self.directory.world.setup().unknown_command;
                    if code != 0 {
                        self.complain(&format!("{name}: not found")).await;
                    }
                    Ok(code)
                }
            }
        })
    }

    /// Runs the script in a file in a shell of its own, and returns its exit code.
    pub(crate) async fn run_file(
        &mut self,
        file: &str,
        name: String,
        parameters: Vec<String>,
    ) -> Outcome {
        let script = match self.read_script(file).await? {
            Ok(script) => script,
            Err(error) => {
                self.complain(&format!("can't open '{file}': {error}"))
                    .await;
                return Ok(2);
            }
        };
        let mut shell = self.program();
        shell.name = name;
        shell.parameters = Arc::new(parameters);
        Ok(shell.run_script(&script).await)
    }

    /// Reads a script from a file.
    ///
    /// # Errors
    /// As [`Interpreter::step`], and the reason for which the file cannot be read.
    pub(crate) async fn read_script(
        &mut self,
        path: &str,
    ) -> Result<Result<String, FileError>, Unwind> {
        let script = self.directory.read_text(path);
        self.spend(script.as_ref().map_or(0, String::len)).await?;
        Ok(script)
    }

    fn find(&self, name: &str) -> Found {
        if !name.contains('/') {
            match Found::by_name(name) {
                Some(Found::Program(_)) if self.is_masked(name) => return Found::Denied,
                Some(found) => return found,
                None => {}
            }
            let search = PROGRAM_DIRECTORIES
                .iter()
                .map(|directory| path::join(directory, name));
            for candidate in search {
                if let found @ (Found::Script(_) | Found::Denied) = self.at(&candidate) {
                    return found;
                }
            }
            return Found::Nothing;
        }
        self.at(&self.directory.absolute(name))
    }

    /// Returns whether a masked path hides a program.
    fn is_masked(&self, name: &str) -> bool {
        let world = &self.directory.world;
        let is_name = |path: &String| path::base_name(path) == name;
        let masked = world.setup().masked_paths.iter().find(|path| is_name(path));
        masked.is_some_and(|path| {
            let found = world.tree().find(&path::absolute("/", path));
            found.is_some_and(|node| node.kind != NodeKind::Program)
        })
    }

    fn at(&self, path: &str) -> Found {
        let Ok(node) = self.directory.world.tree().look(path) else {
            return Found::Nothing;
        };
        match node.kind {
            NodeKind::Program => Found::by_name(path::base_name(path)).unwrap_or(Found::Nothing),
            NodeKind::File(_) | NodeKind::Unread(_) if node.allows(self.directory.user(), 1) => {
                Found::Script(path.to_owned())
            }
            _ => Found::Denied,
        }
    }
}
