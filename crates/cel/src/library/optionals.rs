//! Optional values.
#![expect(
    clippy::unnecessary_wraps,
    reason = "the table wants functions that can fail"
)]

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    ("optional.of", Global, "A", "optional(A)", of),
    (
        "optional.ofNonZeroValue",
        Global,
        "A",
        "optional(A)",
        of_non_zero,
    ),
    ("optional.none", Global, "", "optional(A)", none),
    ("hasValue", Method, "optional(A)", "bool", has_value),
    ("value", Method, "optional(A)", "A", value),
    ("or", Method, "optional(A) optional(A)", "optional(A)", or),
    ("orValue", Method, "optional(A) A", "A", or_value),
    (
        "optional.unwrap",
        Global,
        "list(optional(A))",
        "list(A)",
        unwrap,
    ),
    ("unwrapOpt", Method, "list(optional(A))", "list(A)", unwrap),
    ("first", Method, "list(A)", "optional(A)", first),
    ("last", Method, "list(A)", "optional(A)", last),
];

fn of(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::optional(args.first().cloned()))
}

fn none(_: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Optional(None))
}

fn of_non_zero(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let is_zero = |value: &Value| match value {
        Value::Null | Value::Optional(None) => true,
        Value::Bool(truth) => !truth,
        Value::Int(number) => *number == 0,
        Value::Uint(number) => *number == 0,
        Value::Double(number) => *number == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(values) => values.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Duration(nanos) => *nanos == 0,
        _ => false,
    };
    Ok(Value::optional(
        args.first().filter(|value| !is_zero(value)).cloned(),
    ))
}

fn has_value(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::Optional(value)] => Ok(Value::Bool(value.is_some())),
        _ => unexpected(),
    }
}

fn value(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::Optional(Some(value))] => Ok(Value::clone(value)),
        _ => Err(EvalError::invalid("optional.none() dereference")),
    }
}

fn or(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::Optional(None), other] => Ok(other.clone()),
        [present, _] => Ok(present.clone()),
        _ => unexpected(),
    }
}

fn or_value(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::Optional(Some(value)), _] => Ok(Value::clone(value)),
        [Value::Optional(None), other] => Ok(other.clone()),
        _ => unexpected(),
    }
}

fn unwrap(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let [Value::List(values)] = args else {
        return unexpected();
    };
    budget.charge_walk(values.len() as u64)?;
    let mut present = Vec::new();
    for value in values.iter() {
        match value {
            Value::Optional(Some(value)) => present.push(Value::clone(value)),
            Value::Optional(None) => {}
            _ => return Err(EvalError::overload("optional.unwrap")),
        }
    }
    Ok(Value::list(present))
}

fn first(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::List(values)] => Ok(Value::optional(values.first().cloned())),
        _ => unexpected(),
    }
}

fn last(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::List(values)] => Ok(Value::optional(values.last().cloned())),
        _ => unexpected(),
    }
}
