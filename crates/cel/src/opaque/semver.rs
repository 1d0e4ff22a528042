//! Semantic versions.

use std::cmp::Ordering;

/// Semantic version without its build metadata, which has no order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Semver {
    pub(crate) numbers: [u64; 3],
    pre: Vec<String>,
}

impl Semver {
    /// Reads a version.
    pub(crate) fn parse(text: &str) -> Option<Self> {
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
    pub(crate) fn parse_tolerantly(text: &str) -> Option<Self> {
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

    /// Returns the order of two versions.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
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
