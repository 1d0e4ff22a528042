//! `grep`: searches for fixed text or regular expressions. The engine is that of the `regex`
//! crate, which matches in linear time and has no back-references.

use regex::bytes::{Regex, RegexBuilder};

use super::arguments::Arguments;
use super::call::{Call, about};
use crate::outcome::{Outcome, Unwind};
use crate::world::FileError;

/// Most bytes of all patterns.
const MAX_PATTERN_BYTES: usize = 8 << 10;
/// Bounds of expressions: most memory that the compiled expression may take, in bytes, and the
/// longest line that it searches at once. The time for a line can be the product of both, so only
/// a small expression searches long lines.
const BOUNDS: [(usize, usize); 2] = [(16 << 10, 16 << 10), (256 << 10, 2 << 10)];
/// Cost of compiling a byte of a pattern, in bytes of text that are copied.
const COMPILE_COST: usize = 64;
/// Cost of searching a byte, in bytes of text that are copied.
const SEARCH_COST: usize = 8;

/// A compiled expression.
struct Expression {
    regex: Regex,
    /// Longest piece of a line that is searched at once.
    max_line: usize,
}

pub(super) async fn grep(mut call: Call<'_>) -> Outcome {
    let mut arguments = call.arguments_now("ivcnlLqsowxEFGHhre:m:").await?;
    let mut patterns: Vec<String> = arguments.values('e').map(str::to_owned).collect();
    if patterns.is_empty() {
        if arguments.operands.is_empty() {
            call.complain("a pattern is needed").await;
            return Ok(2);
        }
        patterns = arguments
            .operands
            .remove(0)
            .lines()
            .map(str::to_owned)
            .collect();
    }
    let length: usize = patterns.iter().map(String::len).sum();
    if length > MAX_PATTERN_BYTES {
        call.complain(&format!("a pattern of more than {MAX_PATTERN_BYTES} bytes"))
            .await;
        return Ok(2);
    }
    call.spend(COMPILE_COST * length).await?;
    let Some(regex) = compiled(&patterns, &arguments) else {
        call.complain(&format!("bad regex '{}'", patterns.join("|")))
            .await;
        return Ok(2);
    };
    let mut found = false;
    let mut failed = false;
    let inputs = arguments.inputs();
    for operand in &inputs {
        match search(&mut call, &arguments, &regex, operand, inputs.len() > 1).await? {
            Searched::Lines(lines) => found |= (lines > 0) != arguments.has('L'),
            Searched::Failed => failed = true,
        }
        if found && arguments.has('q') {
            return Ok(0);
        }
    }
    Ok(match (found, failed) {
        (_, true) => 2,
        (true, false) => 0,
        (false, false) => 1,
    })
}

enum Searched {
    /// Number of lines that were selected.
    Lines(usize),
    Failed,
}

async fn search(
    call: &mut Call<'_>,
    arguments: &Arguments,
    expression: &Expression,
    operand: &str,
    several: bool,
) -> Result<Searched, Unwind> {
    let input = match operand {
        "-" => call.context.descriptors.stdin.clone(),
        path => match call.context.directory.open(path) {
            Ok(input) => input,
            Err(error) => {
                if !arguments.has('s') && error != FileError::IsADirectory {
                    call.complain(&about(path, error)).await;
                }
                return Ok(Searched::Failed);
            }
        },
    };
    let named = (several || arguments.has('H')) && !arguments.has('h');
    let shown = if operand == "-" {
        "(standard input)"
    } else {
        operand
    };
    let prefix = if named {
        format!("{shown}:")
    } else {
        String::new()
    };
    let names_only = arguments.has('l') || arguments.has('L');
    let silent = arguments.has('q') || arguments.has('c') || names_only;
    let most = arguments
        .value('m')
        .and_then(|text| text.parse().ok())
        .unwrap_or(usize::MAX);
    let regex = &expression.regex;
    let mut lines = 0;
    let mut number = 0;
    while lines < most {
        let mut line = call.line_up_to(&input, expression.max_line).await?;
        if line.is_empty() {
            break;
        }
        call.spend(SEARCH_COST * line.len()).await?;
        number += 1;
        if line.ends_with(b"\n") {
            line.pop();
        }
        if regex.is_match(&line) == arguments.has('v') {
            continue;
        }
        lines += 1;
        if arguments.has('q') || names_only {
            break;
        }
        if silent {
            continue;
        }
        let before = if arguments.has('n') {
            format!("{prefix}{number}:")
        } else {
            prefix.clone()
        };
        if arguments.has('o') {
            for part in regex.find_iter(&line).filter(|part| !part.is_empty()) {
                call.write(&[before.as_bytes(), part.as_bytes(), b"\n"].concat())
                    .await?;
            }
        } else {
            call.write(&[before.as_bytes(), &line, b"\n"].concat())
                .await?;
        }
    }
    if arguments.has('c') && !arguments.has('q') {
        call.write(format!("{prefix}{lines}\n").as_bytes()).await?;
    }
    if names_only && !arguments.has('q') && (lines > 0) == arguments.has('l') {
        call.write(format!("{shown}\n").as_bytes()).await?;
    }
    Ok(Searched::Lines(lines))
}

fn compiled(patterns: &[String], arguments: &Arguments) -> Option<Expression> {
    let one = |pattern: &String| {
        if arguments.has('F') {
            regex::escape(pattern)
        } else if arguments.has('E') {
            pattern.clone()
        } else {
            from_basic(pattern)
        }
    };
    let any: Vec<String> = patterns
        .iter()
        .map(|pattern| format!("(?:{})", one(pattern)))
        .collect();
    let any = any.join("|");
    let expression = match () {
        () if arguments.has('x') => format!("^(?:{any})$"),
        () if arguments.has('w') => format!(r"\b(?:{any})\b"),
        () => any,
    };
    BOUNDS.into_iter().find_map(|(max_bytes, max_line)| {
        let regex = RegexBuilder::new(&expression)
            .unicode(false)
            .case_insensitive(arguments.has('i'))
            .size_limit(max_bytes)
            .build()
            .ok()?;
        Some(Expression { regex, max_line })
    })
}

/// Translates a basic regular expression to an extended one. In a basic one, `( ) { } | + ?`
/// are special after a backslash, and literal without it.
fn from_basic(pattern: &str) -> String {
    let mut extended = String::new();
    let mut chars = pattern.chars().peekable();
    let mut start = true;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('(' | ')' | '{' | '}' | '|' | '+' | '?')) => {
                    extended.push(c);
                    start = matches!(c, '(' | '|');
                    continue;
                }
                Some('<' | '>') => extended.push_str(r"\b"),
                Some(c) => {
                    extended.push('\\');
                    extended.push(c);
                }
                None => extended.push_str(r"\\"),
            },
            '(' | ')' | '{' | '}' | '|' | '+' | '?' => {
                extended.push('\\');
                extended.push(c);
            }
            // A leading `*` is literal.
            '*' if start => extended.push_str(r"\*"),
            '^' if !start => extended.push_str(r"\^"),
            '[' => bracket(&mut extended, &mut chars),
            c => extended.push(c),
        }
        start = c == '^' && start;
    }
    extended
}

/// Translates a bracket expression, in which a backslash is literal.
fn bracket(extended: &mut String, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    extended.push('[');
    if let Some(c) = chars.next_if_eq(&'^') {
        extended.push(c);
    }
    let mut first = true;
    let mut in_class = false;
    for c in chars.by_ref() {
        match c {
            ']' if first => extended.push_str(r"\]"),
            ']' if in_class => {
                in_class = false;
                extended.push(c);
            }
            ']' => {
                extended.push(c);
                return;
            }
            '[' => {
                // The start of a class such as `[:digit:]`.
                in_class = true;
                extended.push(c);
            }
            '\\' => extended.push_str(r"\\"),
            '&' | '~' => {
                extended.push('\\');
                extended.push(c);
            }
            c => extended.push(c),
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basic_expression_becomes_an_extended_one() {
        for (basic, extended) in [
            (r"a\(b\|c\)*", "a(b|c)*"),
            ("a+b?", r"a\+b\?"),
            ("*a", r"\*a"),
            ("^*a", r"^\*a"),
            (r"\<a\>", r"\ba\b"),
            (r"[\.]", r"[\\.]"),
            ("a^b$", r"a\^b$"),
            ("[[:digit:]]x", "[[:digit:]]x"),
        ] {
            assert_eq!(from_basic(basic), extended);
        }
    }
}
