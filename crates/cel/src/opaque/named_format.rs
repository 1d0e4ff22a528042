//! Formats of texts.

use super::Url;
use crate::calendar::parse_timestamp;

/// Format of texts, such as that of a DNS label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedFormat {
    /// Label of a domain name.
    Dns1123Label,
    /// Domain name.
    Dns1123Subdomain,
    /// Label that begins with a letter.
    Dns1035Label,
    /// Name with an optional domain before it, such as a key of labels.
    QualifiedName,
    /// Beginning of a [`Self::Dns1123Label`].
    Dns1123LabelPrefix,
    /// Beginning of a [`Self::Dns1123Subdomain`].
    Dns1123SubdomainPrefix,
    /// Beginning of a [`Self::Dns1035Label`].
    Dns1035LabelPrefix,
    /// Value of a label.
    LabelValue,
    /// URI.
    Uri,
    /// UUID.
    Uuid,
    /// Bytes in base 64.
    Byte,
    /// Date.
    Date,
    /// Point in time.
    Datetime,
}

const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const NAME: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Tells whether a text begins and ends with one kind of characters and has another between.
fn is_made_of(text: &str, end: fn(u8) -> bool, inner: fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match (bytes.first(), bytes.last()) {
        (Some(first), Some(last)) => {
            end(*first) && end(*last) && bytes.iter().all(|byte| end(*byte) || inner(*byte))
        }
        _ => false,
    }
}

fn is_label(text: &str) -> bool {
    is_made_of(text, is_lower, |byte| byte == b'-')
}

fn is_name(text: &str) -> bool {
    is_made_of(
        text,
        |byte| byte.is_ascii_alphanumeric(),
        |byte| b"-_.".contains(&byte),
    )
}

/// Returns what is wrong with a text of at most so many bytes.
fn check(text: &str, most: usize, is_right: bool, message: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > most {
        errors.push(format!("must be no more than {most} bytes"));
    }
    if !is_right {
        errors.push(message.to_owned());
    }
    errors
}

fn one_error(is_right: bool, message: &str) -> Vec<String> {
    check("", 0, is_right, message)
}

fn subdomain(text: &str) -> Vec<String> {
    check(text, 253, text.split('.').all(is_label), SUBDOMAIN)
}

fn label_1035(text: &str) -> Vec<String> {
    let is_right = is_label(text) && !text.starts_with(|c: char| c.is_ascii_digit());
    check(text, 63, is_right, LABEL_1035)
}

/// Takes a hyphen at the end of a prefix for a letter (`maskTrailingDash`).
fn masked(text: &str) -> String {
    match text.strip_suffix('-') {
        Some(rest) if !rest.is_empty() => format!("{rest}a"),
        _ => text.to_owned(),
    }
}

fn qualified(text: &str) -> Vec<String> {
    let mut parts = text.split('/');
    let (prefix, name) = match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, _) => (None, name),
        (Some(prefix), Some(name), None) => (Some(prefix), name),
        _ => return vec![QUALIFIED.to_owned()],
    };
    let mut errors = Vec::new();
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            errors.push("prefix part must be non-empty".to_owned());
        } else {
            let wrong = subdomain(prefix);
            errors.extend(wrong.iter().map(|error| format!("prefix part {error}")));
        }
    }
    if name.is_empty() {
        errors.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        errors.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name(name) {
        errors.push(NAME.to_owned());
    }
    errors
}

fn is_uuid(text: &str) -> bool {
    let plain = text.replace('-', "");
    let is_grouped =
        text.len() == 32 || text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    is_grouped && plain.len() == 32 && plain.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl NamedFormat {
    /// Returns the errors of a text; none if it has the format.
    pub(crate) fn errors(self, text: &str) -> Vec<String> {
        use base64::Engine;

        match self {
            Self::Dns1123Label => check(text, 63, is_label(text), LABEL),
            Self::Dns1123LabelPrefix => {
                let text = masked(text);
                check(&text, 63, is_label(&text), LABEL)
            }
            Self::Dns1123Subdomain => subdomain(text),
            Self::Dns1123SubdomainPrefix => subdomain(&masked(text)),
            Self::Dns1035Label => label_1035(text),
            Self::Dns1035LabelPrefix => label_1035(&masked(text)),
            Self::QualifiedName => qualified(text),
            Self::LabelValue => check(text, 63, text.is_empty() || is_name(text), LABEL_VALUE),
            Self::Uri => match Url::parse(text) {
                Ok(_) => Vec::new(),
                Err(reason) => vec![format!("parse {text:?}: {reason}")],
            },
            Self::Uuid => one_error(is_uuid(text), "does not match the UUID format"),
            Self::Byte => {
                let decoded = base64::engine::general_purpose::STANDARD.decode(text);
                one_error(!text.is_empty() && decoded.is_ok(), "invalid base64")
            }
            Self::Date => {
                let is_date =
                    text.len() == 10 && parse_timestamp(&format!("{text}T00:00:00Z")).is_some();
                one_error(is_date, "invalid date")
            }
            Self::Datetime => one_error(parse_timestamp(text).is_some(), "invalid datetime"),
        }
    }
}
