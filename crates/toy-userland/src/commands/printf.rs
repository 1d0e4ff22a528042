//! `printf`, and the escape sequences that it shares with `echo -e`.

use super::call::Call;
use crate::outcome::Outcome;

/// Widest field and largest precision. Larger numbers are reduced to this.
const MAX_WIDTH: usize = 4096;

pub(super) async fn printf(call: &mut Call<'_>) -> Outcome {
    let args = std::mem::take(&mut call.args);
    let Some((format, operands)) = args.split_first() else {
        return Ok(call.fail("usage: printf FORMAT [ARGUMENT...]"));
    };
    let mut printer = Printer {
        operands: operands.iter(),
        code: 0,
    };
    loop {
        let left = printer.operands.len();
        let before = call.out.len();
        let go_on = printer.once(call, format);
        call.spend(format.len() + call.out.len() - before).await?;
        if call.out.len() > call.context.limits.expansion_bytes {
            return Ok(call.fail("out of memory"));
        }
        if !go_on || printer.operands.len() == 0 || printer.operands.len() == left {
            return Ok(printer.code);
        }
    }
}

struct Printer<'a> {
    operands: std::slice::Iter<'a, String>,
    code: u8,
}

/// Flags, width and precision: the part of a conversion between `%` and its letter.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternative: bool,
    width: usize,
    precision: Option<usize>,
}

impl Printer<'_> {
    /// Prints the format once. Returns whether the output may go on, which `\c` and an invalid
    /// conversion prevent.
    fn once(&mut self, call: &mut Call<'_>, format: &str) -> bool {
        let mut rest = format;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            match c {
                '\\' => {
                    let (bytes, length) = escape(after);
                    if after.starts_with('c') {
                        return false;
                    }
                    call.out.extend_from_slice(&bytes);
                    rest = &after[length..];
                }
                '%' => match self.conversion(call, after) {
                    Some(_) if call.out.len() > call.context.limits.expansion_bytes => {
                        return false;
                    }
                    Some(rest_after) => rest = rest_after,
                    None => return false,
                },
                c => {
                    call.out
                        .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = after;
                }
            }
        }
        true
    }

    /// Prints one conversion; `text` starts after its `%`. Returns the rest of the format, or
    /// `None` if the output ends here.
    fn conversion<'f>(&mut self, call: &mut Call<'_>, text: &'f str) -> Option<&'f str> {
        let mut spec = Spec::default();
        let mut rest = text;
        while let Some(flag) = rest.chars().next().filter(|c| "-0+ #".contains(*c)) {
            match flag {
                '-' => spec.left = true,
                '0' => spec.zero = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                _ => spec.alternative = true,
            }
            rest = &rest[1..];
        }
        (spec.width, rest) = self.amount(rest, &mut spec.left);
        if let Some(after) = rest.strip_prefix('.') {
            let (precision, after) = self.amount(after, &mut false);
            spec.precision = Some(precision);
            rest = after;
        }
        let letter = rest.chars().next();
        let after = &rest[letter.map_or(0, char::len_utf8)..];
        match letter {
            Some('%') => call.out.push(b'%'),
            Some('s') => {
                let text = self.next().to_owned();
                pad(&mut call.out, &cut(&text, spec.precision), &spec);
            }
            Some('c') => {
                let first: String = self.next().chars().take(1).collect();
                pad(&mut call.out, &first, &spec);
            }
            Some('b') => {
                let (bytes, go_on) = unescaped(self.next());
                call.out.extend_from_slice(&bytes);
                if !go_on {
                    return None;
                }
            }
            Some(letter @ ('d' | 'i' | 'u' | 'x' | 'X' | 'o')) => {
                let operand = self.next().to_owned();
                let number = number(&operand);
                if number.is_none() {
                    self.code = call.fail(&format!("invalid number '{operand}'"));
                }
                integer(&mut call.out, number.unwrap_or(0), letter, &spec);
            }
            Some('f' | 'e' | 'g') => {
                let operand = self.next().to_owned();
                let number = if operand.is_empty() {
                    Ok(0.0)
                } else {
                    operand.parse::<f64>()
                };
                if number.is_err() {
                    self.code = call.fail(&format!("invalid number '{operand}'"));
                }
                let precision = spec.precision.unwrap_or(6);
                pad(
                    &mut call.out,
                    &format!("{:.precision$}", number.unwrap_or(0.0)),
                    &spec,
                );
            }
            _ => {
                self.code = call.fail(&format!("%{text}: invalid format"));
                return None;
            }
        }
        Some(after)
    }

    /// Returns the next operand, or an empty text after the last.
    fn next(&mut self) -> &str {
        self.operands.next().map_or("", String::as_str)
    }

    /// Parses a width or precision: digits, or `*`, which takes it from the next operand. A
    /// negative operand sets `left`.
    fn amount<'f>(&mut self, text: &'f str, left: &mut bool) -> (usize, &'f str) {
        if let Some(rest) = text.strip_prefix('*') {
            let amount = number(self.next()).unwrap_or(0);
            *left |= amount < 0;
            let amount = usize::try_from(amount.unsigned_abs()).unwrap_or(MAX_WIDTH);
            return (amount.min(MAX_WIDTH), rest);
        }
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (digits, rest) = text.split_at(end);
        let amount = if digits.is_empty() {
            0
        } else {
            digits.parse().unwrap_or(MAX_WIDTH)
        };
        (amount.min(MAX_WIDTH), rest)
    }
}

fn integer(out: &mut Vec<u8>, number: i64, letter: char, spec: &Spec) {
    let (sign, digits) = match letter {
        'x' => ("", format!("{number:x}")),
        'X' => ("", format!("{number:X}")),
        'o' => ("", format!("{number:o}")),
        'u' => ("", number.cast_unsigned().to_string()),
        _ if number < 0 => ("-", number.unsigned_abs().to_string()),
        _ if spec.plus => ("+", number.to_string()),
        _ if spec.space => (" ", number.to_string()),
        _ => ("", number.to_string()),
    };
    let prefix = match letter {
        'x' if spec.alternative && number != 0 => "0x",
        'X' if spec.alternative && number != 0 => "0X",
        'o' if spec.alternative => "0",
        _ => sign,
    };
    let wanted = match spec.precision {
        Some(precision) => precision,
        None if spec.zero && !spec.left => spec.width.saturating_sub(prefix.len()),
        None => 0,
    };
    pad(out, &format!("{prefix}{digits:0>wanted$}"), spec);
}

fn cut(text: &str, precision: Option<usize>) -> String {
    text.chars().take(precision.unwrap_or(usize::MAX)).collect()
}

fn pad(out: &mut Vec<u8>, text: &str, spec: &Spec) {
    let width = spec.width;
    let padded = if spec.left {
        format!("{text:<width$}")
    } else {
        format!("{text:>width$}")
    };
    out.extend_from_slice(padded.as_bytes());
}

/// Parses a decimal, octal (`017`) or hexadecimal (`0xf`) number, or the code point of a
/// character after a quote. An empty text is zero.
fn number(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    if let Some(quoted) = text.strip_prefix(['\'', '"']) {
        return Some(i64::from(quoted.chars().next().map_or(0, u32::from)));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let (digits, radix) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hexadecimal) => (hexadecimal, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).ok()
}

/// Resolves the escape sequences of a text. Returns the bytes, up to the first `\c`, and
/// whether there was none.
pub(super) fn unescaped(text: &str) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if rest.starts_with('c') {
            return (bytes, false);
        }
        let (escaped, length) = escape(rest);
        bytes.extend_from_slice(&escaped);
        rest = &rest[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    (bytes, true)
}

/// Resolves one escape sequence; `text` starts after its backslash. Returns the bytes that it
/// stands for, and its length in `text`.
fn escape(text: &str) -> (Vec<u8>, usize) {
    let letter = text.chars().next();
    let single = |byte: u8| (vec![byte], 1);
    match letter {
        Some('n') => single(b'\n'),
        Some('t') => single(b'\t'),
        Some('r') => single(b'\r'),
        Some('a') => single(7),
        Some('b') => single(8),
        Some('e') => single(27),
        Some('f') => single(12),
        Some('v') => single(11),
        Some('\\') => single(b'\\'),
        Some('"') => single(b'"'),
        Some('x') => {
            let digits: String = text.chars().skip(1).take(2).collect();
            let digits: String = digits.chars().take_while(char::is_ascii_hexdigit).collect();
            match u8::from_str_radix(&digits, 16) {
                Ok(byte) => (vec![byte], 1 + digits.len()),
                Err(_) => (b"\\x".to_vec(), 1),
            }
        }
        Some('0'..='7') => {
            let most = if text.starts_with('0') { 4 } else { 3 };
            let digits: String = text
                .chars()
                .take(most)
                .take_while(|c| c.is_digit(8))
                .collect();
            let value = u32::from_str_radix(&digits, 8).unwrap_or(0);
            (vec![u8::try_from(value & 0xff).unwrap_or(0)], digits.len())
        }
        _ => (b"\\".to_vec(), 0),
    }
}
