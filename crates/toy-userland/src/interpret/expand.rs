//! Word expansion, POSIX XCU 2.6: turns the words of a script into the words of a command.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use futures::future::BoxFuture;

use super::arithmetic::{Names, evaluate};
use super::fields::{Field, Fields, Separators, TooLong};
use super::interpreter::Interpreter;
use crate::outcome::Unwind;
use crate::pattern::{Goal, Pattern};
use crate::streams::Output;
use crate::syntax::{List, Part, Substitution, Word};
use crate::variables::{SEPARATORS, Variables};

/// Most bytes of a result of an expansion that are handled in one go.
const PIECE_BYTES: usize = 16 << 10;
/// Comparisons of a pattern with a text that count as a step.
const COMPARISONS_PER_STEP: usize = 2048;

/// Cost of handling a word besides its text, in bytes of text.
const WORD_COST: usize = 64;
/// Cost of evaluating a byte of an arithmetic expression, in bytes of text that are copied.
const EVALUATION_COST: usize = 32;

/// Kind of text that becomes a part of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Quoted,
    /// Text that is split into fields.
    Split,
}

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
                self.spend(field.text.len() + WORD_COST).await?;
                for word in self.glob(field).await? {
                    bytes += word.len();
                    all.push(word);
                }
                if all.len() > self.limits.words {
                    return Err(self.too_long().await);
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
        let crate::Limits {
            words,
            expansion_bytes,
            ..
        } = self.limits;
        let bounds = format!("more than {words} words or {expansion_bytes} bytes");
        self.fatal(&format!("Argument list too long: {bounds}"))
            .await
    }

    /// Matches a text with a pattern, in which quoted characters are escaped. Returns the length
    /// of the text that matches, in bytes.
    ///
    /// # Errors
    /// The end of the shell, after a message, if the pattern is too long.
    pub(super) async fn matched(
        &mut self,
        pattern: &Pattern,
        goal: Goal,
        text: &str,
    ) -> Result<Option<usize>, Unwind> {
        let mut matching = pattern.matching(goal, text);
        loop {
            let found = matching.work(COMPARISONS_PER_STEP);
            if let ControlFlow::Break(found) = found {
                return Ok(found);
            }
            self.step().await?;
        }
    }

    /// Parses a pattern, in which quoted characters are escaped.
    ///
    /// # Errors
    /// The end of the shell, after a message, if the pattern is too long.
    pub(super) async fn parsed_pattern(&mut self, pattern: &str) -> Result<Pattern, Unwind> {
        self.spend(pattern.len()).await?;
        match Pattern::new(pattern) {
            Ok(pattern) => Ok(pattern),
            Err(error) => Err(self.fatal(&error.to_string()).await),
        }
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
        match part {
            Part::Plain(text) if mode == Mode::SplitAll => {
                self.add_as(Kind::Split, text, fields).await
            }
            Part::Plain(text) => self.add_as(Kind::Plain, text, fields).await,
            Part::Quoted(text) => self.add_as(Kind::Quoted, text, fields).await,
            Part::Home => {
                let home = self.variables.get("HOME").unwrap_or("/").to_owned();
                self.add_as(Kind::Quoted, &home, fields).await
            }
            Part::Command { list, quoted } => {
                let output = self.output_of(list).await?;
                self.add(&output, *quoted, mode, fields).await
            }
            Part::Arithmetic { expression, quoted } => {
                let text = self.text(expression).await?;
                let value = self.compute(&text).await?;
                self.add(&value.to_string(), *quoted, mode, fields).await
            }
            Part::Parameter {
                name,
                substitution,
                quoted,
            } => {
                self.parameter(name, substitution, *quoted, mode, fields)
                    .await
            }
        }
    }

    async fn check(&self, added: Result<(), TooLong>) -> Result<(), Unwind> {
        match added {
            Ok(()) => Ok(()),
            Err(TooLong) => Err(self.too_long().await),
        }
    }

    /// Adds the result of an expansion to the fields.
    async fn add(
        &mut self,
        text: &str,
        quoted: bool,
        mode: Mode,
        fields: &mut Fields,
    ) -> Result<(), Unwind> {
        let kind = match mode {
            _ if quoted => Kind::Quoted,
            Mode::Whole => Kind::Plain,
            Mode::Words | Mode::SplitAll => Kind::Split,
        };
        self.add_as(kind, text, fields).await
    }

    /// Adds a text to the fields piece by piece.
    async fn add_as(&mut self, kind: Kind, text: &str, fields: &mut Fields) -> Result<(), Unwind> {
        let separators = match kind {
            Kind::Split => self.separators(),
            Kind::Plain | Kind::Quoted => Separators::default(),
        };
        let mut rest = text;
        loop {
            let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
            let added = match kind {
                Kind::Plain => fields.plain(piece),
                Kind::Quoted => fields.quoted(piece),
                Kind::Split => fields.split(piece, &separators),
            };
            self.check(added).await?;
            self.spend(piece.len()).await?;
            rest = after;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    fn separators(&self) -> Separators {
        Separators::new(self.variables.get("IFS").unwrap_or(SEPARATORS))
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
            return self.add_parameters(name, quoted, mode, fields).await;
        }
        let value = self.value(name);
        self.spend(value.as_ref().map_or(0, String::len)).await?;
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
                let pattern = self.parsed_pattern(&pattern).await?;
                let mut value = value.unwrap_or_default();
                let goal = Goal::Prefix { longest: *longest };
                let found = self.matched(&pattern, goal, &value).await?;
                value.split_off(found.unwrap_or(0))
            }
            Substitution::RemoveSuffix { pattern, longest } => {
                let pattern = self.pattern(pattern).await?;
                let pattern = self.parsed_pattern(&pattern).await?;
                let mut value = value.unwrap_or_default();
                let goal = Goal::Suffix { longest: *longest };
                let found = self.matched(&pattern, goal, &value).await?;
                value.truncate(value.len() - found.unwrap_or(0));
                value
            }
        };
        self.add(&value, quoted, mode, fields).await
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
            self.add_as(Kind::Quoted, "", fields).await?;
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
    async fn add_parameters(
        &mut self,
        name: &str,
        quoted: bool,
        mode: Mode,
        fields: &mut Fields,
    ) -> Result<(), Unwind> {
        let parameters = Arc::clone(&self.parameters);
        if mode == Mode::Whole || (quoted && name == "*") {
            let between = match name {
                "*" => {
                    let separators = self.variables.get("IFS").unwrap_or(SEPARATORS);
                    separators.chars().next().map(String::from)
                }
                _ => Some(" ".to_owned()),
            };
            let joined = parameters.join(&between.unwrap_or_default());
            return self.add(&joined, quoted, mode, fields).await;
        }
        for (index, parameter) in parameters.iter().enumerate() {
            if index > 0 {
                let added = fields.end();
                self.check(added).await?;
            }
            let kind = if quoted { Kind::Quoted } else { Kind::Split };
            self.add_as(kind, parameter, fields).await?;
            self.spend(WORD_COST).await?;
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
        self.spend_on_variables().await?;
        self.spend(expression.len().saturating_mul(EVALUATION_COST))
            .await?;
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
        let output = std::mem::take(&mut *captured.lock());
        self.spend(output.len()).await?;
        let mut output = String::from_utf8(output)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        output.retain(|c| c != '\0');
        output.truncate(output.trim_end_matches('\n').len());
        Ok(output)
    }
}

/// Returns a value that is set. With `or_empty`, as for `${x:-…}`, an empty value counts as
/// unset.
fn usable(value: Option<String>, or_empty: bool) -> Option<String> {
    value.filter(|value| !(or_empty && value.is_empty()))
}

struct ShellNames<'v>(&'v mut Arc<Variables>);

impl Names for ShellNames<'_> {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.get(name).map(Cow::Borrowed)
    }

    fn assign(&mut self, name: &str, value: i64) -> bool {
        Arc::make_mut(self.0)
            .set(name, Some(&value.to_string()))
            .is_ok()
    }
}
