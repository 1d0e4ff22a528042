//! Shell patterns with `*`, `?` and `[…]`, POSIX XCU 2.14. They are translated to regular
//! expressions, whose engine matches every pattern in linear time.

use regex::{Regex, RegexBuilder};

/// Most memory that one compiled pattern may take, in bytes.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// Appends a text to a pattern, escaped so that it matches literally.
pub(crate) fn escape_into(pattern: &mut String, text: &str) {
    for c in text.chars() {
        if is_special(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
}

fn is_special(c: char) -> bool {
    matches!(c, '*' | '?' | '[' | ']' | '\\' | '-' | '!' | '^')
}

/// Returns whether a pattern has an unescaped special character.
pub(crate) fn is_pattern(pattern: &str) -> bool {
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// Returns a pattern without its escaping backslashes.
pub(crate) fn unescaped(pattern: &str) -> String {
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

/// Returns whether a pattern matches a whole text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    if !is_pattern(pattern) {
        return unescaped(pattern) == text;
    }
    compiled(&format!("^{}$", translated(pattern, Star::Longest)))
        .is_some_and(|regex| regex.is_match(text))
}

/// Returns a text without its shortest or longest prefix that matches, for `${x#…}`.
pub(crate) fn without_prefix<'t>(pattern: &str, longest: bool, text: &'t str) -> &'t str {
    let star = if longest {
        Star::Longest
    } else {
        Star::Shortest
    };
    let found = compiled(&format!("^{}", translated(pattern, star)))
        .and_then(|regex| regex.find(text).map(|found| found.end()));
    text.get(found.unwrap_or(0)..).unwrap_or(text)
}

/// Returns a text without its shortest or longest suffix that matches, for `${x%…}`.
pub(crate) fn without_suffix<'t>(pattern: &str, longest: bool, text: &'t str) -> &'t str {
    let kept = if longest { ".*?" } else { ".*" };
    let found = compiled(&format!("^({kept}){}$", translated(pattern, Star::Longest)))
        .and_then(|regex| regex.captures(text)?.get(1).map(|kept| kept.end()));
    text.get(..found.unwrap_or(text.len())).unwrap_or(text)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Star {
    Shortest,
    Longest,
}

fn compiled(expression: &str) -> Option<Regex> {
    RegexBuilder::new(expression)
        .dot_matches_new_line(true)
        .size_limit(MAX_REGEX_BYTES)
        .build()
        .ok()
}

fn translated(pattern: &str, star: Star) -> String {
    let mut expression = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' if star == Star::Shortest => expression.push_str(".*?"),
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            '[' => match bracket(rest.as_str()) {
                Some((class, length)) => {
                    expression.push_str(&class);
                    rest = rest.as_str()[length..].chars();
                }
                None => expression.push_str("\\["),
            },
            '\\' => literal(&mut expression, rest.next().unwrap_or('\\')),
            c => literal(&mut expression, c),
        }
    }
    expression
}

fn literal(expression: &mut String, c: char) {
    expression.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

/// Translates a bracket expression. `text` starts after its `[`. Returns the class and the
/// bytes that it takes in `text`; `None` if the closing bracket is missing.
fn bracket(text: &str) -> Option<(String, usize)> {
    let mut class = String::from("[");
    let mut chars = text.char_indices().peekable();
    if chars.next_if(|(_, c)| matches!(c, '!' | '^')).is_some() {
        class.push('^');
    }
    let mut first = true;
    while let Some((at, c)) = chars.next() {
        match c {
            ']' if !first => {
                class.push(']');
                return Some((class, at + 1));
            }
            '[' if text[at..].starts_with("[:") => {
                let name = text[at..].split_inclusive(":]").next()?;
                if !name.ends_with(":]") {
                    return None;
                }
                class.push_str(name);
                while chars.next_if(|(next, _)| *next < at + name.len()).is_some() {}
            }
            '-' => class.push('-'),
            '\\' => {
                class.push('\\');
                class.push(chars.next()?.1);
            }
            c => {
                if !c.is_alphanumeric() {
                    class.push('\\');
                }
                class.push(c);
            }
        }
        first = false;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbcd", false),
            ("?", "é", true),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[a", "[a", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[[:digit:]]*", "1x", true),
            ("a.c", "abc", false),
            ("a\nb*", "a\nbc", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn ends_are_removed_short_or_long() {
        let path = "/a/b.c.d";
        assert_eq!(without_prefix("*/", false, path), "a/b.c.d");
        assert_eq!(without_prefix("*/", true, path), "b.c.d");
        assert_eq!(without_suffix(".*", false, path), "/a/b.c");
        assert_eq!(without_suffix(".*", true, path), "/a/b");
        assert_eq!(without_suffix("x", false, path), path);
    }

    proptest! {
        #[test]
        fn an_escaped_text_matches_itself_only(text in ".{0,20}", other in ".{0,20}") {
            let mut pattern = String::new();
            escape_into(&mut pattern, &text);
            prop_assert!(matches(&pattern, &text));
            prop_assert_eq!(matches(&pattern, &other), text == other);
            let (open, longer) = (pattern + "*", text + &other);
            prop_assert!(matches(&open, &longer));
        }

        #[test]
        fn any_pattern_is_matched(pattern in "[\\[\\]!^*?a-c:\\\\-]{0,20}", text in "[a-c]{0,9}") {
            let _ = matches(&pattern, &text);
            let _ = without_prefix(&pattern, true, &text);
            let _ = without_suffix(&pattern, false, &text);
        }
    }
}
