//! Word expansion, POSIX XCU 2.6: turns the words of a script into the words of a command.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::arithmetic::{Names, evaluate};
use super::fields::{Field, Fields, TooLong};
use super::interpreter::Interpreter;
use crate::outcome::Unwind;
use crate::pattern::{without_prefix, without_suffix};
use crate::streams::Output;
use crate::syntax::{List, Part, Substitution, Word};
use crate::variables::{SEPARATORS, Variables};

/// Treatment of the results of expansions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// The results are split into words.
    Words,
    /// The results and the unquoted text around them are split, as in `${x:-…}`.
    SplitAll,
    /// The results stay one word: an assigned value, a pattern, or the target of a redirection.
    Whole,
}

impl Interpreter {
    /// Expands the words of a command: parameters and substitutions, then field splitting, then
    /// pathname expansion.
    pub(super) async fn words(&mut self, words: &[Word]) -> Result<Vec<String>, Unwind> {
        let mut all = Vec::new();
        let mut bytes = 0;
        for word in words {
            let mut fields = self.fields();
            self.expand(word, Mode::Words, &mut fields).await?;
            let Ok(fields) = fields.finish() else {
                return Err(self.too_long().await);
            };
            for field in fields {
                for word in self.glob(field) {
                    bytes += word.len();
                    all.push(word);
                }
            }
            if bytes > self.limits.expansion_bytes || all.len() > self.limits.words {
                return Err(self.too_long().await);
            }
        }
        Ok(all)
    }

    /// Expands a word into one text, without field splitting.
    pub(super) async fn text(&mut self, word: &Word) -> Result<String, Unwind> {
        Ok(self.whole(word).await?.text)
    }

    /// Expands a word into one pattern, in which quoted characters are escaped.
    pub(super) async fn pattern(&mut self, word: &Word) -> Result<String, Unwind> {
        Ok(self.whole(word).await?.pattern)
    }

    async fn whole(&mut self, word: &Word) -> Result<Field, Unwind> {
        let mut fields = self.fields();
        self.expand(word, Mode::Whole, &mut fields).await?;
        Ok(fields.whole())
    }

    fn fields(&self) -> Fields {
        Fields::new(self.limits.expansion_bytes, self.limits.words)
    }

    async fn too_long(&self) -> Unwind {
        self.fatal("Argument list too long").await
    }

    fn expand<'a>(
        &'a mut self,
        word: &'a Word,
        mode: Mode,
        fields: &'a mut Fields,
    ) -> BoxFuture<'a, Result<(), Unwind>> {
        Box::pin(async move {
            for part in &word.0 {
                self.part(part, mode, fields).await?;
            }
            Ok(())
        })
    }

    async fn part(&mut self, part: &Part, mode: Mode, fields: &mut Fields) -> Result<(), Unwind> {
        let added = match part {
            Part::Plain(text) if mode == Mode::SplitAll => fields.split(text, &self.separators()),
            Part::Plain(text) => fields.plain(text),
            Part::Quoted(text) => fields.quoted(text),
            Part::Home => {
                let home = self.variables.get("HOME").unwrap_or("/").to_owned();
                fields.quoted(&home)
            }
            Part::Command { list, quoted } => {
                let output = self.output_of(list).await?;
                self.add(&output, *quoted, mode, fields)
            }
            Part::Arithmetic { expression, quoted } => {
                let text = self.text(expression).await?;
                let value = self.compute(&text).await?;
                self.add(&value.to_string(), *quoted, mode, fields)
            }
            Part::Parameter {
                name,
                substitution,
                quoted,
            } => {
                return self
                    .parameter(name, substitution, *quoted, mode, fields)
                    .await;
            }
        };
        self.check(added).await
    }

    async fn check(&self, added: Result<(), TooLong>) -> Result<(), Unwind> {
        match added {
            Ok(()) => Ok(()),
            Err(TooLong) => Err(self.too_long().await),
        }
    }

    /// Adds the result of an expansion to the fields.
    fn add(
        &self,
        text: &str,
        quoted: bool,
        mode: Mode,
        fields: &mut Fields,
    ) -> Result<(), TooLong> {
        match mode {
            _ if quoted => fields.quoted(text),
            Mode::Whole => fields.plain(text),
            Mode::Words | Mode::SplitAll => fields.split(text, &self.separators()),
        }
    }

    fn separators(&self) -> String {
        self.variables.get("IFS").unwrap_or(SEPARATORS).to_owned()
    }

    async fn parameter(
        &mut self,
        name: &str,
        substitution: &Substitution,
        quoted: bool,
        mode: Mode,
        fields: &mut Fields,
    ) -> Result<(), Unwind> {
        let all = matches!(name, "@" | "*");
        if all && *substitution == Substitution::Value {
            let added = self.add_parameters(name, quoted, mode, fields);
            return self.check(added).await;
        }
        let value = self.value(name);
        let value = match substitution {
            Substitution::Value => match value {
                None if self.options.unset_is_error => return Err(self.unset(name, "").await),
                value => value.unwrap_or_default(),
            },
            Substitution::Length if all => self.parameters.len().to_string(),
            Substitution::Length => value.unwrap_or_default().chars().count().to_string(),
            Substitution::Default { word, or_empty } => match usable(value, *or_empty) {
                Some(value) => value,
                None => return self.instead(word, quoted, mode, fields).await,
            },
            Substitution::Alternative { word, or_empty } => match usable(value, *or_empty) {
                Some(_) => return self.instead(word, quoted, mode, fields).await,
                None => String::new(),
            },
            Substitution::Assign { word, or_empty } => match usable(value, *or_empty) {
                Some(value) => value,
                None if !crate::syntax::is_name(name) => {
                    return Err(self.fatal("bad substitution").await);
                }
                None => {
                    let value = self.text(word).await?;
                    self.assign(name, &value).await?;
                    value
                }
            },
            Substitution::Error { word, or_empty } => match usable(value, *or_empty) {
                Some(value) => value,
                None => {
                    let message = self.text(word).await?;
                    return Err(self.unset(name, &message).await);
                }
            },
            Substitution::RemovePrefix { pattern, longest } => {
                let pattern = self.pattern(pattern).await?;
                without_prefix(&pattern, *longest, &value.unwrap_or_default()).to_owned()
            }
            Substitution::RemoveSuffix { pattern, longest } => {
                let pattern = self.pattern(pattern).await?;
                without_suffix(&pattern, *longest, &value.unwrap_or_default()).to_owned()
            }
        };
        let added = self.add(&value, quoted, mode, fields);
        self.check(added).await
    }

    async fn instead(
        &mut self,
        word: &Word,
        quoted: bool,
        mode: Mode,
        fields: &mut Fields,
    ) -> Result<(), Unwind> {
        let mode = match mode {
            Mode::Words if !quoted => Mode::SplitAll,
            mode => mode,
        };
        if quoted {
            let added = fields.quoted("");
            self.check(added).await?;
        }
        self.expand(word, mode, fields).await
    }

    async fn unset(&self, name: &str, message: &str) -> Unwind {
        let message = match message {
            "" => "parameter not set",
            message => message,
        };
        self.fatal(&format!("{name}: {message}")).await
    }

    /// Adds the positional parameters, for `$@` and `$*`.
    fn add_parameters(
        &self,
        name: &str,
        quoted: bool,
        mode: Mode,
        fields: &mut Fields,
    ) -> Result<(), TooLong> {
        let separators = self.separators();
        if mode == Mode::Whole || (quoted && name == "*") {
            let between = match name {
                "*" => separators
                    .chars()
                    .next()
                    .map(String::from)
                    .unwrap_or_default(),
                _ => " ".to_owned(),
            };
            let joined = self.parameters.join(&between);
            return self.add(&joined, quoted, mode, fields);
        }
        for (index, parameter) in self.parameters.iter().enumerate() {
            if index > 0 {
                fields.end()?;
            }
            if quoted {
                fields.quoted(parameter)?;
            } else {
                fields.split(parameter, &separators)?;
            }
        }
        Ok(())
    }

    /// Returns the value of a variable, or of a positional or special parameter; `None` if it
    /// is unset.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        Some(match name {
            "?" => self.status.to_string(),
            "$" => self.pid.to_string(),
            "!" => self.last_job?.to_string(),
            "#" => self.parameters.len().to_string(),
            "0" => self.name.clone(),
            "@" | "*" if self.parameters.is_empty() => return None,
            "@" | "*" => self.parameters.join(" "),
            "-" => {
                let mut flags = String::new();
                for (set, flag) in [
                    (self.options.exit_on_failure, 'e'),
                    (self.options.no_glob, 'f'),
                    (self.options.unset_is_error, 'u'),
                    (self.options.trace, 'x'),
                ] {
                    flags.extend(set.then_some(flag));
                }
                flags
            }
            "PPID" => "0".to_owned(),
            name => match name.parse::<usize>() {
                Ok(number) => self.parameters.get(number.checked_sub(1)?)?.clone(),
                Err(_) => self.variables.get(name)?.to_owned(),
            },
        })
    }

    /// Evaluates an arithmetic expression. A syntax error ends the shell.
    pub(super) async fn compute(&mut self, expression: &str) -> Result<i64, Unwind> {
        let names = &mut ShellNames(&mut self.variables);
        match evaluate(expression, names) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.fatal(&error.to_string()).await),
        }
    }

    /// Runs a command substitution, and returns its output without trailing newlines and
    /// without NUL characters.
    async fn output_of(&mut self, list: &Arc<List>) -> Result<String, Unwind> {
        self.enter().await?;
        let captured = Arc::default();
        let mut shell = self.subshell();
        shell.descriptors.stdout =
            Output::Captured(Arc::clone(&captured), self.limits.expansion_bytes);
        let outcome = shell.list(list).await;
        self.substituted = Some(shell.finish(outcome).await);
        self.leave();
        let output = String::from_utf8_lossy(&captured.lock()).replace('\0', "");
        Ok(output.trim_end_matches('\n').to_owned())
    }
}

/// Returns a value that is set. With `or_empty`, as for `${x:-…}`, an empty value counts as
/// unset.
fn usable(value: Option<String>, or_empty: bool) -> Option<String> {
    value.filter(|value| !(or_empty && value.is_empty()))
}

struct ShellNames<'v>(&'v mut Arc<Variables>);

impl Names for ShellNames<'_> {
    fn value(&self, name: &str) -> Option<String> {
        self.0.get(name).map(str::to_owned)
    }

    fn assign(&mut self, name: &str, value: i64) -> bool {
        Arc::make_mut(self.0)
            .set(name, Some(&value.to_string()))
            .is_ok()
    }
}
