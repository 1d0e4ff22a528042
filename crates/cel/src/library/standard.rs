//! Functions of the standard library: sizes, parts of texts and conversions.

use std::sync::Arc;

use super::Style::{Global, Method};
use super::{Row, int, unexpected};
use crate::budget::Budget;
use crate::calendar::{SECOND, show_duration, show_timestamp};
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    ("size", Global, "string", "int", size),
    ("size", Global, "bytes", "int", size),
    ("size", Global, "list(A)", "int", size),
    ("size", Global, "map(A,B)", "int", size),
    ("size", Method, "string", "int", size),
    ("size", Method, "bytes", "int", size),
    ("size", Method, "list(A)", "int", size),
    ("size", Method, "map(A,B)", "int", size),
    ("contains", Method, "string string", "bool", contains),
    ("startsWith", Method, "string string", "bool", starts_with),
    ("endsWith", Method, "string string", "bool", ends_with),
    ("int", Global, "int", "int", to_int),
    ("int", Global, "uint", "int", to_int),
    ("int", Global, "double", "int", to_int),
    ("int", Global, "string", "int", to_int),
    ("int", Global, "timestamp", "int", to_int),
    ("int", Global, "duration", "int", to_int),
    ("uint", Global, "uint", "uint", to_uint),
    ("uint", Global, "int", "uint", to_uint),
    ("uint", Global, "double", "uint", to_uint),
    ("uint", Global, "string", "uint", to_uint),
    ("double", Global, "double", "double", to_double),
    ("double", Global, "int", "double", to_double),
    ("double", Global, "uint", "double", to_double),
    ("double", Global, "string", "double", to_double),
    ("string", Global, "string", "string", to_string),
    ("string", Global, "bool", "string", to_string),
    ("string", Global, "int", "string", to_string),
    ("string", Global, "uint", "string", to_string),
    ("string", Global, "double", "string", to_string),
    ("string", Global, "bytes", "string", to_string),
    ("string", Global, "timestamp", "string", to_string),
    ("string", Global, "duration", "string", to_string),
    ("bytes", Global, "bytes", "bytes", to_bytes),
    ("bytes", Global, "string", "bytes", to_bytes),
    ("bool", Global, "bool", "bool", to_bool),
    ("bool", Global, "string", "bool", to_bool),
    ("dyn", Global, "A", "dyn", same),
    ("type", Global, "A", "type(A)", type_of),
];

fn size(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    match args {
        [Value::String(text)] => {
            budget.charge_walk(text.len() as u64)?;
            Ok(int(text.chars().count()))
        }
        [Value::Bytes(bytes)] => Ok(int(bytes.len())),
        [Value::List(values)] => Ok(int(values.len())),
        [Value::Map(map)] => Ok(int(map.len())),
        _ => unexpected(),
    }
}

fn two_texts<'a>(args: &'a [Value], budget: &mut Budget) -> Evaluated<(&'a str, &'a str)> {
    match args {
        [Value::String(a), Value::String(b)] => {
            budget.charge_walk((a.len() + b.len()) as u64)?;
            Ok((a, b))
        }
        _ => unexpected(),
    }
}

fn contains(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (text, part) = two_texts(args, budget)?;
    Ok(Value::Bool(text.contains(part)))
}

fn starts_with(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (text, part) = two_texts(args, budget)?;
    Ok(Value::Bool(text.starts_with(part)))
}

fn ends_with(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (text, part) = two_texts(args, budget)?;
    Ok(Value::Bool(text.ends_with(part)))
}

/// Returns a number without its fraction if it fits.
fn truncated(number: f64) -> Option<i128> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is tested")]
    let whole = number.trunc() as i128;
    (number.is_finite() && number.abs() < 1e30).then_some(whole)
}

fn to_int(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let number = match args {
        [Value::Int(number)] => Some(*number),
        [Value::Uint(number)] => i64::try_from(*number).ok(),
        // Both bounds are excluded, as by cel-go: their nearest numbers do not fit.
        [Value::Double(number)] => truncated(*number)
            .and_then(|number| i64::try_from(number).ok())
            .filter(|number| *number != i64::MIN),
        [Value::Timestamp(nanos)] => i64::try_from(nanos.div_euclid(i128::from(SECOND))).ok(),
        [Value::Duration(nanos)] => Some(*nanos),
        [Value::String(text)] => Some(parsed(text, "int")?),
        _ => return unexpected(),
    };
    number.map(Value::Int).ok_or(EvalError::Overflow("integer"))
}

fn parsed<T: std::str::FromStr>(text: &str, name: &str) -> Evaluated<T> {
    text.parse().map_err(|_| {
        EvalError::invalid(format!(
            "type conversion error from 'string' to '{name}': {text:?}"
        ))
    })
}

fn to_uint(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let number = match args {
        [Value::Uint(number)] => Some(*number),
        [Value::Int(number)] => u64::try_from(*number).ok(),
        [Value::Double(number)] => truncated(*number)
            .filter(|_| *number >= 0.0)
            .and_then(|number| u64::try_from(number).ok()),
        [Value::String(text)] => Some(parsed(text, "uint")?),
        _ => return unexpected(),
    };
    number
        .map(Value::Uint)
        .ok_or(EvalError::Overflow("unsigned integer"))
}

fn to_double(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let number = match args {
        [Value::Double(number)] => *number,
        [Value::Int(number)] => *number as f64,
        [Value::Uint(number)] => *number as f64,
        [Value::String(text)] => parsed(text, "double")?,
        _ => return unexpected(),
    };
    Ok(Value::Double(number))
}

/// Writes a floating-point number as Go's `%g` does: the shortest text, with an exponent for
/// numbers below 1e-4 and from 1e21.
fn show_double(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    match exponent.parse::<i32>() {
        Ok(power) if number != 0.0 && !(-4..21).contains(&power) => {
            let sign = if power < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", power.unsigned_abs())
        }
        _ => format!("{number}"),
    }
}

fn to_string(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let text: Arc<str> = match args {
        [Value::String(text)] => Arc::clone(text),
        [Value::Bool(truth)] => truth.to_string().into(),
        [Value::Int(number)] => number.to_string().into(),
        [Value::Uint(number)] => number.to_string().into(),
        [Value::Double(number)] => show_double(*number).into(),
        [Value::Bytes(bytes)] => {
            budget.charge_walk(bytes.len() as u64)?;
            let text = std::str::from_utf8(bytes);
            let text = text.map_err(|_| EvalError::invalid("invalid UTF-8 in bytes"))?;
            text.into()
        }
        [Value::Timestamp(nanos)] => show_timestamp(*nanos).into(),
        [Value::Duration(nanos)] => show_duration(*nanos).into(),
        _ => return unexpected(),
    };
    Ok(Value::String(text))
}

fn to_bytes(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    match args {
        [bytes @ Value::Bytes(_)] => Ok(bytes.clone()),
        [Value::String(text)] => {
            budget.charge_walk(text.len() as u64)?;
            Ok(Value::Bytes(text.as_bytes().into()))
        }
        _ => unexpected(),
    }
}

fn to_bool(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let truth = match args {
        [Value::Bool(truth)] => *truth,
        [Value::String(text)] => match text.as_ref() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            _ => {
                let message = format!("type conversion error from 'string' to 'bool': {text:?}");
                return Err(EvalError::invalid(message));
            }
        },
        _ => return unexpected(),
    };
    Ok(Value::Bool(truth))
}

fn same(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [value] => Ok(value.clone()),
        _ => unexpected(),
    }
}

fn type_of(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    match args {
        [value] => Ok(Value::Type(Arc::new(value.type_of()))),
        _ => unexpected(),
    }
}
