//! URLs (`library/urls.go`), read as Go's `net/url` reads the target of a request.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::opaque::{Url, unescape};
use crate::value::Value;

pub(super) const ROWS: &[Row] = &[
    ("url", Global, "string", "url", parse),
    ("isURL", Global, "string", "bool", is_url),
    ("getScheme", Method, "url", "string", scheme),
    ("getHost", Method, "url", "string", host),
    ("getHostname", Method, "url", "string", hostname),
    ("getPort", Method, "url", "string", port),
    ("getEscapedPath", Method, "url", "string", escaped_path),
    ("getQuery", Method, "url", "map(string,list(string))", query),
];

fn parse(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let [Value::String(text)] = args else {
        return unexpected();
    };
    budget.charge_walk(text.len() as u64)?;
    match Url::parse(text) {
        Ok(url) => Ok(Value::Url(url.into())),
        Err(reason) => Err(EvalError::invalid(format!(
            "URL parse error during conversion from string: parse {text:?}: {reason}"
        ))),
    }
}

fn is_url(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let [Value::String(text)] = args else {
        return unexpected();
    };
    budget.charge_walk(text.len() as u64)?;
    Ok(Value::Bool(Url::parse(text).is_ok()))
}

fn url(args: &[Value]) -> Evaluated<&Url> {
    match args {
        [Value::Url(url)] => Ok(url),
        _ => unexpected(),
    }
}

fn scheme(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::string(url(args)?.scheme.as_str()))
}

fn host(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::string(url(args)?.host.as_str()))
}

fn hostname(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::string(url(args)?.host_parts().0))
}

fn port(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    Ok(Value::string(url(args)?.host_parts().1))
}

fn escaped_path(args: &[Value], _: &mut Budget) -> Evaluated<Value> {
    let mut escaped = String::new();
    for byte in url(args)?.path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => escaped.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'='
            | b'@' | b'%' | b'!' | b'\'' | b'(' | b')' | b'*' | b'[' | b']' => {
                escaped.push(char::from(byte));
            }
            other => {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "%{other:02X}");
            }
        }
    }
    Ok(Value::string(escaped))
}

fn query(args: &[Value], budget: &mut Budget) -> Evaluated<Value> {
    let query = &url(args)?.query;
    budget.charge_walk(query.len() as u64)?;
    let mut values: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for pair in query.split('&') {
        if pair.is_empty() || pair.contains(';') {
            continue;
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let (Some(key), Some(value)) = (unescape(key, true), unescape(value, true)) {
            values.entry(key).or_default().push(Value::string(value));
        }
    }
    let entries = values.into_iter();
    Ok(Value::map(entries.map(|(key, values)| {
        (Value::string(key), Value::list(values))
    })))
}
