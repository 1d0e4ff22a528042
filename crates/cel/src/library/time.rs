//! Points and lengths of time.

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::calendar::{Fields, SECOND, fields, in_range, offset, parse_duration, parse_timestamp};
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    ("timestamp", Global, "string", "timestamp", timestamp),
    ("timestamp", Global, "int", "timestamp", timestamp),
    ("timestamp", Global, "timestamp", "timestamp", timestamp),
    ("duration", Global, "string", "duration", duration),
    ("duration", Global, "int", "duration", duration),
    ("duration", Global, "duration", "duration", duration),
    ("getFullYear", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.year)
    }),
    ("getFullYear", Method, "timestamp string", "int", |a, _| {
        field(a, |t| t.year)
    }),
    ("getMonth", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.month - 1)
    }),
    ("getMonth", Method, "timestamp string", "int", |a, _| {
        field(a, |t| t.month - 1)
    }),
    ("getDayOfYear", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.day_of_year)
    }),
    ("getDayOfYear", Method, "timestamp string", "int", |a, _| {
        field(a, |t| t.day_of_year)
    }),
    ("getDayOfMonth", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.day - 1)
    }),
    (
        "getDayOfMonth",
        Method,
        "timestamp string",
        "int",
        |a, _| field(a, |t| t.day - 1),
    ),
    ("getDate", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.day)
    }),
    ("getDate", Method, "timestamp string", "int", |a, _| {
        field(a, |t| t.day)
    }),
    ("getDayOfWeek", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.day_of_week)
    }),
    ("getDayOfWeek", Method, "timestamp string", "int", |a, _| {
        field(a, |t| t.day_of_week)
    }),
    ("getHours", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.hour)
    }),
    ("getHours", Method, "timestamp string", "int", |a, _| {
        field(a, |t| t.hour)
    }),
    ("getMinutes", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.minute)
    }),
    ("getMinutes", Method, "timestamp string", "int", |a, _| {
        field(a, |t| t.minute)
    }),
    ("getSeconds", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.second)
    }),
    ("getSeconds", Method, "timestamp string", "int", |a, _| {
        field(a, |t| t.second)
    }),
    ("getMilliseconds", Method, "timestamp", "int", |a, _| {
        field(a, |t| t.milli)
    }),
    (
        "getMilliseconds",
        Method,
        "timestamp string",
        "int",
        |a, _| field(a, |t| t.milli),
    ),
    ("getHours", Method, "duration", "int", |a, _| {
        part(a, 3600 * SECOND)
    }),
    ("getMinutes", Method, "duration", "int", |a, _| {
        part(a, 60 * SECOND)
    }),
    ("getSeconds", Method, "duration", "int", |a, _| {
        part(a, SECOND)
    }),
    ("getMilliseconds", Method, "duration", "int", |a, _| {
        part(a, SECOND / 1000)
    }),
];

fn in_zone(zone: &str) -> Evaluated<i128> {
    let offset = offset(zone);
    offset.ok_or_else(|| EvalError::invalid(format!("unknown time zone {zone}")))
}

fn field(args: &[Value], part: fn(&Fields) -> i64) -> Evaluated<Value> {
    let nanos = match args {
        [Value::Timestamp(nanos)] => *nanos,
        [Value::Timestamp(nanos), Value::String(zone)] => *nanos + in_zone(zone)?,
        _ => return unexpected(),
    };
    Ok(Value::Int(part(&fields(nanos))))
}

fn part(args: &[Value], unit: i64) -> Evaluated<Value> {
    match args {
        [Value::Duration(nanos)] => Ok(Value::Int(nanos / unit)),
        _ => unexpected(),
    }
}

fn timestamp(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let nanos = match args {
        [Value::Timestamp(nanos)] => Some(*nanos),
        [Value::Int(seconds)] => in_range(i128::from(*seconds) * i128::from(SECOND)),
        [Value::String(text)] => parse_timestamp(text),
        _ => return unexpected(),
    };
    nanos
        .map(Value::Timestamp)
        .ok_or_else(|| EvalError::invalid("invalid timestamp"))
}

fn duration(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let nanos = match args {
        [Value::Duration(nanos) | Value::Int(nanos)] => Some(*nanos),
        [Value::String(text)] => parse_duration(text),
        _ => return unexpected(),
    };
    nanos
        .map(Value::Duration)
        .ok_or_else(|| EvalError::invalid("invalid duration"))
}
