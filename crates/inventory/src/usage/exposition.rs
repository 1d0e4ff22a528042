//! Metrics as text with times: OpenMetrics 1.0, and the text format of Prometheus.

use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;

use super::metric::{Container, Quantity, SeriesLabels, Subject, quantity};
use super::number::{seconds, value};
use super::series::{Point, Points};
use super::{UsageReader, shared};
use crate::lines::Lines;
use crate::{ReadError, Source};

/// Whole numbers from here on are milliseconds: as seconds they lie after the year 5000.
const MILLISECONDS: i64 = 100_000_000_000;

/// Destination of the points of one series.
enum Target {
    Points(usize),
    Nothing,
}

/// Reads metrics as text.
pub(super) fn read(
    usage: &mut UsageReader,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    let file = shared(file);
    let wrong = |line, message: String| {
        let place = Source {
            file: Arc::clone(&file),
            line,
        };
        ReadError::wrong(place, "", message)
    };
    // By the text of name and labels, which is the same in each line of a series.
    let mut targets: HashMap<Box<str>, Target> = HashMap::new();
    let mut all: Vec<(Container, Quantity, Points)> = Vec::new();
    let mut lines = Lines::new(reader);
    loop {
        let line = lines.next().map_err(|error| ReadError::Io {
            file: file.to_string(),
            error,
        })?;
        let Some((number, line)) = line else { break };
        let line = std::str::from_utf8(line)
            .map_err(|_| wrong(number, "the line is not in UTF-8".to_owned()))?;
        let line = line.trim();
        if line == "# EOF" {
            break;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (series, rest) = split(line).map_err(|message| wrong(number, message))?;
        if !targets.contains_key(series) {
            let target = match target(usage, series).map_err(|message| wrong(number, message))? {
                Some((container, quantity)) => {
                    all.push((container, quantity, Points::default()));
                    Target::Points(all.len() - 1)
                }
                None => Target::Nothing,
            };
            targets.insert(series.into(), target);
        }
        let Some(Target::Points(place)) = targets.get(series) else {
            continue;
        };
        let mut words = rest.split_ascii_whitespace();
        let text = words
            .next()
            .ok_or_else(|| wrong(number, "the value is missing".to_owned()))?;
        let time = words
            .next()
            .filter(|word| *word != "#")
            .ok_or_else(|| wrong(number, "the time of the sample is missing".to_owned()))?;
        let time = time_of(time)
            .ok_or_else(|| wrong(number, format!("{time:?} is no time in seconds or ms")))?;
        match value(text).map_err(|message| wrong(number, message))? {
            Some(value) => {
                if let Some((_, _, points)) = all.get_mut(*place) {
                    points.0.push(Point {
                        time,
                        value,
                        place: number,
                    });
                }
            }
            None => usage.notes.not_a_number += 1,
        }
    }
    for (container, quantity, points) in all {
        usage
            .take(&container, quantity, points)
            .map_err(|(line, message)| wrong(line, message))?;
    }
    Ok(())
}

/// Returns the container and quantity of a series, given by its name and labels; `None` for one
/// that is left out.
fn target(usage: &mut UsageReader, series: &str) -> Result<Option<(Container, Quantity)>, String> {
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap_or(labels)),
        None => (series, ""),
    };
    let Some(quantity) = quantity(name) else {
        usage.notes.foreign(name);
        return Ok(None);
    };
    let mut of_series = SeriesLabels::default();
    each_label(labels, |key, value| of_series.take(key, value))?;
    Ok(match of_series.subject()? {
        Subject::Container(container) => Some((container, quantity)),
        Subject::Pod => {
            usage.notes.of_pods += 1;
            None
        }
        Subject::Other => {
            usage.notes.of_others += 1;
            None
        }
    })
}

/// Splits a line into name with labels, and the rest.
fn split(line: &str) -> Result<(&str, &str), String> {
    let Some(open) = line.find(['{', ' ', '\t']) else {
        return Err("the value is missing".to_owned());
    };
    if line.as_bytes().get(open) != Some(&b'{') {
        return Ok(line.split_at(open));
    }
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (place, byte) in line.bytes().enumerate().skip(open) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'}' if !is_quoted => return Ok(line.split_at(place + 1)),
            _ => {}
        }
    }
    Err("the labels do not end with a brace".to_owned())
}

/// Calls `take` with each label of a list, without its escapes.
fn each_label(mut labels: &str, mut take: impl FnMut(&str, &str)) -> Result<(), String> {
    loop {
        labels = labels.trim_start_matches([' ', ',']);
        if labels.is_empty() {
            return Ok(());
        }
        let (key, rest) = labels
            .split_once('=')
            .ok_or_else(|| format!("{labels:?} is no label"))?;
        let rest = rest.trim_start().strip_prefix('"');
        let rest = rest.ok_or_else(|| format!("the label {key} has no value"))?;
        let mut value = String::new();
        let mut chars = rest.char_indices();
        labels = loop {
            match chars.next() {
                None => return Err(format!("the value of the label {key} does not end")),
                Some((place, '"')) => break &rest[place + 1..],
                Some((_, '\\')) => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, other)) => value.push(other),
                    None => {}
                },
                Some((_, other)) => value.push(other),
            }
        };
        take(key.trim(), &value);
    }
}

/// Reads a time: seconds in OpenMetrics, milliseconds in the text format of Prometheus.
fn time_of(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(number) if number >= MILLISECONDS => number.checked_mul(1_000_000),
        _ => seconds(text),
    }
}
