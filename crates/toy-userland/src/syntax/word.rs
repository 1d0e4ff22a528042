//! Words: quotes and expansions.

use std::sync::Arc;

use super::ast::{Part, Substitution, Word};
use super::lexer::{Lexer, Token};
use super::{SyntaxError, is_name_char, is_name_start, parser};

/// What ends a word, and what quotes mean in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Among other words.
    Open,
    /// Between double quotes.
    Quotes,
    /// In `${name-…}`, outside of quotes or within.
    Braces { quoted: bool },
    /// In `$((…))`
    Arithmetic,
    /// In a here-document
    Document,
}

impl Place {
    fn is_quoted(self) -> bool {
        match self {
            Self::Open => false,
            Self::Braces { quoted } => quoted,
            Self::Quotes | Self::Arithmetic | Self::Document => true,
        }
    }
}

/// The parts read so far; neighbours of a kind become one.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn plain(&mut self, c: char) {
        match self.0.last_mut() {
            Some(Part::Plain(text)) => text.push(c),
            _ => self.0.push(Part::Plain(c.to_string())),
        }
    }

    fn quoted(&mut self, text: &str) {
        match self.0.last_mut() {
            Some(Part::Quoted(before)) => before.push_str(text),
            _ => self.0.push(Part::Quoted(text.to_owned())),
        }
    }

    fn text(&mut self, c: char, place: Place) {
        if place.is_quoted() {
            self.quoted(c.encode_utf8(&mut [0; 4]));
        } else {
            self.plain(c);
        }
    }
}

impl Lexer<'_> {
    /// A word among others.
    pub(super) fn word(&mut self) -> Result<Word, SyntaxError> {
        let mut parts = Parts::default();
        if self.char() == Some('~') {
            let name = self.rest()[1..].chars().next();
            if name.is_none_or(|c| c == '/' || ends_word(c)) {
                self.bump();
                parts.0.push(Part::Home);
            }
        }
        self.parts(&mut parts, Place::Open)?;
        Ok(Word(parts.0))
    }

    /// The body of a here-document.
    pub(super) fn document(&mut self) -> Result<Word, SyntaxError> {
        let mut parts = Parts::default();
        self.parts(&mut parts, Place::Document)?;
        Ok(Word(parts.0))
    }

    fn parts(&mut self, parts: &mut Parts, place: Place) -> Result<(), SyntaxError> {
        // Parentheses that are open within an arithmetic expression.
        let mut open = 0_usize;
        loop {
            let Some(c) = self.char() else {
                return match place {
                    Place::Open | Place::Document => Ok(()),
                    Place::Quotes => Err(SyntaxError::Quote),
                    Place::Braces { .. } => Err(SyntaxError::Substitution),
                    Place::Arithmetic => Err(end_of_file("))")),
                };
            };
            match (c, place) {
                (_, Place::Open) if ends_word(c) => return Ok(()),
                ('"', Place::Quotes) | ('}', Place::Braces { .. }) => return Ok(()),
                (')', Place::Arithmetic) if open == 0 => return Ok(()),
                ('(', Place::Arithmetic) => {
                    open += 1;
                    self.bump();
                    parts.text(c, place);
                }
                (')', Place::Arithmetic) => {
                    open -= 1;
                    self.bump();
                    parts.text(c, place);
                }
                ('\'', Place::Open | Place::Braces { quoted: false }) => {
                    self.bump();
                    let text = self.take_while(|c| c != '\'');
                    if !self.eat("'") {
                        return Err(SyntaxError::Quote);
                    }
                    parts.quoted(text);
                }
                ('"', Place::Open | Place::Braces { .. }) => {
                    self.bump();
                    // Even an empty pair makes a word.
                    parts.quoted("");
                    self.enter()?;
                    self.parts(parts, Place::Quotes)?;
                    self.leave();
                    self.bump();
                }
                ('"', Place::Arithmetic) => {
                    self.bump();
                }
                ('\\', _) => self.backslash(parts, place),
                ('$', _) => self.dollar(parts, place)?,
                ('`', _) => {
                    self.bump();
                    let list = self.backquoted(place)?;
                    let quoted = place.is_quoted();
                    parts.0.push(Part::Command { list, quoted });
                }
                _ => {
                    self.bump();
                    parts.text(c, place);
                }
            }
        }
    }

    fn backslash(&mut self, parts: &mut Parts, place: Place) {
        self.bump();
        let Some(next) = self.char() else {
            parts.quoted("\\");
            return;
        };
        let special = match place {
            Place::Open | Place::Braces { quoted: false } => true,
            Place::Quotes | Place::Arithmetic => matches!(next, '$' | '`' | '"' | '\\' | '\n'),
            Place::Braces { quoted: true } => matches!(next, '$' | '`' | '"' | '\\' | '\n' | '}'),
            Place::Document => matches!(next, '$' | '`' | '\\' | '\n'),
        };
        if !special {
            parts.quoted("\\");
            return;
        }
        self.bump();
        if next != '\n' {
            parts.quoted(next.encode_utf8(&mut [0; 4]));
        }
    }

    fn dollar(&mut self, parts: &mut Parts, place: Place) -> Result<(), SyntaxError> {
        self.bump();
        let quoted = place.is_quoted();
        // Always arithmetic: a subshell within a substitution needs a blank.
        if self.eat("((") {
            self.enter()?;
            let part = self.arithmetic(quoted)?;
            self.leave();
            parts.0.push(part);
            return Ok(());
        }
        if self.eat("(") {
            self.enter()?;
            let list = parser::list(self)?;
            match self.next()? {
                Token::Operator(")") => {}
                other => {
                    return Err(SyntaxError::Expected {
                        found: other.shown(),
                        wanted: ")",
                    });
                }
            }
            self.leave();
            let list = Arc::new(list);
            parts.0.push(Part::Command { list, quoted });
            return Ok(());
        }
        if self.eat("{") {
            self.enter()?;
            let part = self.braces(quoted)?;
            self.leave();
            parts.0.push(part);
            return Ok(());
        }
        let name = match self.char() {
            Some(c) if is_name_start(c) => self.take_while(is_name_char).to_owned(),
            Some(c) if is_special(c) || c.is_ascii_digit() => {
                self.bump();
                c.to_string()
            }
            _ => {
                parts.quoted("$");
                return Ok(());
            }
        };
        parts.0.push(Part::Parameter {
            name,
            substitution: Substitution::Value,
            quoted,
        });
        Ok(())
    }

    /// After `$((`.
    fn arithmetic(&mut self, quoted: bool) -> Result<Part, SyntaxError> {
        let mut parts = Parts::default();
        self.parts(&mut parts, Place::Arithmetic)?;
        if !self.eat("))") {
            return Err(SyntaxError::Expected {
                found: "\")\"".to_owned(),
                wanted: "))",
            });
        }
        Ok(Part::Arithmetic {
            expression: Word(parts.0),
            quoted,
        })
    }

    /// After `${`.
    fn braces(&mut self, quoted: bool) -> Result<Part, SyntaxError> {
        if self.rest().starts_with('#') && !self.rest().starts_with("#}") {
            self.bump();
            let name = self.parameter_name()?;
            if !self.eat("}") {
                return Err(SyntaxError::Substitution);
            }
            return Ok(Part::Parameter {
                name,
                substitution: Substitution::Length,
                quoted,
            });
        }
        let name = self.parameter_name()?;
        if self.eat("}") {
            return Ok(Part::Parameter {
                name,
                substitution: Substitution::Value,
                quoted,
            });
        }
        let or_empty = self.eat(":");
        let Some(operator) = self.bump() else {
            return Err(SyntaxError::Substitution);
        };
        let longest = matches!(operator, '#' | '%') && self.eat(operator.encode_utf8(&mut [0; 4]));
        let mut parts = Parts::default();
        // Quotes around the whole do not quote a pattern in it.
        let quoted_within = quoted && !matches!(operator, '#' | '%');
        let place = Place::Braces {
            quoted: quoted_within,
        };
        self.parts(&mut parts, place)?;
        self.bump();
        let word = Word(parts.0);
        let substitution = match operator {
            '-' => Substitution::Default { word, or_empty },
            '=' => Substitution::Assign { word, or_empty },
            '?' => Substitution::Error { word, or_empty },
            '+' => Substitution::Alternative { word, or_empty },
            '#' if !or_empty => Substitution::RemovePrefix {
                pattern: word,
                longest,
            },
            '%' if !or_empty => Substitution::RemoveSuffix {
                pattern: word,
                longest,
            },
            _ => return Err(SyntaxError::Substitution),
        };
        Ok(Part::Parameter {
            name,
            substitution,
            quoted,
        })
    }

    fn parameter_name(&mut self) -> Result<String, SyntaxError> {
        match self.char() {
            Some(c) if is_name_start(c) => Ok(self.take_while(is_name_char).to_owned()),
            Some(c) if c.is_ascii_digit() => Ok(self.take_while(|c| c.is_ascii_digit()).to_owned()),
            Some(c) if is_special(c) => {
                self.bump();
                Ok(c.to_string())
            }
            _ => Err(SyntaxError::Substitution),
        }
    }

    /// After a backquote: up to the next that is not escaped.
    fn backquoted(&mut self, place: Place) -> Result<Arc<super::ast::List>, SyntaxError> {
        let mut text = String::new();
        loop {
            match self.bump() {
                None => return Err(SyntaxError::Quote),
                Some('`') => break,
                Some('\\') => match self.char() {
                    Some(c @ ('`' | '\\' | '$')) => {
                        self.bump();
                        text.push(c);
                    }
                    Some('"') if place == Place::Quotes => {
                        self.bump();
                        text.push('"');
                    }
                    _ => text.push('\\'),
                },
                Some(c) => text.push(c),
            }
        }
        let mut inner = Lexer::new(&text, self.depth, self.max_depth);
        inner.enter()?;
        parser::whole(&mut inner).map(Arc::new)
    }
}

fn is_special(c: char) -> bool {
    matches!(c, '@' | '*' | '#' | '?' | '-' | '$' | '!')
}

fn ends_word(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\r' | '\n' | '&' | '|' | ';' | '<' | '>' | '(' | ')'
    )
}

fn end_of_file(wanted: &'static str) -> SyntaxError {
    SyntaxError::Expected {
        found: Token::End.shown(),
        wanted,
    }
}
