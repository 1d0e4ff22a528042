//! Operators.

use std::cmp::Ordering;

use crate::budget::Budget;
use crate::calendar::in_range;
use crate::error::{EvalError, Evaluated};
use crate::library::equal;
use crate::program::Operator;
use crate::value::Value;

const INT: EvalError = EvalError::Overflow("integer");
const UINT: EvalError = EvalError::Overflow("unsigned integer");
const DURATION: EvalError = EvalError::Overflow("duration");
const TIMESTAMP: EvalError = EvalError::Overflow("timestamp");

pub(super) fn binary(
    operator: Operator,
    left: &Value,
    right: &Value,
    budget: &mut Budget,
) -> Evaluated<Value> {
    match operator {
        Operator::Equal => Ok(Value::Bool(equal(left, right, budget)?)),
        Operator::NotEqual => Ok(Value::Bool(!equal(left, right, budget)?)),
        Operator::In => contains(right, left, budget),
        Operator::Less => compare(left, right, Ordering::is_lt),
        Operator::LessOrEqual => compare(left, right, Ordering::is_le),
        Operator::Greater => compare(left, right, Ordering::is_gt),
        Operator::GreaterOrEqual => compare(left, right, Ordering::is_ge),
        Operator::Add => add(left, right, budget),
        Operator::Subtract => subtract(left, right),
        Operator::Multiply => multiply(left, right),
        Operator::Divide => divide(left, right),
        Operator::Remainder => remainder(left, right),
    }
}

fn compare(left: &Value, right: &Value, holds: fn(Ordering) -> bool) -> Evaluated<Value> {
    match left.compare(right) {
        Some(order) => Ok(Value::Bool(holds(order))),
        None if is_number(left) && is_number(right) => {
            Err(EvalError::invalid("NaN values cannot be ordered"))
        }
        None => Err(EvalError::overload("comparison")),
    }
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Uint(_) | Value::Double(_))
}

fn contains(all: &Value, wanted: &Value, budget: &mut Budget) -> Evaluated<Value> {
    match all {
        Value::List(values) => {
            for value in values.iter() {
                budget.charge(1)?;
                if equal(value, wanted, budget)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        Value::Map(map) => Ok(Value::Bool(map.get(wanted).is_some())),
        _ => Err(EvalError::overload("@in")),
    }
}

fn add(left: &Value, right: &Value, budget: &mut Budget) -> Evaluated<Value> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => a.checked_add(*b).map(Value::Int).ok_or(INT),
        (Value::Uint(a), Value::Uint(b)) => a.checked_add(*b).map(Value::Uint).ok_or(UINT),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        (Value::String(a), Value::String(b)) => {
            budget.charge_walk((a.len() + b.len()) as u64)?;
            Ok(Value::string(format!("{a}{b}")))
        }
        (Value::Bytes(a), Value::Bytes(b)) => {
            budget.charge_walk((a.len() + b.len()) as u64)?;
            Ok(Value::Bytes([a.as_ref(), b.as_ref()].concat().into()))
        }
        (Value::List(a), Value::List(b)) => {
            budget.charge((a.len() + b.len()) as u64)?;
            Ok(Value::list(a.iter().chain(b.iter()).cloned()))
        }
        (Value::Timestamp(time), Value::Duration(length))
        | (Value::Duration(length), Value::Timestamp(time)) => in_range(time + i128::from(*length))
            .map(Value::Timestamp)
            .ok_or(TIMESTAMP),
        (Value::Duration(a), Value::Duration(b)) => {
            a.checked_add(*b).map(Value::Duration).ok_or(DURATION)
        }
        _ => Err(EvalError::overload("_+_")),
    }
}

fn subtract(left: &Value, right: &Value) -> Evaluated<Value> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => a.checked_sub(*b).map(Value::Int).ok_or(INT),
        (Value::Uint(a), Value::Uint(b)) => a.checked_sub(*b).map(Value::Uint).ok_or(UINT),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a - b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => i64::try_from(a - b)
            .map(Value::Duration)
            .map_err(|_| DURATION),
        (Value::Timestamp(time), Value::Duration(length)) => in_range(time - i128::from(*length))
            .map(Value::Timestamp)
            .ok_or(TIMESTAMP),
        (Value::Duration(a), Value::Duration(b)) => {
            a.checked_sub(*b).map(Value::Duration).ok_or(DURATION)
        }
        _ => Err(EvalError::overload("_-_")),
    }
}

fn multiply(left: &Value, right: &Value) -> Evaluated<Value> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => a.checked_mul(*b).map(Value::Int).ok_or(INT),
        (Value::Uint(a), Value::Uint(b)) => a.checked_mul(*b).map(Value::Uint).ok_or(UINT),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a * b)),
        _ => Err(EvalError::overload("_*_")),
    }
}

fn divide(left: &Value, right: &Value) -> Evaluated<Value> {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => {
            Err(EvalError::DivisionByZero)
        }
        (Value::Int(a), Value::Int(b)) => a.checked_div(*b).map(Value::Int).ok_or(INT),
        (Value::Uint(a), Value::Uint(b)) => a.checked_div(*b).map(Value::Uint).ok_or(UINT),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(a / b)),
        _ => Err(EvalError::overload("_/_")),
    }
}

fn remainder(left: &Value, right: &Value) -> Evaluated<Value> {
    match (left, right) {
        (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) => {
            Err(EvalError::ModulusByZero)
        }
        (Value::Int(a), Value::Int(b)) => a.checked_rem(*b).map(Value::Int).ok_or(INT),
        (Value::Uint(a), Value::Uint(b)) => a.checked_rem(*b).map(Value::Uint).ok_or(UINT),
        _ => Err(EvalError::overload("_%_")),
    }
}

pub(super) fn negate(operand: &Value) -> Evaluated<Value> {
    match operand {
        Value::Int(number) => number.checked_neg().map(Value::Int).ok_or(INT),
        Value::Double(number) => Ok(Value::Double(-number)),
        _ => Err(EvalError::overload("-_")),
    }
}

/// Returns a value that may be the key of a map.
pub(super) fn key(value: Value) -> Evaluated<Value> {
    match value {
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::String(_) => Ok(value),
        other => {
            let message = format!("unsupported key type: {}", other.type_of());
            Err(EvalError::invalid(message))
        }
    }
}

/// Reads an element of a list or a value of a map.
pub(super) fn index(operand: &Value, index: &Value) -> Evaluated<Value> {
    match operand {
        Value::Map(map) => match map.get(index) {
            Some(value) => Ok(value.clone()),
            None => Err(EvalError::NoSuchKey(show(index))),
        },
        Value::List(values) => {
            let place = match index {
                Value::Int(place) => usize::try_from(*place).ok(),
                Value::Uint(place) => usize::try_from(*place).ok(),
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "such a cast saturates"
                )]
                Value::Double(place) if place.fract() == 0.0 && *place >= 0.0 => {
                    Some(*place as usize)
                }
                _ => return Err(EvalError::invalid("unsupported index value")),
            };
            let value = place.and_then(|place| values.get(place)).cloned();
            value.ok_or_else(|| EvalError::OutOfBounds(show(index)))
        }
        _ => Err(EvalError::overload("_[_]")),
    }
}

fn show(index: &Value) -> String {
    match index {
        Value::String(text) => text.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Uint(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        other => other.type_of().to_string(),
    }
}
