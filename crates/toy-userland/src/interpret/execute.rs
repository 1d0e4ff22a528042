//! Execution of lists, pipelines and compound commands, POSIX XCU 2.9.

use std::sync::Arc;

use futures::future::{BoxFuture, join_all};

use super::interpreter::{Function, Interpreter};
use crate::outcome::{Outcome, Unwind};
use crate::pattern::Goal;
use crate::streams::{Input, Output};
use crate::syntax::{AndOr, Command, CommandKind, Connector, List, Pipeline, Redirect, Word};

impl Interpreter {
    /// Runs the commands of a list in sequence. The code is that of the last one.
    pub(crate) fn list<'a>(&'a mut self, list: &'a List) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            if list.0.is_empty() {
                self.status = 0;
            }
            for item in &list.0 {
                self.status = if item.background {
                    self.start_job(&item.command).await
                } else {
                    self.and_or(&item.command).await?
                };
            }
            Ok(self.status)
        })
    }

    /// Runs the pipelines of an AND-OR list, and skips each one that `&&` or `||` excludes.
    pub(super) async fn and_or(&mut self, command: &AndOr) -> Outcome {
        let within_condition = self.condition;
        let mut last = command.rest.is_empty();
        self.condition = within_condition || !last;
        let first = self.pipeline(&command.first).await;
        let mut negated = command.first.negated;
        self.condition = within_condition;
        let mut status = first?;
        for (index, (connector, pipeline)) in command.rest.iter().enumerate() {
            if (*connector == Connector::And) != (status == 0) {
                continue;
            }
            last = index + 1 == command.rest.len();
            negated = pipeline.negated;
            self.status = status;
            self.condition = within_condition || !last;
            let outcome = self.pipeline(pipeline).await;
            self.condition = within_condition;
            status = outcome?;
        }
        let failed = status != 0 && last && !negated;
        if failed && self.options.exit_on_failure && !within_condition {
            return Err(Unwind::Exit(status));
        }
        Ok(status)
    }

    async fn pipeline(&mut self, pipeline: &Pipeline) -> Outcome {
        let within_condition = self.condition;
        self.condition |= pipeline.negated;
        let outcome = match pipeline.commands.as_slice() {
            [command] => self.command(command).await,
            commands => self.stages(commands).await,
        };
        self.condition = within_condition;
        let status = outcome?;
        Ok(if pipeline.negated {
            u8::from(status == 0)
        } else {
            status
        })
    }

    /// Runs the commands of a pipeline concurrently, each in a subshell of its own.
    async fn stages(&mut self, commands: &[Command]) -> Outcome {
        let wanted = u32::try_from(commands.len()).unwrap_or(u32::MAX);
        let Ok(_permits) = Arc::clone(&self.stages).try_acquire_many_owned(wanted) else {
            let limit = self.limits.stages;
            let message = format!("can't fork: more than {limit} commands in pipelines");
            self.complain(&message).await;
            return Ok(2);
        };
        self.enter().await?;
        let mut stages = Vec::new();
        let mut input = self.descriptors.stdin.clone();
        for (index, command) in commands.iter().enumerate() {
            let mut shell = self.subshell();
            shell.descriptors.stdin = input;
            input = Input::empty();
            if index + 1 < commands.len() {
                let (writer, reader) = tokio::io::duplex(self.limits.pipe_bytes);
                shell.descriptors.stdout = Output::new(Box::new(writer));
                input = Input::new(Box::new(reader));
            }
            stages.push(async move {
                let outcome = shell.command(command).await;
                // The subshell is dropped here, which closes its ends of the pipes.
                shell.finish(outcome).await
            });
        }
        let codes = join_all(stages).await;
        self.leave();
        let failed = codes.iter().rev().find(|code| **code != 0);
        Ok(match failed {
            Some(code) if self.options.pipe_fail => *code,
            _ => codes.last().copied().unwrap_or(0),
        })
    }

    /// Runs one command, simple or compound.
    pub(super) fn command<'a>(&'a mut self, command: &'a Command) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            if let CommandKind::Simple { assignments, words } = &command.kind {
                return self.simple(assignments, words, &command.redirects).await;
            }
            self.step().await?;
            self.enter().await?;
            let outcome = self.compound(&command.kind, &command.redirects).await;
            self.leave();
            outcome
        })
    }

    async fn compound(&mut self, kind: &CommandKind, redirects: &[Redirect]) -> Outcome {
        if redirects.is_empty() {
            return self.compound_kind(kind).await;
        }
        let before = self.descriptors.clone();
        let outcome = match self.redirect(redirects).await {
            Ok(()) => self.compound_kind(kind).await,
            Err(unwind) => Err(unwind),
        };
        self.descriptors = before;
        match outcome {
            Err(Unwind::Failed(code)) => Ok(code),
            outcome => outcome,
        }
    }

    async fn compound_kind(&mut self, kind: &CommandKind) -> Outcome {
        match kind {
            // `command` runs simple commands itself.
            CommandKind::Simple { .. } => Ok(0),
            CommandKind::Group(list) => self.list(list).await,
            CommandKind::Subshell(list) => {
                let mut shell = self.subshell();
                let outcome = shell.list(list).await;
                Ok(shell.finish(outcome).await)
            }
            CommandKind::If { arms, otherwise } => {
                for (condition, body) in arms {
                    if self.holds(condition).await? {
                        return self.list(body).await;
                    }
                }
                match otherwise {
                    Some(body) => self.list(body).await,
                    None => Ok(0),
                }
            }
            CommandKind::Loop {
                until,
                condition,
                body,
            } => {
                self.loops += 1;
                let outcome = self.repeat(*until, condition, body).await;
                self.loops -= 1;
                outcome
            }
            CommandKind::For { name, words, body } => {
                let words = match words {
                    Some(words) => self.words(words).await?,
                    None => self.parameters.to_vec(),
                };
                self.loops += 1;
                let outcome = self.for_each(name, &words, body).await;
                self.loops -= 1;
                outcome
            }
            CommandKind::Case { subject, arms } => self.case(subject, arms).await,
            CommandKind::Function { name, body, words } => {
                let function = Function {
                    body: Arc::clone(body),
                    words: *words,
                };
                self.define(name, function).await
            }
        }
    }

    /// Defines a function, in place of another one of its name.
    async fn define(&mut self, name: &str, function: Function) -> Outcome {
        let others = self.functions.iter().filter(|(other, _)| *other != name);
        let (mut number, mut words) = (1, function.words);
        for (_, other) in others {
            number += 1;
            words += other.words;
        }
        let limits = self.limits;
        if number > limits.functions || words > limits.words {
            let (functions, words) = (limits.functions, limits.words);
            let message =
                format!("out of memory: more than {functions} functions or {words} words in them");
            return Err(self.fatal(&message).await);
        }
        Arc::make_mut(&mut self.functions).insert(name.to_owned(), function);
        Ok(0)
    }

    /// Runs a condition, and returns whether its exit code is 0. `set -e` ignores its failures.
    async fn holds(&mut self, condition: &List) -> Result<bool, Unwind> {
        let within_condition = self.condition;
        self.condition = true;
        let outcome = self.list(condition).await;
        self.condition = within_condition;
        Ok(outcome? == 0)
    }

    async fn repeat(&mut self, until: bool, condition: &List, body: &List) -> Outcome {
        let mut status = 0;
        loop {
            self.step().await?;
            let held = match after_round(self.holds(condition).await)? {
                Round::Done(held) => held,
                Round::Next => continue,
                Round::Over => return Ok(0),
            };
            if held == until {
                return Ok(status);
            }
            match after_round(self.list(body).await)? {
                Round::Done(code) => status = code,
                Round::Next => status = 0,
                Round::Over => return Ok(0),
            }
        }
    }

    async fn for_each(&mut self, name: &str, words: &[String], body: &List) -> Outcome {
        let mut status = 0;
        for word in words {
            self.step().await?;
            self.assign(name, word).await?;
            match after_round(self.list(body).await)? {
                Round::Done(code) => status = code,
                Round::Next => status = 0,
                Round::Over => return Ok(0),
            }
        }
        Ok(status)
    }

    async fn case(&mut self, subject: &Word, arms: &[(Vec<Word>, List)]) -> Outcome {
        let subject = self.text(subject).await?;
        for (patterns, body) in arms {
            for pattern in patterns {
                self.step().await?;
                let pattern = self.pattern(pattern).await?;
                let pattern = self.parsed_pattern(&pattern).await?;
                let found = self.matched(&pattern, Goal::Whole, &subject).await?;
                if found.is_some() {
                    return self.list(body).await;
                }
            }
        }
        Ok(0)
    }
}

/// Continuation of a loop after one round.
enum Round<T> {
    Done(T),
    Next,
    Over,
}

/// Handles a `break` or `continue` that is meant for this loop. One for an outer loop is
/// passed on with its level reduced by one.
fn after_round<T>(outcome: Result<T, Unwind>) -> Result<Round<T>, Unwind> {
    match outcome {
        Ok(value) => Ok(Round::Done(value)),
        Err(Unwind::Break(1)) => Ok(Round::Over),
        Err(Unwind::Continue(1)) => Ok(Round::Next),
        Err(Unwind::Break(levels)) => Err(Unwind::Break(levels - 1)),
        Err(Unwind::Continue(levels)) => Err(Unwind::Continue(levels - 1)),
        Err(unwind) => Err(unwind),
    }
}
