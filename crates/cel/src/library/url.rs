//! URLs (`library/urls.go`), read as Go's `net/url` reads the target of a request.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Style::{Global, Method};
use super::{Row, unexpected};
use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::value::Value;

/// Absolute URL, or path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    scheme: String,
    /// Name and port.
    host: String,
    path: String,
    query: String,
}

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

impl Url {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("empty url");
        }
        if text.chars().any(|c| c.is_ascii_control()) {
            return Err("invalid control character in URL");
        }
        let (scheme, rest) = split_scheme(text)?;
        let rest = rest.split('#').next().unwrap_or("");
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !rest.starts_with('/') {
            // A URL such as mailto:a@b has no host and no path.
            if scheme.is_empty() {
                return Err("invalid URI for request");
            }
            return Ok(Self {
                scheme,
                host: String::new(),
                path: String::new(),
                query: query.to_owned(),
            });
        }
        let has_authority = rest.starts_with("//") && (!scheme.is_empty());
        let (host, path) = match rest.strip_prefix("//").filter(|_| has_authority) {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                rest.split_at(end)
            }
            None => ("", rest),
        };
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        check_host(host)?;
        if unescape(path, false).is_none() {
            return Err("invalid URL escape");
        }
        Ok(Self {
            scheme,
            host: host.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }

    /// Returns name and port of the host.
    fn host_parts(&self) -> (&str, &str) {
        let end = match self.host.rfind(']') {
            Some(bracket) => bracket + 1,
            None => self.host.rfind(':').unwrap_or(self.host.len()),
        };
        let (name, port) = self.host.split_at(end);
        let name = name.strip_prefix('[').unwrap_or(name);
        let name = name.strip_suffix(']').unwrap_or(name);
        (name, port.strip_prefix(':').unwrap_or(""))
    }
}

/// Returns the scheme in small letters and the text behind it.
fn split_scheme(text: &str) -> Result<(String, &str), &'static str> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme"),
            ':' => return Ok((text[..at].to_ascii_lowercase(), &text[at + 1..])),
            _ => break,
        }
    }
    Ok((String::new(), text))
}

fn check_host(host: &str) -> Result<(), &'static str> {
    let port = match host.strip_prefix('[') {
        Some(rest) => {
            let (_, port) = rest.split_once(']').ok_or("missing ']' in host")?;
            port
        }
        None => host.rfind(':').map_or("", |colon| &host[colon..]),
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    let has_colon = port.is_empty() || port.starts_with(':');
    if !has_colon || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("invalid port after host");
    }
    if host.contains([' ', '"', '<', '>', '\\', '^', '`', '{', '|', '}']) {
        return Err("invalid character in host name");
    }
    Ok(())
}

/// Decodes `%41`, and `+` in a query; `None` for a wrong escape.
fn unescape(text: &str, is_query: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                let digits = std::str::from_utf8(&digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
            }
            b'+' if is_query => bytes.push(b' '),
            plain => bytes.push(plain),
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

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
