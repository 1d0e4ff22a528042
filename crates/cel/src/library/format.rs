//! `string.format`: `'%d of %s'.format([1, 'x'])`.

use std::fmt::Write;

use super::Style::Method;
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::calendar::{show_duration, show_timestamp};
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[("format", Method, "string list(dyn)", "string", format)];

/// Most digits behind the point.
const MAX_PRECISION: usize = 1000;

fn format(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let [Value::String(text), Value::List(values)] = args else {
        return unexpected();
    };
    budget.charge_walk(text.len() as u64)?;
    let mut values = values.iter();
    let mut out = String::new();
    let mut rest = text.as_ref();
    while let Some((plain, behind)) = rest.split_once('%') {
        out.push_str(plain);
        if let Some(behind) = behind.strip_prefix('%') {
            out.push('%');
            rest = behind;
            continue;
        }
        let (precision, behind) = precision(behind)?;
        let verb = behind.chars().next();
        let verb = verb.ok_or_else(|| invalid("unexpected end of string"))?;
        let value = values.next();
        let value = value.ok_or_else(|| invalid("index out of range"))?;
        let shown = show(verb, precision, value, budget)?;
        budget.charge_walk(shown.len() as u64)?;
        out.push_str(&shown);
        rest = &behind[verb.len_utf8()..];
    }
    out.push_str(rest);
    Ok(Value::string(out))
}

fn invalid(message: &str) -> EvalError {
    EvalError::invalid(format!("could not parse formatting clause: {message}"))
}

fn precision(text: &str) -> Evaluated<(Option<usize>, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Ok((None, text));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit());
    let (digits, rest) = rest.split_at(end.unwrap_or(rest.len()));
    let precision = digits
        .parse()
        .ok()
        .filter(|digits| *digits <= MAX_PRECISION);
    match precision {
        Some(precision) => Ok((Some(precision), rest)),
        None => Err(invalid("error while parsing precision")),
    }
}

fn show(
    verb: char,
    precision: Option<usize>,
    value: &Value,
    budget: &mut Budget,
) -> Evaluated<String> {
    let wrong = || {
        let of = value.type_of();
        EvalError::invalid(format!(
            "error during formatting: no such overload: %{verb} of {of}"
        ))
    };
    let digits = precision.unwrap_or(6);
    match (verb, value) {
        ('s', value) => {
            let mut out = String::new();
            show_text(&mut out, value, false, budget)?;
            Ok(out)
        }
        ('d', Value::Int(number)) => Ok(number.to_string()),
        ('d', Value::Uint(number)) => Ok(number.to_string()),
        ('f' | 'e' | 'd', Value::Double(number)) if !number.is_finite() => Ok(special(*number)),
        ('f', value) => match number(value) {
            Some(number) => Ok(format!("{number:.digits$}")),
            None => Err(wrong()),
        },
        ('e', value) => match number(value) {
            Some(number) => Ok(exponent(&format!("{number:.digits$e}"))),
            None => Err(wrong()),
        },
        ('b', Value::Int(number)) => Ok(signed(*number, |n| format!("{n:b}"))),
        ('b', Value::Uint(number)) => Ok(format!("{number:b}")),
        ('b', Value::Bool(truth)) => Ok(u8::from(*truth).to_string()),
        ('o', Value::Int(number)) => Ok(signed(*number, |n| format!("{n:o}"))),
        ('o', Value::Uint(number)) => Ok(format!("{number:o}")),
        ('x', Value::Int(number)) => Ok(signed(*number, |n| format!("{n:x}"))),
        ('x', Value::Uint(number)) => Ok(format!("{number:x}")),
        ('X', Value::Int(number)) => Ok(signed(*number, |n| format!("{n:X}"))),
        ('X', Value::Uint(number)) => Ok(format!("{number:X}")),
        ('x', Value::String(text)) => Ok(hex(text.as_bytes(), false)),
        ('x', Value::Bytes(bytes)) => Ok(hex(bytes, false)),
        ('X', Value::String(text)) => Ok(hex(text.as_bytes(), true)),
        ('X', Value::Bytes(bytes)) => Ok(hex(bytes, true)),
        ('d' | 'b' | 'o' | 'x' | 'X', _) => Err(wrong()),
        _ => Err(invalid(&format!("unrecognized formatting clause {verb:?}"))),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Int(number) => Some(*number as f64),
        Value::Uint(number) => Some(*number as f64),
        _ => None,
    }
}

fn special(number: f64) -> String {
    let text = match (number.is_nan(), number > 0.0) {
        (true, _) => "NaN",
        (_, true) => "Infinity",
        _ => "-Infinity",
    };
    text.to_owned()
}

/// Writes an exponent with a sign and two digits, as Go does.
fn exponent(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text.to_owned(),
    }
}

fn signed(number: i64, show: impl Fn(u64) -> String) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", show(number.unsigned_abs()))
}

fn hex(bytes: &[u8], is_upper: bool) -> String {
    let mut out = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = if is_upper {
            write!(out, "{byte:02X}")
        } else {
            write!(out, "{byte:02x}")
        };
    }
    out
}

/// Writes a value as `%s` does; texts inside of lists and maps have quotes.
fn show_text(
    out: &mut String,
    value: &Value,
    is_inner: bool,
    budget: &mut Budget,
) -> Evaluated<()> {
    budget.charge(1)?;
    match value {
        Value::String(text) if is_inner => {
            out.push('"');
            out.push_str(text);
            out.push('"');
        }
        Value::String(text) => out.push_str(text),
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Uint(number) => out.push_str(&number.to_string()),
        Value::Double(number) if !number.is_finite() => out.push_str(&special(*number)),
        // Without an exponent, unlike `string`.
        Value::Double(number) => out.push_str(&number.to_string()),
        Value::Bytes(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
        Value::Timestamp(nanos) => out.push_str(&show_timestamp(*nanos)),
        Value::Duration(nanos) => out.push_str(&show_duration(*nanos)),
        Value::Type(of) => out.push_str(&of.to_string()),
        Value::List(values) => {
            out.push('[');
            for (place, value) in values.iter().enumerate() {
                out.push_str(if place > 0 { ", " } else { "" });
                show_text(out, value, true, budget)?;
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (place, (key, value)) in map.iter().enumerate() {
                out.push_str(if place > 0 { ", " } else { "" });
                show_text(out, key, true, budget)?;
                out.push_str(": ");
                show_text(out, value, true, budget)?;
            }
            out.push('}');
        }
        other => {
            let of = other.type_of();
            let message = format!("error during formatting: no such overload: %s of {of}");
            return Err(EvalError::invalid(message));
        }
    }
    budget.charge_walk(value.weight())
}
