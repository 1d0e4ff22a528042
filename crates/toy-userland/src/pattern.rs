//! Shell patterns with `*`, `?` and `[…]`, POSIX XCU 2.14.
//!
//! A match keeps the set of positions in the pattern that the text so far can have reached, and
//! advances all of them by each character. It therefore takes at most the product of the lengths
//! of pattern and text, and can stop after any character: [`Matching::work`] does a bounded part
//! of it.

use std::borrow::Cow;
use std::ops::ControlFlow;

/// Most bytes of a pattern with special characters.
pub(crate) const MAX_PATTERN_BYTES: usize = 64 << 10;

/// A pattern is longer than [`MAX_PATTERN_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pattern of more than {MAX_PATTERN_BYTES} bytes")]
pub(crate) struct PatternTooLong;

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
pub(crate) fn unescaped(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains('\\') {
        return Cow::Borrowed(pattern);
    }
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    Cow::Owned(text)
}

/// Text that a match looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// The whole text.
    Whole,
    /// The shortest or longest prefix, for `${x#…}`.
    Prefix { longest: bool },
    /// The shortest or longest suffix, for `${x%…}`.
    Suffix { longest: bool },
}

impl Goal {
    fn is_longest(self) -> bool {
        matches!(
            self,
            Self::Whole | Self::Prefix { longest: true } | Self::Suffix { longest: true }
        )
    }
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// Matches this text alone.
    Literal(String),
    Tokens {
        tokens: Vec<Token>,
        /// Least number of characters that match.
        least: usize,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// `*`
    Star,
    /// `?`
    Any,
    Char(char),
    Bracket(Box<Bracket>),
}

impl Pattern {
    /// Parses a pattern.
    pub(crate) fn new(pattern: &str) -> Result<Self, PatternTooLong> {
        if !is_pattern(pattern) {
            return Ok(Self(Kind::Literal(unescaped(pattern).into_owned())));
        }
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(PatternTooLong);
        }
        let mut tokens = Vec::new();
        let mut rest = pattern.chars();
        while let Some(c) = rest.next() {
            tokens.push(match c {
                // Adjacent stars are one.
                '*' if tokens.last() == Some(&Token::Star) => continue,
                '*' => Token::Star,
                '?' => Token::Any,
                '[' => match Bracket::parse(rest.as_str()) {
                    Some((bracket, after)) => {
                        rest = after.chars();
                        Token::Bracket(Box::new(bracket))
                    }
                    None => Token::Char('['),
                },
                '\\' => Token::Char(rest.next().unwrap_or('\\')),
                c => Token::Char(c),
            });
        }
        let least = tokens.iter().filter(|token| **token != Token::Star).count();
        Ok(Self(Kind::Tokens { tokens, least }))
    }

    /// Starts a match with a text.
    pub(crate) fn matching<'p, 't>(&'p self, goal: Goal, text: &'t str) -> Matching<'p, 't> {
        let known = match &self.0 {
            Kind::Literal(literal) => ControlFlow::Break(match goal {
                Goal::Whole => (literal == text).then_some(text.len()),
                Goal::Prefix { .. } => text.starts_with(literal).then_some(literal.len()),
                Goal::Suffix { .. } => text.ends_with(literal).then_some(literal.len()),
            }),
            // Each character takes a byte or more.
            Kind::Tokens { least, .. } if *least > text.len() => ControlFlow::Break(None),
            Kind::Tokens { .. } => ControlFlow::Continue(()),
        };
        Matching {
            tokens: match &self.0 {
                Kind::Literal(_) => &[],
                Kind::Tokens { tokens, .. } => tokens,
            },
            goal,
            rest: text,
            length: text.len(),
            reached: Vec::new(),
            next: Vec::new(),
            found: None,
            known,
            is_new: true,
        }
    }

    /// Returns whether the pattern matches a whole text.
    #[cfg(test)]
    fn matches(&self, text: &str) -> bool {
        let mut matching = self.matching(Goal::Whole, text);
        loop {
            if let ControlFlow::Break(found) = matching.work(usize::MAX) {
                return found.is_some();
            }
        }
    }
}

/// A match in progress.
pub(crate) struct Matching<'p, 't> {
    tokens: &'p [Token],
    goal: Goal,
    /// Unread text. A suffix is read from its end.
    rest: &'t str,
    /// Length of the whole text in bytes.
    length: usize,
    /// Numbers of tokens that the text so far matches, each once, in order.
    reached: Vec<usize>,
    next: Vec<usize>,
    /// Length of the best match so far, in bytes.
    found: Option<usize>,
    /// Result, if the match is over.
    known: ControlFlow<Option<usize>>,
    is_new: bool,
}

impl Matching<'_, '_> {
    /// Makes about this many comparisons. Breaks with the result once the match is over: the
    /// length of the text that matches, in bytes, or `None` if there is none.
    pub(crate) fn work(&mut self, comparisons: usize) -> ControlFlow<Option<usize>> {
        if self.known.is_continue() && self.is_new {
            self.is_new = false;
            self.reach(0);
            std::mem::swap(&mut self.reached, &mut self.next);
            self.check();
        }
        let mut left = comparisons;
        while self.known.is_continue() && left > 0 {
            let spent = self.advance();
            left = left.saturating_sub(spent.max(1));
        }
        self.known
    }

    /// Returns the token at a position, counted from the end at which the text is read.
    fn token(&self, position: usize) -> Option<&Token> {
        match self.goal {
            Goal::Suffix { .. } => self
                .tokens
                .get(self.tokens.len().checked_sub(position + 1)?),
            Goal::Whole | Goal::Prefix { .. } => self.tokens.get(position),
        }
    }

    /// Adds a position to the next ones. A star also matches nothing, so the position after it is
    /// reached with it; and from a star all is reached that an earlier position reaches.
    fn reach(&mut self, position: usize) {
        if self.next.last().is_some_and(|last| *last >= position) {
            return;
        }
        if self.token(position) == Some(&Token::Star) {
            self.next.clear();
            self.next.push(position);
            self.next.push(position + 1);
        } else {
            self.next.push(position);
        }
    }

    /// Reads one character, and returns the number of comparisons.
    fn advance(&mut self) -> usize {
        let is_suffix = matches!(self.goal, Goal::Suffix { .. });
        let mut chars = self.rest.chars();
        let c = if is_suffix {
            chars.next_back()
        } else {
            chars.next()
        };
        let Some(c) = c else {
            self.known = ControlFlow::Break(self.found);
            return 1;
        };
        self.rest = chars.as_str();
        let reached = std::mem::take(&mut self.reached);
        self.next.clear();
        let mut spent = 0;
        for position in &reached {
            let (holds, cost, stays) = match self.token(*position) {
                None => (false, 1, false),
                Some(Token::Star) => (true, 1, true),
                Some(Token::Any) => (true, 1, false),
                Some(Token::Char(wanted)) => (*wanted == c, 1, false),
                Some(Token::Bracket(bracket)) => {
                    (bracket.holds(c), 1 + bracket.members.len(), false)
                }
            };
            spent += cost;
            if holds {
                self.reach(if stays { *position } else { position + 1 });
            }
        }
        self.reached = std::mem::replace(&mut self.next, reached);
        self.check();
        spent
    }

    /// Takes note of a match of the text so far, and of the end of the search.
    fn check(&mut self) {
        let ends = self.reached.last() == Some(&self.tokens.len());
        let read = self.length - self.rest.len();
        if self.goal == Goal::Whole {
            // A star at the end matches all the rest.
            let by_star = ends && self.tokens.last() == Some(&Token::Star);
            self.found = (ends && (by_star || self.rest.is_empty())).then_some(self.length);
        } else if ends {
            self.found = Some(read);
        }
        let is_decided =
            self.found.is_some() && (!self.goal.is_longest() || self.goal == Goal::Whole);
        if is_decided || self.reached.is_empty() {
            self.known = ControlFlow::Break(self.found);
        }
    }
}

/// A bracket expression, XBD 9.3.5.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bracket {
    is_negated: bool,
    members: Vec<Member>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    /// A range from the first to the last character.
    Range(char, char),
    Class(Class),
}

/// A character class such as `[:digit:]`, in the POSIX locale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Alnum,
    Alpha,
    Blank,
    Cntrl,
    Digit,
    Graph,
    Lower,
    Print,
    Punct,
    Space,
    Upper,
    Xdigit,
}

impl Class {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "alnum" => Self::Alnum,
            "alpha" => Self::Alpha,
            "blank" => Self::Blank,
            "cntrl" => Self::Cntrl,
            "digit" => Self::Digit,
            "graph" => Self::Graph,
            "lower" => Self::Lower,
            "print" => Self::Print,
            "punct" => Self::Punct,
            "space" => Self::Space,
            "upper" => Self::Upper,
            "xdigit" => Self::Xdigit,
            _ => return None,
        })
    }

    fn holds(self, c: char) -> bool {
        match self {
            Self::Alnum => c.is_ascii_alphanumeric(),
            Self::Alpha => c.is_ascii_alphabetic(),
            Self::Blank => matches!(c, ' ' | '\t'),
            Self::Cntrl => c.is_ascii_control(),
            Self::Digit => c.is_ascii_digit(),
            Self::Graph => c.is_ascii_graphic(),
            Self::Lower => c.is_ascii_lowercase(),
            Self::Print => c.is_ascii_graphic() || c == ' ',
            Self::Punct => c.is_ascii_punctuation(),
            Self::Space => c.is_ascii_whitespace() || c == '\u{b}',
            Self::Upper => c.is_ascii_uppercase(),
            Self::Xdigit => c.is_ascii_hexdigit(),
        }
    }
}

impl Bracket {
    /// Parses a bracket expression. `text` starts after its `[`. Returns the expression and the
    /// text after it; `None` if the closing bracket is missing or a class is unknown.
    fn parse(text: &str) -> Option<(Self, &str)> {
        let mut rest = text;
        let mut is_negated = false;
        if let Some(after) = rest.strip_prefix(['!', '^']) {
            is_negated = true;
            rest = after;
        }
        let mut members = Vec::new();
        let mut is_first = true;
        loop {
            if !is_first && let Some(after) = rest.strip_prefix(']') {
                return Some((
                    Self {
                        is_negated,
                        members,
                    },
                    after,
                ));
            }
            is_first = false;
            if let Some(named) = rest.strip_prefix("[:") {
                let (name, after) = named.split_once(":]")?;
                members.push(Member::Class(Class::parse(name)?));
                rest = after;
                continue;
            }
            let (first, after) = Self::member(rest)?;
            rest = after;
            let last = match rest.strip_prefix('-') {
                Some(after) if !after.starts_with(']') => {
                    let (last, after) = Self::member(after)?;
                    rest = after;
                    last
                }
                _ => first,
            };
            members.push(Member::Range(first, last));
        }
    }

    /// Reads one character, which a backslash can escape, or the one of `[.c.]` or `[=c=]`.
    fn member(text: &str) -> Option<(char, &str)> {
        for (open, close) in [("[.", ".]"), ("[=", "=]")] {
            if let Some(after) = text.strip_prefix(open) {
                let mut chars = after.chars();
                let c = chars.next()?;
                return Some((c, chars.as_str().strip_prefix(close)?));
            }
        }
        let mut chars = text.chars();
        let c = match chars.next()? {
            '\\' => chars.next()?,
            c => c,
        };
        Some((c, chars.as_str()))
    }

    fn holds(&self, c: char) -> bool {
        let holds = |member: &Member| match *member {
            Member::Range(first, last) => (first..=last).contains(&c),
            Member::Class(class) => class.holds(c),
        };
        self.members.iter().any(holds) != self.is_negated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(text)
    }

    /// Returns the length that a goal finds, by calls that make few comparisons each.
    fn found(pattern: &str, goal: Goal, text: &str) -> Option<usize> {
        let pattern = Pattern::new(pattern).unwrap();
        let mut matching = pattern.matching(goal, text);
        loop {
            if let ControlFlow::Break(found) = matching.work(3) {
                return found;
            }
        }
    }

    fn without_prefix<'t>(pattern: &str, longest: bool, text: &'t str) -> &'t str {
        &text[found(pattern, Goal::Prefix { longest }, text).unwrap_or(0)..]
    }

    fn without_suffix<'t>(pattern: &str, longest: bool, text: &'t str) -> &'t str {
        let length = found(pattern, Goal::Suffix { longest }, text).unwrap_or(0);
        &text[..text.len() - length]
    }

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
            ("[!]]", "]", false),
            ("[]-a]", "_", true),
            ("[a-]", "-", true),
            ("[a", "[a", true),
            ("[[:nonesuch:]]", "a", false),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("[[:digit:]]*", "1x", true),
            ("[[:alpha:][:digit:]_]", "_", true),
            ("[![:space:]]", " ", false),
            ("[[.-.]a]", "-", true),
            ("[[=a=]]", "a", true),
            ("a.c", "abc", false),
            ("a\nb*", "a\nbc", true),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxcxxb", false),
            ("**", "x", true),
            ("*?", "", false),
            ("a[b", "a[b", true),
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
        assert_eq!(without_suffix("?d", false, path), "/a/b.c");
        assert_eq!(without_prefix("*", false, path), path);
        assert_eq!(without_prefix("*", true, path), "");
        assert_eq!(without_suffix("[[:alpha:]]*", true, "1é1"), "1é1");
    }

    #[test]
    fn a_pattern_that_cannot_fit_costs_nothing_and_others_at_most_the_product() {
        let wide = Pattern::new(&"?".repeat(2048)).unwrap();
        let mut matching = wide.matching(Goal::Whole, "file-1000");
        assert_eq!(matching.work(1), ControlFlow::Break(None));
        let long = "a".repeat(10_000);
        for pattern in [
            format!("*{}b", "a".repeat(50)),
            "*a*a*a*a*a*b".to_owned(),
            format!("{}b", "?".repeat(50)),
        ] {
            let parsed = Pattern::new(&pattern).unwrap();
            let most = (pattern.len() + 1) * (long.len() + 1);
            for goal in [
                Goal::Whole,
                Goal::Prefix { longest: true },
                Goal::Suffix { longest: true },
            ] {
                let mut matching = parsed.matching(goal, &long);
                let found = matching.work(most);
                assert_eq!(found, ControlFlow::Break(None), "{pattern} {goal:?}");
            }
        }
        // A usual pattern takes a few comparisons for each character.
        let usual = Pattern::new("*1*2*").unwrap();
        let mut matching = usual.matching(Goal::Whole, &long);
        let found = matching.work(3 * long.len());
        assert_eq!(found, ControlFlow::Break(None));
    }

    #[test]
    fn a_pattern_is_bounded() {
        let long = "*".to_owned() + &"a".repeat(MAX_PATTERN_BYTES);
        assert_eq!(Pattern::new(&long), Err(PatternTooLong));
        let literal = "a".repeat(2 * MAX_PATTERN_BYTES);
        assert!(matches(&literal, &literal));
    }

    /// Matches by trying every way, which short texts allow.
    fn by_hand(tokens: &[Token], text: &[char]) -> bool {
        match tokens.split_first() {
            None => text.is_empty(),
            Some((Token::Star, rest)) => (0..=text.len()).any(|at| by_hand(rest, &text[at..])),
            Some((token, rest)) => text.split_first().is_some_and(|(c, after)| {
                let holds = match token {
                    Token::Char(wanted) => wanted == c,
                    Token::Bracket(bracket) => bracket.holds(*c),
                    Token::Star | Token::Any => true,
                };
                holds && by_hand(rest, after)
            }),
        }
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
        fn any_pattern_finds_what_a_search_of_all_ways_finds(
            pattern in "[\\[\\]!^*?a-c:\\\\-]{0,12}",
            text in "[a-cé]{0,9}",
        ) {
            let parsed = Pattern::new(&pattern).unwrap();
            let Pattern(Kind::Tokens { tokens, .. }) = &parsed else { return Ok(()) };
            let ends = (0..=text.len()).filter(|at| text.is_char_boundary(*at));
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(parsed.matches(&text), by_hand(tokens, &chars(&text)));
            let prefixes: Vec<usize> = ends
                .clone()
                .filter(|at| by_hand(tokens, &chars(&text[..*at])))
                .collect();
            let suffixes: Vec<usize> = ends
                .filter(|at| by_hand(tokens, &chars(&text[*at..])))
                .map(|at| text.len() - at)
                .collect();
            for longest in [false, true] {
                let choose = |all: &[usize]| if longest {
                    all.iter().copied().max()
                } else {
                    all.iter().copied().min()
                };
                prop_assert_eq!(
                    found(&pattern, Goal::Prefix { longest }, &text), choose(&prefixes)
                );
                prop_assert_eq!(
                    found(&pattern, Goal::Suffix { longest }, &text), choose(&suffixes)
                );
            }
        }
    }
}
