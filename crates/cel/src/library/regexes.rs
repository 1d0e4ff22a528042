//! Regular expressions in the syntax of RE2.

use std::fmt::Write;

use regex::{Regex, RegexBuilder};

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

/// Largest compiled expression in bytes.
const SIZE_LIMIT: usize = 1 << 20;

pub(super) const ROWS: &[Row] = &[
    ("matches", Method, "string string", "bool", matches),
    ("matches", Global, "string string", "bool", matches),
    ("find", Method, "string string", "string", find),
    ("findAll", Method, "string string", "list(string)", find_all),
    (
        "findAll",
        Method,
        "string string int",
        "list(string)",
        find_all,
    ),
];

/// Compiles an expression.
///
/// # Errors
/// An expression that is wrong or too large.
pub(crate) fn compile(pattern: &str) -> Evaluated<Regex> {
    let built = RegexBuilder::new(&ascii_classes(pattern))
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(SIZE_LIMIT)
        .build();
    built.map_err(|error| EvalError::invalid(format!("error parsing regexp: {error}")))
}

/// Writes the classes `\d`, `\w` and `\s` as ASCII sets, which they are in RE2, and takes the
/// meaning from the characters that nest and combine sets in Rust only.
fn ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let (mut in_set, mut is_first) = (false, false);
    while let Some(c) = chars.next() {
        let at_start = std::mem::take(&mut is_first);
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[0-9A-Za-z_]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('s') => out.push_str(r"[\t\n\f\r ]"),
                Some('S') => out.push_str(r"[^\t\n\f\r ]"),
                Some('b') if !in_set => out.push_str(r"(?-u:\b)"),
                Some('B') if !in_set => out.push_str(r"(?-u:\B)"),
                Some('Q') => quote_literally(&mut out, &mut chars),
                Some('z') => out.push_str(r"\z"),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if !in_set => {
                in_set = true;
                is_first = true;
                out.push('[');
            }
            '^' if in_set && at_start => {
                is_first = true;
                out.push('^');
            }
            ']' if in_set && at_start => out.push_str(r"\]"),
            ']' if in_set => {
                in_set = false;
                out.push(']');
            }
            '[' if chars.peek() == Some(&':') => out.push('['),
            '[' | '&' | '~' if in_set => {
                out.push('\\');
                out.push(c);
            }
            plain => out.push(plain),
        }
    }
    out
}

/// Copies the text up to `\E` so that none of it has a meaning.
fn quote_literally(out: &mut String, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(c) = chars.next() {
        if c == '\\' && chars.peek() == Some(&'E') {
            chars.next();
            return;
        }
        // Writing to a string cannot fail.
        let _ = write!(out, "\\x{{{:x}}}", u32::from(c));
    }
}

fn arguments<'a>(args: &'a [Value], budget: &mut Budget) -> Evaluated<(&'a str, Regex)> {
    let [Value::String(text), Value::String(pattern), ..] = args else {
        return unexpected();
    };
    // Compilation costs more than a walk over the pattern.
    budget.charge(10 + pattern.len() as u64)?;
    budget.charge_walk(text.len() as u64 * (1 + pattern.len() as u64 / 4))?;
    Ok((text, compile(pattern)?))
}

fn matches(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (text, regex) = arguments(args, budget)?;
    Ok(Value::Bool(regex.is_match(text)))
}

fn find(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (text, regex) = arguments(args, budget)?;
    let found = regex.find(text);
    Ok(Value::string(found.map_or("", |found| found.as_str())))
}

fn find_all(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let (text, regex) = arguments(args, budget)?;
    let limit = match args {
        [_, _, Value::Int(limit)] => usize::try_from(*limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let found = regex.find_iter(text).take(limit);
    Ok(Value::list(
        found.map(|found| Value::string(found.as_str())),
    ))
}
