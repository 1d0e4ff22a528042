//! The lexer: operators, words, newlines, and the here-documents after a line.

use super::ast::{HereDocument, Part, Word};
use super::{Limits, SyntaxError};

/// Operators. An operator comes before each of its own prefixes.
const OPERATORS: [&str; 18] = [
    "<<-", "&&", "||", ";;", "<<", ">>", "<&", ">&", "<>", ">|", "&", "|", ";", "<", ">", "(", ")",
    "\n",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    Operator(&'static str),
    /// Number of a descriptor directly before `<` or `>`.
    Descriptor(u32),
    End,
}

impl Token {
    /// Returns the text of a word without quotes or expansions, which may be a reserved word.
    pub(super) fn plain(&self) -> Option<&str> {
        match self {
            Self::Word(word) => match word.0.as_slice() {
                [Part::Plain(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the form of the token in an error message.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::End => "end of file".to_owned(),
            Self::Operator("\n") => "newline".to_owned(),
            Self::Operator(operator) => format!("\"{operator}\""),
            Self::Descriptor(number) => format!("\"{number}\""),
            Self::Word(_) => match self.plain() {
                Some(text) => format!("\"{}\"", text.chars().take(64).collect::<String>()),
                None => "word".to_owned(),
            },
        }
    }
}

struct PendingDocument {
    delimiter: String,
    literal: bool,
    strip_tabs: bool,
    body: HereDocument,
}

/// A text and the position in it. The depth counts the constructs around the position.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    peeked: Option<Token>,
    documents: Vec<PendingDocument>,
    depth: u32,
    /// Number of words and operators so far.
    pub(super) words: usize,
    limits: Limits,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str, limits: Limits) -> Self {
        Self {
            text,
            at: 0,
            peeked: None,
            documents: Vec::new(),
            depth: limits.depth,
            words: 0,
            limits,
        }
    }

    /// Parses a text that is a part of this one, one construct deeper.
    pub(super) fn within<T>(
        &mut self,
        text: &str,
        parse: impl FnOnce(&mut Lexer<'_>) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        let limits = Limits {
            depth: self.depth,
            ..self.limits
        };
        let mut inner = Lexer::new(text, limits);
        inner.words = self.words;
        inner.enter()?;
        let parsed = parse(&mut inner)?;
        self.words = inner.words;
        Ok(parsed)
    }

    /// Goes one construct deeper, up to the maximum. [`Self::leave`] goes back.
    pub(super) fn enter(&mut self) -> Result<(), SyntaxError> {
        if self.depth >= self.limits.max_depth {
            return Err(SyntaxError::Depth(self.limits.max_depth));
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// Returns the unread text.
    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn char(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.char()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Skips `wanted` if the unread text starts with it, and returns whether it does.
    pub(super) fn eat(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    /// Reads characters as long as they satisfy a predicate.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Returns the next token without reading it.
    pub(super) fn peek(&mut self) -> Result<&Token, SyntaxError> {
        let token = match self.peeked.take() {
            Some(token) => token,
            None => self.lex()?,
        };
        Ok(self.peeked.insert(token))
    }

    pub(super) fn next(&mut self) -> Result<Token, SyntaxError> {
        match self.peeked.take() {
            Some(token) => Ok(token),
            None => self.lex(),
        }
    }

    /// Counts a word, an operator, or a part of a word that holds commands or an expansion.
    pub(super) fn count(&mut self) -> Result<(), SyntaxError> {
        self.words += 1;
        if self.words > self.limits.words {
            return Err(SyntaxError::Words(self.limits.words));
        }
        Ok(())
    }

    fn lex(&mut self) -> Result<Token, SyntaxError> {
        self.skip_blanks();
        self.count()?;
        if self.rest().is_empty() {
            self.read_documents()?;
            return Ok(Token::End);
        }
        if let Some(descriptor) = self.descriptor() {
            return Ok(Token::Descriptor(descriptor));
        }
        for operator in OPERATORS {
            if self.eat(operator) {
                if operator == "\n" {
                    self.read_documents()?;
                }
                return Ok(Token::Operator(operator));
            }
        }
        self.word().map(Token::Word)
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(|c| c == ' ' || c == '\t' || c == '\r');
            if self.char() == Some('#') {
                self.take_while(|c| c != '\n');
            } else if !self.eat("\\\n") {
                return;
            }
        }
    }

    fn descriptor(&mut self) -> Option<u32> {
        let rest = self.rest();
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number = rest.get(..digits)?.parse().ok()?;
        if !rest[digits..].starts_with(['<', '>']) {
            return None;
        }
        self.at += digits;
        Some(number)
    }

    /// Announces a here-document, which is read after the current line.
    pub(super) fn expect_document(&mut self, delimiter: &Word, strip_tabs: bool) -> HereDocument {
        let mut text = String::new();
        let mut literal = false;
        for part in &delimiter.0 {
            match part {
                Part::Plain(part) => text.push_str(part),
                Part::Quoted(part) => {
                    literal = true;
                    text.push_str(part);
                }
                Part::Home => text.push('~'),
                // Expansions in a delimiter are ignored.
                Part::Parameter { .. } | Part::Command { .. } | Part::Arithmetic { .. } => {}
            }
        }
        let body = HereDocument::default();
        self.documents.push(PendingDocument {
            delimiter: text,
            literal,
            strip_tabs,
            body: body.clone(),
        });
        body
    }

    fn read_documents(&mut self) -> Result<(), SyntaxError> {
        for document in std::mem::take(&mut self.documents) {
            let text = self.document_text(&document);
            let word = if document.literal {
                Word(vec![Part::Quoted(text)])
            } else {
                #[expect(
                    clippy::redundant_closure_for_method_calls,
                    reason = "the method is one of a lexer with another lifetime"
                )]
                let body = self.within(&text, |inner| inner.document())?;
                body
            };
            // A document is pending only once, so its body is not set yet.
            let _ = document.body.0.set(word);
        }
        Ok(())
    }

    /// Reads the lines up to the delimiter, or to the end of the text without one, which other
    /// shells accept with a warning.
    fn document_text(&mut self, document: &PendingDocument) -> String {
        let mut text = String::new();
        while !self.rest().is_empty() {
            let line = self.take_while(|c| c != '\n');
            let ended = !self.eat("\n");
            let line = if document.strip_tabs {
                line.trim_start_matches('\t')
            } else {
                line
            };
            if line == document.delimiter {
                break;
            }
            text.push_str(line);
            if !ended {
                text.push('\n');
            }
        }
        text
    }
}
