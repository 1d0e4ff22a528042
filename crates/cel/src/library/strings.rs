//! Functions on texts (`ext.Strings`, version 2).

use super::Style::{Global, Method};
use super::{Row, int, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    ("charAt", Method, "string int", "string", char_at),
    ("indexOf", Method, "string string", "int", index_of),
    ("indexOf", Method, "string string int", "int", index_of),
    ("lastIndexOf", Method, "string string", "int", last_index_of),
    (
        "lastIndexOf",
        Method,
        "string string int",
        "int",
        last_index_of,
    ),
    ("join", Method, "list(string)", "string", join),
    ("join", Method, "list(string) string", "string", join),
    ("lowerAscii", Method, "string", "string", lower),
    ("upperAscii", Method, "string", "string", upper),
    ("replace", Method, "string string string", "string", replace),
    (
        "replace",
        Method,
        "string string string int",
        "string",
        replace,
    ),
    ("split", Method, "string string", "list(string)", split),
    ("split", Method, "string string int", "list(string)", split),
    ("substring", Method, "string int", "string", substring),
    ("substring", Method, "string int int", "string", substring),
    ("trim", Method, "string", "string", trim),
    ("strings.quote", Global, "string", "string", quote),
];

/// Returns the text that is the first argument, and charges a walk over it.
fn text<'a>(args: &'a [Value], budget: &mut Budget) -> Evaluated<&'a str> {
    match args {
        [Value::String(text), ..] => {
            budget.charge_walk(text.len() as u64)?;
            Ok(text)
        }
        _ => unexpected(),
    }
}

fn char_at(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (text, [_, Value::Int(index)]) = (text(args, budget)?, args) else {
        return unexpected();
    };
    let length = text.chars().count();
    let place = usize::try_from(*index)
        .ok()
        .filter(|place| *place <= length);
    let place = place.ok_or_else(|| EvalError::OutOfBounds(index.to_string()))?;
    let found = text.chars().nth(place);
    Ok(Value::string(found.map(String::from).unwrap_or_default()))
}

/// Returns the places, in characters, at which a text contains another.
fn places(text: &str, wanted: &str) -> Vec<usize> {
    let mut places = Vec::new();
    let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    for (place, at) in ends.enumerate() {
        if text.get(at..).is_some_and(|rest| rest.starts_with(wanted)) {
            places.push(place);
        }
    }
    places
}

/// Returns text, wanted text and offset of a search; a negative offset is an error.
fn search<'a>(
    args: &'a [Value],
    budget: &mut Budget,
) -> Evaluated<(&'a str, &'a str, Option<usize>)> {
    let text = text(args, budget)?;
    let (wanted, offset) = match args {
        [_, Value::String(wanted)] => (wanted, None),
        [_, Value::String(wanted), Value::Int(offset)] => (wanted, Some(*offset)),
        _ => return unexpected(),
    };
    let work = (text.len() as u64).saturating_mul(wanted.len() as u64 + 1);
    budget.charge_walk(work / 10)?;
    let offset = offset.map(|offset| {
        usize::try_from(offset).map_err(|_| EvalError::OutOfBounds(offset.to_string()))
    });
    Ok((text, wanted, offset.transpose()?))
}

fn index_of(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (text, wanted, offset) = search(args, budget)?;
    let least = offset.unwrap_or(0);
    if wanted.is_empty() {
        return Ok(int(least));
    }
    let found = places(text, wanted);
    let found = found.into_iter().find(|place| *place >= least);
    Ok(found.map_or(Value::Int(-1), int))
}

fn last_index_of(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (text, wanted, offset) = search(args, budget)?;
    let length = text.chars().count();
    if wanted.is_empty() {
        return Ok(int(offset.unwrap_or(length)));
    }
    if offset.is_some_and(|offset| offset >= length) {
        return Ok(Value::Int(-1));
    }
    let most = offset.unwrap_or(length);
    let found = places(text, wanted);
    let found = found.into_iter().rev().find(|place| *place <= most);
    Ok(found.map_or(Value::Int(-1), int))
}

fn join(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (values, separator) = match args {
        [Value::List(values)] => (values, ""),
        [Value::List(values), Value::String(separator)] => (values, separator.as_ref()),
        _ => return unexpected(),
    };
    let mut joined = String::new();
    for (place, value) in values.iter().enumerate() {
        let Value::String(text) = value else {
            return Err(EvalError::overload("join"));
        };
        budget.charge_walk((text.len() + separator.len()) as u64)?;
        if place > 0 {
            joined.push_str(separator);
        }
        joined.push_str(text);
    }
    Ok(Value::string(joined))
}

fn lower(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    Ok(Value::string(text(args, budget)?.to_ascii_lowercase()))
}

fn upper(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    Ok(Value::string(text(args, budget)?.to_ascii_uppercase()))
}

fn replace(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let text = text(args, budget)?;
    let (old, new, limit) = match args {
        [_, Value::String(old), Value::String(new)] => (old, new, -1),
        [_, Value::String(old), Value::String(new), Value::Int(limit)] => (old, new, *limit),
        _ => return unexpected(),
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let found = if old.is_empty() {
        text.chars().count() + 1
    } else {
        text.matches(old.as_ref()).count()
    };
    let added = (found.min(limit) as u64).saturating_mul(new.len() as u64);
    budget.charge_walk(added)?;
    Ok(Value::string(text.replacen(old.as_ref(), new, limit)))
}

fn split(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let text = text(args, budget)?;
    let (separator, limit) = match args {
        [_, Value::String(separator)] => (separator, -1),
        [_, Value::String(separator), Value::Int(limit)] => (separator, *limit),
        _ => return unexpected(),
    };
    budget.charge_walk(text.len() as u64)?;
    if limit == 0 {
        return Ok(Value::list([]));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let parts: Vec<&str> = if separator.is_empty() {
        let mut rest = text;
        let mut parts = Vec::new();
        while let Some(first) = rest.chars().next() {
            if parts.len() + 1 == limit {
                parts.push(rest);
                break;
            }
            let (part, behind) = rest.split_at(first.len_utf8());
            parts.push(part);
            rest = behind;
        }
        parts
    } else {
        text.splitn(limit, separator.as_ref()).collect()
    };
    Ok(Value::list(parts.into_iter().map(Value::string)))
}

fn substring(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let text = text(args, budget)?;
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let (start, end) = match args {
        [_, Value::Int(start)] => (*start, length),
        [_, Value::Int(start), Value::Int(end)] => (*start, *end),
        _ => return unexpected(),
    };
    if start < 0 || start > length || end < 0 || end > length {
        return Err(EvalError::OutOfBounds(format!("{start}, {end}")));
    }
    if start > end {
        let message = format!("invalid substring range. start: {start}, end: {end}");
        return Err(EvalError::invalid(message));
    }
    let place = |number: i64| usize::try_from(number).unwrap_or(0);
    let part = text.chars().skip(place(start)).take(place(end - start));
    Ok(Value::string(part.collect::<String>()))
}

fn trim(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    Ok(Value::string(text(args, budget)?.trim()))
}

fn quote(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let mut quoted = String::from("\"");
    for c in text(args, budget)?.chars() {
        match c {
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            plain => quoted.push(plain),
        }
    }
    quoted.push('"');
    Ok(Value::string(quoted))
}
