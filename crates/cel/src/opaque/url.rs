//! URLs, read as Go's `net/url` reads the target of a request.

/// Absolute URL, or path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub(crate) scheme: String,
    /// Name and port.
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: String,
}

impl Url {
    /// Reads a URL.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
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
    pub(crate) fn host_parts(&self) -> (&str, &str) {
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
pub(crate) fn unescape(text: &str, is_query: bool) -> Option<String> {
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
