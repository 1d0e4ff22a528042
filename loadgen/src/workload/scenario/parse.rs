//! Parser from TOML to a scenario, with line and column in errors.

use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use toml::{Spanned, Value};

use super::limits::{MAX_CONCURRENCY, MAX_CONNECTIONS, MAX_PODS, MAX_THREADS};
use super::value::{self, Problem};
use super::{Arrivals, Closed, LoadShape, Phase, PodShape, Scenario, SignalChoice};
use crate::similar;

/// Failure to read a scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// There is neither a shipped scenario nor a file with this name.
    #[error(
        "no scenario is called {name:?}{}: the shipped ones are {}; a file's name ends in .toml or \
         has a slash",
        similar::hint(name, super::presets::names()),
        super::presets::names().join(", ")
    )]
    Unknown {
        /// The name.
        name: String,
    },
    /// A file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// The failure.
        #[source]
        source: std::io::Error,
    },
    /// The document violates the format of a scenario.
    #[error("{origin}:{line}:{column}: {message}")]
    Wrong {
        /// The file, or the name of a shipped scenario.
        origin: String,
        /// Line number, from 1.
        line: usize,
        /// Column number, from 1.
        column: usize,
        /// Description of the violation and of the expected form.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a scenario")]
struct Document {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    subject: Option<String>,
    #[serde(default = "default_seed")]
    seed: u64,
    #[serde(default)]
    pods: PodsTable,
    load: Spanned<LoadTable>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct PodsTable {
    containers: Option<Spanned<Value>>,
    cpu_millicores: Option<Spanned<Value>>,
    memory_mib: Option<Spanned<Value>>,
    pids: Option<Spanned<Value>>,
    signal: Option<Spanned<String>>,
    life: Option<Spanned<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct LoadTable {
    concurrency: Option<Spanned<i64>>,
    pods: Option<Spanned<i64>>,
    warm_up_pods: Option<Spanned<i64>>,
    duration: Option<Spanned<String>>,
    connections: Option<Spanned<i64>>,
    threads: Option<Spanned<i64>>,
    timeout: Option<Spanned<String>>,
    max_in_flight: Option<Spanned<i64>>,
    phases: Option<Vec<Spanned<PhaseTable>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct PhaseTable {
    name: Spanned<String>,
    duration: Spanned<String>,
    rate: Spanned<Value>,
    arrivals: Option<Spanned<String>>,
    #[serde(default = "yes")]
    measured: bool,
}

fn default_seed() -> u64 {
    42
}

fn yes() -> bool {
    true
}

impl Scenario {
    /// Parses a document; errors call it `origin`.
    ///
    /// # Errors
    /// [`ScenarioError::Wrong`], with line and column.
    pub fn parse(text: &str, origin: &str) -> Result<Self, ScenarioError> {
        let at = |span: Option<Range<usize>>, message: String| {
            let (line, column) = place(text, span.map_or(0, |span| span.start));
            ScenarioError::Wrong {
                origin: origin.to_owned(),
                line,
                column,
                message,
            }
        };
        let document: Document = toml::from_str(text).map_err(|e| at(e.span(), named(text, &e)))?;
        let scenario = document.scenario();
        scenario.map_err(|problem| at(problem.span, problem.message))
    }
}

/// Returns the message of a type error, preceded by the key, which the span does not
/// include.
fn named(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().trim_end();
    let message = message
        .replace("expected i64", "expected a whole number")
        .replace("expected u64", "expected a whole number from 0");
    let before = error.span().and_then(|span| text.get(..span.start));
    let key = before
        .and_then(|before| before.trim_end().strip_suffix('='))
        .and_then(|before| {
            let part_of_key = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            before.trim_end().rsplit(|c| !part_of_key(c)).next()
        });
    let message = with_hint(message);
    match key {
        None | Some("") => message,
        Some(key) => format!("{key}: {message}"),
    }
}

/// Adds the most similar known field to the message of an unknown one, which lists the known fields
/// between backticks.
fn with_hint(message: String) -> String {
    let Some(list) = message.strip_prefix("unknown field `") else {
        return message;
    };
    let mut words = list.split('`').step_by(2);
    let unknown = words.next().unwrap_or_default();
    let hint = similar::hint(unknown, words);
    message + &hint
}

/// Returns the line and the column of a byte, both from 1.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

impl Document {
    fn scenario(self) -> Result<Scenario, Problem> {
        let name = self.name.get_ref();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            let message = format!("name is {name:?}, not lower-case letters, digits and hyphens");
            return Err(Problem::at(&self.name, message));
        }
        let table = self.load.get_ref();
        let connections = number(
            table.connections.as_ref(),
            "connections",
            4,
            1..=MAX_CONNECTIONS,
        )?;
        let threads = number(table.threads.as_ref(), "threads", 1, 1..=MAX_THREADS)?;
        let timeout = match &table.timeout {
            None => Duration::from_secs(30),
            Some(text) => duration(text, "timeout")?,
        };
        Ok(Scenario {
            name: name.clone(),
            description: self.description,
            subject: self.subject,
            seed: self.seed,
            pods: self.pods.shape()?,
            load: load(&self.load)?,
            connections,
            threads,
            timeout,
        })
    }
}

impl PodsTable {
    fn shape(&self) -> Result<PodShape, Problem> {
        let mut shape = PodShape::default();
        let fields = [
            (&self.containers, &mut shape.containers, &value::CONTAINERS),
            (
                &self.cpu_millicores,
                &mut shape.cpu_millicores,
                &value::CPU_MILLICORES,
            ),
            (&self.memory_mib, &mut shape.memory_mib, &value::MEMORY_MIB),
            (&self.pids, &mut shape.pids, &value::PIDS),
        ];
        for (given, field, key) in fields {
            if let Some(given) = given {
                *field = value::distribution(given.get_ref(), key)
                    .map_err(|message| Problem::at(given, message))?;
            }
        }
        if let Some(given) = &self.signal {
            shape.signal = SignalChoice::named(given.get_ref()).ok_or_else(|| {
                let message = format!("signal is {:?}, not kill, term or mix", given.get_ref());
                Problem::at(given, message)
            })?;
        }
        if let Some(given) = &self.life {
            shape.lifecycle =
                value::life(given.get_ref()).map_err(|message| Problem::at(given, message))?;
        }
        Ok(shape)
    }
}

fn load(table: &Spanned<LoadTable>) -> Result<LoadShape, Problem> {
    let load = table.get_ref();
    let Some(phases) = &load.phases else {
        if let Some(given) = &load.max_in_flight {
            let message = "max_in_flight belongs to an open loop, which has phases".to_owned();
            return Err(Problem::at(given, message));
        }
        return closed(load).map(LoadShape::Closed);
    };
    let of_closed = [
        ("concurrency", load.concurrency.as_ref().map(Spanned::span)),
        ("pods", load.pods.as_ref().map(Spanned::span)),
        (
            "warm_up_pods",
            load.warm_up_pods.as_ref().map(Spanned::span),
        ),
        ("duration", load.duration.as_ref().map(Spanned::span)),
    ];
    if let Some((key, Some(span))) = of_closed.into_iter().find(|(_, span)| span.is_some()) {
        return Err(Problem {
            span: Some(span),
            message: format!("{key} belongs to a closed loop, which has no phases"),
        });
    }
    let max_in_flight = number(
        load.max_in_flight.as_ref(),
        "max_in_flight",
        10_000,
        1..=MAX_CONCURRENCY,
    )?;
    let phases = phases.iter().map(phase).collect::<Result<Vec<_>, _>>()?;
    if !phases.iter().any(|phase| phase.measured) {
        return Err(Problem::at(table, "no phase is measured".to_owned()));
    }
    not_too_many(&phases).map_err(|message| Problem::at(table, message))?;
    Ok(LoadShape::Open {
        phases,
        max_in_flight,
    })
}

fn closed(load: &LoadTable) -> Result<Closed, Problem> {
    Ok(Closed {
        concurrency: number(
            load.concurrency.as_ref(),
            "concurrency",
            64,
            1..=MAX_CONCURRENCY,
        )?,
        pods: number(load.pods.as_ref(), "pods", 2000, 1..=MAX_PODS)?,
        warm_up_pods: number(load.warm_up_pods.as_ref(), "warm_up_pods", 0, 0..=MAX_PODS)?,
        duration: match &load.duration {
            None => None,
            Some(text) => Some(duration(text, "duration")?),
        },
    })
}

fn phase(table: &Spanned<PhaseTable>) -> Result<Phase, Problem> {
    let phase = table.get_ref();
    if phase.name.get_ref().is_empty() {
        return Err(Problem::at(&phase.name, "name is empty".to_owned()));
    }
    Ok(Phase {
        name: phase.name.get_ref().clone(),
        duration: duration(&phase.duration, "duration")?,
        rate: value::rate(phase.rate.get_ref())
            .map_err(|message| Problem::at(&phase.rate, message))?,
        arrivals: match &phase.arrivals {
            None => Arrivals::Poisson,
            Some(given) => Arrivals::named(given.get_ref()).ok_or_else(|| {
                let message = format!("arrivals is {:?}, not constant or poisson", given.get_ref());
                Problem::at(given, message)
            })?,
        },
        measured: phase.measured,
    })
}

fn number<T: Copy + TryFrom<i64> + PartialOrd + std::fmt::Display>(
    given: Option<&Spanned<i64>>,
    key: &str,
    default: T,
    range: RangeInclusive<T>,
) -> Result<T, Problem> {
    let Some(given) = given else {
        return Ok(default);
    };
    match T::try_from(*given.get_ref()) {
        Ok(value) if range.contains(&value) => Ok(value),
        _ => {
            let (value, least, most) = (given.get_ref(), range.start(), range.end());
            let message = format!("{key} is {value}, not from {least} to {most}");
            Err(Problem::at(given, message))
        }
    }
}

fn duration(given: &Spanned<String>, key: &str) -> Result<Duration, Problem> {
    value::duration(given.get_ref())
        .map_err(|message| Problem::at(given, format!("{key} {message}")))
}

/// Checks that the phases bring at most [`MAX_PODS`] pods.
pub(super) fn not_too_many(phases: &[Phase]) -> Result<(), String> {
    let each = phases
        .iter()
        .map(|phase| phase.rate.mean() * phase.duration.as_secs_f64());
    let pods: f64 = each.sum();
    if pods <= MAX_PODS as f64 {
        return Ok(());
    }
    Err(format!(
        "the phases bring about {pods:.0} pods, more than {MAX_PODS}"
    ))
}
