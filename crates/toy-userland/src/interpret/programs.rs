//! The programs of `/bin`: how a shell finds and starts them.

use std::sync::{Arc, LazyLock};

use futures::future::BoxFuture;

use super::builtins;
use super::interpreter::Interpreter;
use crate::commands::{self, Call, Context, Host, Program};
use crate::outcome::{Outcome, Unwind, exit_code};
use crate::variables::Variables;

/// Returns whether a builtin of the shell or a program has this name.
pub(crate) fn is_known(name: &str) -> bool {
    builtins::find(name).is_some() || commands::find(name).is_some()
}

/// Returns the names of the files in `/bin`, in order: the programs, and `sh` itself.
pub(crate) fn program_names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut names: Vec<_> = commands::names().chain(builtins::program_names()).collect();
        names.sort_unstable();
        names
    });
    &NAMES
}

impl Interpreter {
    /// Returns the answer of `command -v`: the path of a program, or the name of a function or
    /// builtin.
    pub(super) fn place_of(&self, name: &str) -> Option<String> {
        if self.functions.contains_key(name) {
            return Some(name.to_owned());
        }
        let directory = &self.directory;
        if name.contains('/') {
            let found = directory.world.tree().find(&directory.absolute(name));
            return found.map(|_| name.to_owned());
        }
        if program_names().contains(&name) {
            return Some(format!("/bin/{name}"));
        }
        builtins::find(name).map(|_| name.to_owned())
    }

    /// Runs a program with the present state of the shell as its context. The future is boxed so
    /// that the stack frames of the recursive caller keep no room for it.
    pub(super) fn run_program<'a>(
        &'a mut self,
        program: &'a Program,
        args: Vec<String>,
    ) -> BoxFuture<'a, Outcome> {
        let context = Context {
            directory: self.directory.clone(),
            variables: Arc::clone(&self.variables),
            descriptors: self.descriptors.clone(),
            limits: self.limits,
            budget: Arc::clone(&self.budget),
            signals: Arc::clone(&self.signals),
            pid: self.pid,
            host: self,
        };
        Box::pin(commands::run(
            program,
            Call::new(context, program.name, args),
        ))
    }
}

impl Host for Interpreter {
    fn step(&mut self) -> BoxFuture<'_, Result<(), Unwind>> {
        Box::pin(Interpreter::step(self))
    }

    fn rest(&mut self) -> BoxFuture<'_, Result<(), Unwind>> {
        Box::pin(async move {
            self.budget.rest().await;
            self.run_traps().await
        })
    }

    fn run(&mut self, words: Vec<String>, variables: Variables) -> BoxFuture<'_, u8> {
        let mut shell = self.program();
        shell.variables = Arc::new(variables);
        Box::pin(async move {
            let outcome = match shell.enter().await {
                Ok(()) => shell.run_words(words).await,
                Err(unwind) => Err(unwind),
            };
            exit_code(outcome, 0)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_for_one_command() {
        assert!(commands::names().all(|name| builtins::find(name).is_none()));
        let names = program_names();
        assert!(names.contains(&"sh") && names.contains(&"cat") && !names.contains(&"cd"));
        assert!(is_known("sh") && is_known("cat") && is_known("cd") && !is_known("nonesuch"));
    }

    /// Returns the names in code spans of the paragraph that starts with `title`.
    fn names_in_readme(title: &str) -> Vec<&'static str> {
        let readme = include_str!("../../README.md");
        let (_, rest) = readme.split_once(title).expect(title);
        let paragraph = rest.split("\n\n").next().unwrap_or_default();
        paragraph.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn the_readme_lists_all_commands() {
        assert_eq!(names_in_readme("\nPrograms:"), program_names());
        let listed = names_in_readme("\nBuiltins of the shell:");
        let is_program = |name: &&str| program_names().contains(name);
        let builtins = builtins::names().filter(|name| !is_program(name));
        assert_eq!(listed, builtins.collect::<Vec<_>>());
    }
}
