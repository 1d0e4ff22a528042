//! Semantic versions (`library/semverlib.go`).

use std::cmp::Ordering;

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::opaque::Semver;
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    ("semver", Global, "string", "semver", parse),
    ("semver", Global, "string bool", "semver", parse),
    ("isSemver", Global, "string", "bool", is_semver),
    ("isSemver", Global, "string bool", "bool", is_semver),
    ("isGreaterThan", Method, "semver semver", "bool", is_greater),
    ("isLessThan", Method, "semver semver", "bool", is_less),
    ("compareTo", Method, "semver semver", "int", compare),
    ("major", Method, "semver", "int", major),
    ("minor", Method, "semver", "int", minor),
    ("patch", Method, "semver", "int", patch),
];

fn read(args: &[Value]) -> Evaluated<Option<Semver>> {
    match args {
        [Value::String(text)] | [Value::String(text), Value::Bool(false)] => {
            Ok(Semver::parse(text))
        }
        [Value::String(text), Value::Bool(true)] => Ok(Semver::parse_tolerantly(text)),
        _ => unexpected(),
    }
}

fn parse(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match read(args)? {
        Some(version) => Ok(Value::Semver(version.into())),
        None => Err(EvalError::invalid("invalid semantic version")),
    }
}

fn is_semver(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Bool(read(args)?.is_some()))
}

fn order(args: &[Value]) -> Evaluated<Ordering> {
    match args {
        [Value::Semver(a), Value::Semver(b)] => Ok(a.order(b)),
        _ => unexpected(),
    }
}

fn is_greater(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Bool(order(args)?.is_gt()))
}

fn is_less(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Bool(order(args)?.is_lt()))
}

fn compare(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Int(order(args)? as i64))
}

fn part(args: &[Value], place: usize) -> Evaluated<Value> {
    match args {
        [Value::Semver(version)] => {
            let number = version.numbers.get(place).copied().unwrap_or(0);
            Ok(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
        }
        _ => unexpected(),
    }
}

fn major(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    part(args, 0)
}

fn minor(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    part(args, 1)
}

fn patch(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    part(args, 2)
}
