//! Tables: a header, then one line for each container and time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;

use super::metric::{Container, Quantity};
use super::number::{seconds, value};
use super::series::{Point, Points};
use super::{UsageReader, shared};
use crate::lines::Lines;
use crate::{ReadError, Source, Timestamp};

/// Columns, in their order. The last one may be absent.
const COLUMNS: [&str; 7] = [
    "time",
    "namespace",
    "pod",
    "container",
    "cpu_millicores",
    "memory_bytes",
    "oom",
];
/// A mark that some programs write at the beginning of a text in UTF-8.
const BOM: &str = "\u{feff}";

/// Returns whether a file that begins like this is a table.
pub(super) fn is_table(beginning: &[u8]) -> bool {
    let beginning = beginning.strip_prefix(BOM.as_bytes()).unwrap_or(beginning);
    beginning.starts_with(b"time,") || beginning.starts_with(b"\"time\",")
}

/// Points of one container, by quantity.
#[derive(Default)]
struct Rows {
    cpu: Points,
    memory: Points,
    oom: Points,
}

/// Rows so far, by container.
#[derive(Default)]
struct Table {
    numbers: HashMap<Container, usize>,
    rows: Vec<(Container, Rows)>,
    /// Place of the container of the last line, which most lines repeat.
    last: usize,
    not_a_number: u64,
}

/// Column and description of a wrong value.
type Wrong = (&'static str, String);

/// Reads a table.
pub(super) fn read(
    usage: &mut UsageReader,
    file: &str,
    reader: &mut dyn BufRead,
) -> Result<(), ReadError> {
    let file = shared(file);
    let wrong = |line, (column, message): Wrong| {
        let place = Source {
            file: Arc::clone(&file),
            line,
        };
        ReadError::wrong(place, column, message)
    };
    let (mut table, mut columns) = (Table::default(), 0);
    let mut lines = Lines::new(reader);
    loop {
        let line = lines.next().map_err(|error| ReadError::Io {
            file: file.to_string(),
            error,
        })?;
        let Some((number, line)) = line else { break };
        let line = std::str::from_utf8(line);
        let line = line.map_err(|_| wrong(number, ("", "not in UTF-8".to_owned())))?;
        let line = line.trim_end_matches(['\n', '\r']);
        if number == 1 {
            let header = line.strip_prefix(BOM).unwrap_or(line);
            columns = header_of(header).map_err(|message| wrong(1, ("", message)))?;
        } else if !line.is_empty() {
            table
                .add(number, line, columns)
                .map_err(|error| wrong(number, error))?;
        }
    }
    usage.notes.not_a_number += table.not_a_number;
    for (container, rows) in table.rows {
        for (quantity, column, points) in [
            (Quantity::Cpu, COLUMNS[4], rows.cpu),
            (Quantity::Memory, COLUMNS[5], rows.memory),
            (Quantity::Oom, COLUMNS[6], rows.oom),
        ] {
            usage
                .take(&container, quantity, points)
                .map_err(|(line, message)| wrong(line, (column, message)))?;
        }
    }
    Ok(())
}

impl Table {
    /// Adds the line with this number.
    fn add(&mut self, number: u64, line: &str, columns: usize) -> Result<(), Wrong> {
        let Fields { fields, count } = fields(line).map_err(|message| ("", message))?;
        if count != columns {
            let message = format!("{count} columns, and the header has {columns}");
            return Err(("", message));
        }
        let [time, namespace, pod, container, cpu, memory, oom] = fields;
        let time = time_of(&time).ok_or_else(|| (COLUMNS[0], format!("{time:?} is no time")))?;
        for (column, text) in COLUMNS[1..].iter().zip([&namespace, &pod, &container]) {
            if text.is_empty() {
                return Err((column, "missing".to_owned()));
            }
        }
        let mut not_a_number = 0;
        let rows = self.rows(namespace, pod, container);
        let mut put = |points: &mut Points, text: &str, column, unit: f64| {
            if text.is_empty() {
                return Ok(());
            }
            match value(text).map_err(|message| (column, message))? {
                Some(value) => points.0.push(Point {
                    time,
                    value: value * unit,
                    place: number,
                }),
                None => not_a_number += 1,
            }
            Ok(())
        };
        // In cores, as Prometheus has them.
        put(&mut rows.cpu, &cpu, COLUMNS[4], 0.001)?;
        put(&mut rows.memory, &memory, COLUMNS[5], 1.0)?;
        let oom = match oom.trim() {
            "0" | "false" => "",
            "true" => "1",
            other => other,
        };
        put(&mut rows.oom, oom, COLUMNS[6], 1.0)?;
        self.not_a_number += not_a_number;
        Ok(())
    }

    fn rows(
        &mut self,
        namespace: Cow<'_, str>,
        pod: Cow<'_, str>,
        name: Cow<'_, str>,
    ) -> &mut Rows {
        let is_last = self.rows.get(self.last).is_some_and(|(known, _)| {
            known.pod == pod && known.name == name && known.namespace == namespace
        });
        if !is_last {
            let container = Container {
                namespace: namespace.into_owned(),
                pod: pod.into_owned(),
                name: name.into_owned(),
            };
            let known = self.numbers.get(&container).copied();
            self.last = known.unwrap_or(self.rows.len());
            if known.is_none() {
                self.numbers.insert(container.clone(), self.last);
                self.rows.push((container, Rows::default()));
            }
        }
        &mut self.rows[self.last].1
    }
}

/// Returns the number of columns of a header.
fn header_of(header: &str) -> Result<usize, String> {
    let names: Vec<&str> = header
        .split(',')
        .map(|name| name.trim().trim_matches('"'))
        .collect();
    let (most, least) = (COLUMNS.len(), COLUMNS.len() - 1);
    if names == COLUMNS || names == COLUMNS[..least] {
        return Ok(names.len().min(most));
    }
    Err(format!(
        "the header is {header:?}, not {}[,oom]",
        COLUMNS[..least].join(",")
    ))
}

/// Fields of a line; those that are absent are empty.
struct Fields<'a> {
    fields: [Cow<'a, str>; COLUMNS.len()],
    count: usize,
}

/// Splits a line at its commas. A field in quotation marks may contain commas, and a doubled
/// quotation mark (RFC 4180).
fn fields(line: &str) -> Result<Fields<'_>, String> {
    let mut all = Fields {
        fields: Default::default(),
        count: 0,
    };
    let mut rest = Some(line);
    while let Some(line) = rest {
        let field;
        (field, rest) = match line.strip_prefix('"') {
            None => match line.split_once(',') {
                Some((field, rest)) => (Cow::Borrowed(field), Some(rest)),
                None => (Cow::Borrowed(line), None),
            },
            Some(line) => quoted(line)?,
        };
        if let Some(place) = all.fields.get_mut(all.count) {
            *place = field;
        }
        all.count += 1;
    }
    Ok(all)
}

/// Returns a field behind its first quotation mark, and the rest of the line.
fn quoted(line: &str) -> Result<(Cow<'_, str>, Option<&str>), String> {
    let mut text = String::new();
    let mut rest = line;
    loop {
        let (part, after) = rest
            .split_once('"')
            .ok_or("a quotation mark is not closed")?;
        text.push_str(part);
        if let Some(after) = after.strip_prefix('"') {
            text.push('"');
            rest = after;
        } else if after.is_empty() {
            return Ok((text.into(), None));
        } else if let Some(after) = after.strip_prefix(',') {
            return Ok((text.into(), Some(after)));
        } else {
            return Err("text follows a closing quotation mark".to_owned());
        }
    }
}

/// Reads seconds since 1970 or a time of RFC 3339.
fn time_of(text: &str) -> Option<i64> {
    let text = text.trim();
    seconds(text).or_else(|| text.parse().ok().map(|Timestamp(nanos)| nanos))
}
