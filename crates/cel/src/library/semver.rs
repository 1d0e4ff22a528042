//! Semantic versions (`library/semverlib.go`).

use std::cmp::Ordering;

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

/// Semantic version without its build metadata, which has no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Semver {
    numbers: [u64; 3],
    pre: Vec<String>,
}

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

impl Semver {
    fn parse(text: &str) -> Option<Self> {
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        let (core, pre) = match text.split_once('-') {
            Some((core, pre)) => (core, Some(pre)),
            None => (text, None),
        };
        let is_word = |word: &str| {
            let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            !word.is_empty() && word.bytes().all(is_letter)
        };
        let words = |part: Option<&str>| -> Vec<String> {
            let words = part.into_iter().flat_map(|part| part.split('.'));
            words.map(str::to_owned).collect()
        };
        let (pre, build) = (words(pre), words(build));
        let numbers: Vec<u64> = core.split('.').map(number).collect::<Option<_>>()?;
        let numbers: [u64; 3] = numbers.try_into().ok()?;
        let numeric_is_plain = |word: &String| {
            !word.bytes().all(|byte| byte.is_ascii_digit()) || number(word).is_some()
        };
        let is_valid =
            pre.iter().chain(&build).all(|word| is_word(word)) && pre.iter().all(numeric_is_plain);
        is_valid.then_some(Self { numbers, pre })
    }

    /// Reads a version with a `v`, without minor or patch number, or with leading zeros, too.
    fn parse_tolerantly(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let mut parts: Vec<String> = text.splitn(3, '.').map(str::to_owned).collect();
        for part in &mut parts {
            if part.len() > 1 {
                let stripped = part.trim_start_matches('0');
                *part = if stripped.starts_with(|c: char| c.is_ascii_digit()) {
                    stripped.to_owned()
                } else {
                    format!("0{stripped}")
                };
            }
        }
        if parts.len() < 3 && parts.last()?.contains(['+', '-']) {
            return None;
        }
        while parts.len() < 3 {
            parts.push("0".to_owned());
        }
        Self::parse(&parts.join("."))
    }

    fn order(&self, other: &Self) -> Ordering {
        let word = |a: &String, b: &String| match (number(a), number(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        };
        let words = self.pre.iter().zip(&other.pre);
        let differs = words.map(|(a, b)| word(a, b)).find(|order| order.is_ne());
        // A release is above all that came before it.
        let pre = match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => differs.unwrap_or_else(|| self.pre.len().cmp(&other.pre.len())),
        };
        self.numbers.cmp(&other.numbers).then(pre)
    }
}

/// Returns the number that digits without a leading zero are.
fn number(digits: &str) -> Option<u64> {
    let is_plain = digits == "0" || !digits.starts_with('0');
    let is_number = is_plain && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

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
