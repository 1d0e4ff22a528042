//! Quantities of resources (`apiserver/pkg/cel/library/quantity.go`).

use std::cmp::Ordering;

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::opaque::Quantity;
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    ("quantity", Global, "string", "quantity", parse),
    ("isQuantity", Global, "string", "bool", is_quantity),
    ("sign", Global, "quantity", "int", sign),
    (
        "isGreaterThan",
        Method,
        "quantity quantity",
        "bool",
        is_greater,
    ),
    ("isLessThan", Method, "quantity quantity", "bool", is_less),
    ("compareTo", Method, "quantity quantity", "int", compare),
    ("asApproximateFloat", Method, "quantity", "double", as_float),
    ("asInteger", Method, "quantity", "int", as_integer),
    ("isInteger", Method, "quantity", "bool", is_integer),
    ("add", Method, "quantity quantity", "quantity", add),
    ("add", Method, "quantity int", "quantity", add),
    ("sub", Method, "quantity quantity", "quantity", sub),
    ("sub", Method, "quantity int", "quantity", sub),
];

fn parse(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let [Value::String(text)] = args else {
        return unexpected();
    };
    let quantity = Quantity::parse(text);
    quantity
        .map(Value::Quantity)
        .map_err(|error| EvalError::invalid(format!("{text:?}: {error}")))
}

fn is_quantity(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let [Value::String(text)] = args else {
        return unexpected();
    };
    Ok(Value::Bool(Quantity::parse(text).is_ok()))
}

fn one(args: &[Value]) -> Evaluated<Quantity> {
    match args {
        [Value::Quantity(quantity)] => Ok(*quantity),
        _ => unexpected(),
    }
}

fn two(args: &[Value]) -> Evaluated<(Quantity, Quantity)> {
    match args {
        [Value::Quantity(a), Value::Quantity(b)] => Ok((*a, *b)),
        [Value::Quantity(a), Value::Int(value)] => Ok((
            *a,
            Quantity::Scaled {
                value: *value,
                scale: 0,
            },
        )),
        _ => unexpected(),
    }
}

fn order(args: &[Value]) -> Evaluated<Ordering> {
    let (a, b) = two(args)?;
    Ok(a.nanos().cmp(&b.nanos()))
}

fn sign(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let nanos = one(args)?.nanos();
    Ok(Value::Int(i64::try_from(nanos.signum()).unwrap_or(0)))
}

fn is_greater(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Bool(order(args)? == Ordering::Greater))
}

fn is_less(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Bool(order(args)? == Ordering::Less))
}

fn compare(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Int(order(args)? as i64))
}

fn as_float(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Double(one(args)?.float()))
}

fn as_integer(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let whole = one(args)?.whole();
    whole
        .map(Value::Int)
        .ok_or_else(|| EvalError::invalid("cannot convert value to integer"))
}

fn is_integer(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::Bool(one(args)?.whole().is_some()))
}

fn add(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let (a, b) = two(args)?;
    Ok(Value::Quantity(a.plus(b)))
}

fn sub(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let (a, b) = two(args)?;
    Ok(Value::Quantity(a.plus(b.negated())))
}
