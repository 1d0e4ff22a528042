//! The lexer of words, with quotes and expansions.

use std::sync::Arc;

use super::ast::{Part, Substitution, Word};
use super::lexer::{Lexer, Token};
use super::{SyntaxError, is_name_char, is_name_start, parser};

/// Context of a text, which decides the end of the text and the meaning of quotes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    /// A word of a command.
    Open,
    /// Text between double quotes.
    Quotes,
    /// The word in `${name-…}`, within double quotes or not.
    Braces { quoted: bool },
    /// The expression in `$((…))`.
    Arithmetic,
    /// Reads the body of a here-document.
    Document,
}

impl Context {
    fn is_quoted(self) -> bool {
        match self {
            Self::Open => false,
            Self::Braces { quoted } => quoted,
            Self::Quotes | Self::Arithmetic | Self::Document => true,
        }
    }
}

/// The parts that are read so far. Adjacent texts of the same kind are joined.
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

    fn text(&mut self, c: char, context: Context) {
        if context.is_quoted() {
            self.quoted(c.encode_utf8(&mut [0; 4]));
        } else {
            self.plain(c);
        }
    }
}

impl Lexer<'_> {
    /// Reads a word of a command.
    pub(super) fn word(&mut self) -> Result<Word, SyntaxError> {
        let mut parts = Parts::default();
        if self.char() == Some('~') {
            let name = self.rest()[1..].chars().next();
            if name.is_none_or(|c| c == '/' || ends_word(c)) {
                self.bump();
                parts.0.push(Part::Home);
            }
        }
        self.parts(&mut parts, Context::Open)?;
        Ok(Word(parts.0))
    }

    /// Reads the body of a here-document.
    pub(super) fn document(&mut self) -> Result<Word, SyntaxError> {
        let mut parts = Parts::default();
        self.parts(&mut parts, Context::Document)?;
        Ok(Word(parts.0))
    }

    fn parts(&mut self, parts: &mut Parts, context: Context) -> Result<(), SyntaxError> {
        // Number of open parentheses in an arithmetic expression.
        let mut open = 0_usize;
        loop {
            let Some(c) = self.char() else {
                return match context {
                    Context::Open | Context::Document => Ok(()),
                    Context::Quotes => Err(SyntaxError::Quote),
                    Context::Braces { .. } => Err(SyntaxError::Substitution),
                    Context::Arithmetic => Err(end_of_file("))")),
                };
            };
            match (c, context) {
                (_, Context::Open) if ends_word(c) => return Ok(()),
                ('"', Context::Quotes) | ('}', Context::Braces { .. }) => return Ok(()),
                (')', Context::Arithmetic) if open == 0 => return Ok(()),
                ('(', Context::Arithmetic) => {
                    open += 1;
                    self.bump();
                    parts.text(c, context);
                }
                (')', Context::Arithmetic) => {
                    open -= 1;
                    self.bump();
                    parts.text(c, context);
                }
                ('\'', Context::Open | Context::Braces { quoted: false }) => {
                    self.bump();
                    let text = self.take_while(|c| c != '\'');
                    if !self.eat("'") {
                        return Err(SyntaxError::Quote);
                    }
                    parts.quoted(text);
                }
                ('"', Context::Open | Context::Braces { .. }) => {
                    self.bump();
                    // An empty pair of quotes makes a word, too.
                    parts.quoted("");
                    self.enter()?;
                    self.parts(parts, Context::Quotes)?;
                    self.leave();
                    self.bump();
                }
                ('"', Context::Arithmetic) => {
                    self.bump();
                }
                ('\\', _) => self.backslash(parts, context),
                ('$', _) => self.dollar(parts, context)?,
                ('`', _) => {
                    self.bump();
                    let list = self.backquoted(context)?;
                    let quoted = context.is_quoted();
                    parts.0.push(Part::Command { list, quoted });
                }
                _ => {
                    self.bump();
                    parts.text(c, context);
                }
            }
        }
    }

    fn backslash(&mut self, parts: &mut Parts, context: Context) {
        self.bump();
        let Some(next) = self.char() else {
            parts.quoted("\\");
            return;
        };
        let special = match context {
            Context::Open | Context::Braces { quoted: false } => true,
            Context::Quotes | Context::Arithmetic => matches!(next, '$' | '`' | '"' | '\\' | '\n'),
            Context::Braces { quoted: true } => matches!(next, '$' | '`' | '"' | '\\' | '\n' | '}'),
            Context::Document => matches!(next, '$' | '`' | '\\' | '\n'),
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

    fn dollar(&mut self, parts: &mut Parts, context: Context) -> Result<(), SyntaxError> {
        self.bump();
        self.count()?;
        let quoted = context.is_quoted();
        // `$((` always starts arithmetic: a subshell in a substitution needs a space before it.
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

    /// Reads an arithmetic expansion after its `$((`.
    fn arithmetic(&mut self, quoted: bool) -> Result<Part, SyntaxError> {
        let mut parts = Parts::default();
        self.parts(&mut parts, Context::Arithmetic)?;
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

    /// Reads a parameter expansion after its `${`.
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
        // Double quotes around the expansion do not quote the pattern in it.
        let quoted_within = quoted && !matches!(operator, '#' | '%');
        let context = Context::Braces {
            quoted: quoted_within,
        };
        self.parts(&mut parts, context)?;
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

    /// Reads a command substitution after its backquote, up to the next unescaped one.
    fn backquoted(&mut self, context: Context) -> Result<Arc<super::ast::List>, SyntaxError> {
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
                    Some('"') if context == Context::Quotes => {
                        self.bump();
                        text.push('"');
                    }
                    _ => text.push('\\'),
                },
                Some(c) => text.push(c),
            }
        }
        self.within(&text, parser::whole).map(Arc::new)
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
