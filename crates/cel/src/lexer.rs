//! Text to tokens.

use crate::error::CompileError;

/// Token with its place in the text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token {
    pub(crate) of: Lexeme,
    pub(crate) at: usize,
}

/// Content of a token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Lexeme {
    Ident(String),
    /// Digits of an integer, with their base.
    Int(String, u32),
    Uint(String, u32),
    Double(f64),
    String(String),
    Bytes(Vec<u8>),
    /// Operator or punctuation.
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 24] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{",
    "}", "+", "-", "*", "/", "%",
];

/// Cuts a text into tokens; the last one is [`Lexeme::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, CompileError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut all = Vec::new();
    loop {
        lexer.skip_space();
        let at = lexer.at;
        let of = lexer.next()?;
        let is_end = of == Lexeme::End;
        all.push(Token { of, at });
        if is_end {
            return Ok(all);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn error(&self, message: &str) -> CompileError {
        CompileError::at(self.text, self.at, format!("Syntax error: {message}"))
    }

    /// Takes the characters at the front that are accepted.
    fn take(&mut self, accepts: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c| !accepts(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn skip_space(&mut self) {
        loop {
            self.take(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}'));
            if !self.rest().starts_with("//") {
                return;
            }
            self.take(|c| c != '\n');
        }
    }

    fn next(&mut self) -> Result<Lexeme, CompileError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Lexeme::End);
        };
        let second = rest.chars().nth(1);
        if first.is_ascii_digit() || first == '.' && second.is_some_and(|c| c.is_ascii_digit()) {
            return self.number();
        }
        if let Some(text) = self.quoted()? {
            return Ok(text);
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let name = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
            return Ok(Lexeme::Ident(name.to_owned()));
        }
        match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            Some(sign) => {
                self.at += sign.len();
                Ok(Lexeme::Sign(sign))
            }
            None => Err(self.error(&format!("token recognition error at: '{first}'"))),
        }
    }

    fn number(&mut self) -> Result<Lexeme, CompileError> {
        let rest = self.rest();
        if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X"))
            && hex.starts_with(|c: char| c.is_ascii_hexdigit())
        {
            self.at += 2;
            let digits = self.take(|c| c.is_ascii_hexdigit()).to_owned();
            return Ok(self.integer(digits, 16));
        }
        let start = self.at;
        self.take(|c| c.is_ascii_digit());
        let mut is_double = false;
        let mut chars = self.rest().chars();
        if chars.next() == Some('.') && chars.next().is_some_and(|c| c.is_ascii_digit()) {
            is_double = true;
            self.at += 1;
            self.take(|c| c.is_ascii_digit());
        }
        let exponent = self.rest().strip_prefix(['e', 'E']).map(|rest| {
            let unsigned = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            (self.rest().len() - unsigned.len(), unsigned)
        });
        if let Some((skipped, digits)) = exponent
            && digits.starts_with(|c: char| c.is_ascii_digit())
        {
            is_double = true;
            self.at += skipped;
            self.take(|c| c.is_ascii_digit());
        }
        let digits = &self.text[start..self.at];
        if is_double {
            let number = digits
                .parse()
                .map_err(|_| self.error("invalid double literal"))?;
            return Ok(Lexeme::Double(number));
        }
        Ok(self.integer(digits.to_owned(), 10))
    }

    fn integer(&mut self, digits: String, base: u32) -> Lexeme {
        if self.rest().starts_with(['u', 'U']) {
            self.at += 1;
            return Lexeme::Uint(digits, base);
        }
        Lexeme::Int(digits, base)
    }

    /// Reads a text or bytes literal, if there is one.
    fn quoted(&mut self) -> Result<Option<Lexeme>, CompileError> {
        let rest = self.rest();
        // At most two letters come before the quote.
        let mut start = rest.bytes().take(3);
        let prefix = start.position(|byte| matches!(byte, b'"' | b'\''));
        let Some(prefix) = prefix else {
            return Ok(None);
        };
        let (mut is_raw, mut is_bytes) = (false, false);
        for letter in rest[..prefix].chars() {
            match letter {
                'r' | 'R' if !is_raw => is_raw = true,
                'b' | 'B' if !is_bytes => is_bytes = true,
                _ => return Ok(None),
            }
        }
        let quote = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(|quote| rest[prefix..].starts_with(quote))
            .unwrap_or("'");
        self.at += prefix + quote.len();
        let mut content = Content::new(is_bytes);
        loop {
            let rest = self.rest();
            if rest.starts_with(quote) {
                self.at += quote.len();
                break;
            }
            match rest.chars().next() {
                None => return Err(self.error("unterminated string literal")),
                Some('\n' | '\r') if quote.len() == 1 => {
                    return Err(self.error("newline in string literal"));
                }
                Some('\\') if !is_raw => self.escape(&mut content)?,
                Some(plain) => {
                    content.push(plain);
                    self.at += plain.len_utf8();
                }
            }
        }
        Ok(Some(content.done()))
    }

    fn escape(&mut self, content: &mut Content) -> Result<(), CompileError> {
        self.at += 1;
        let escape = self.rest().chars().next();
        let escape = escape.ok_or_else(|| self.error("unterminated string literal"))?;
        let plain = match escape {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' | '?' | '"' | '\'' | '`' => escape,
            'x' | 'X' => return self.code(1, 2, 16, content),
            'u' if content.bytes.is_none() => return self.code(1, 4, 16, content),
            'U' if content.bytes.is_none() => return self.code(1, 8, 16, content),
            '0'..='3' => return self.code(0, 3, 8, content),
            _ => return Err(self.error("invalid escape sequence")),
        };
        self.at += 1;
        content.push(plain);
        Ok(())
    }

    fn code(
        &mut self,
        skip: usize,
        digits: usize,
        base: u32,
        content: &mut Content,
    ) -> Result<(), CompileError> {
        let text = self.rest().get(skip..skip + digits);
        let code = text.and_then(|text| u32::from_str_radix(text, base).ok());
        let pushed = code.is_some_and(|code| content.push_code(code));
        if !pushed {
            return Err(self.error("invalid escape sequence"));
        }
        self.at += skip + digits;
        Ok(())
    }
}

/// Content of a literal.
struct Content {
    text: String,
    bytes: Option<Vec<u8>>,
}

impl Content {
    fn new(is_bytes: bool) -> Self {
        Self {
            text: String::new(),
            bytes: is_bytes.then(Vec::new),
        }
    }

    fn push(&mut self, plain: char) {
        match &mut self.bytes {
            Some(bytes) => bytes.extend(plain.encode_utf8(&mut [0; 4]).bytes()),
            None => self.text.push(plain),
        }
    }

    /// Adds a code point, or an octet to bytes; returns whether it is one.
    fn push_code(&mut self, code: u32) -> bool {
        match &mut self.bytes {
            Some(bytes) => match u8::try_from(code) {
                Ok(byte) => bytes.push(byte),
                Err(_) => return false,
            },
            None => match char::from_u32(code) {
                Some(plain) => self.text.push(plain),
                None => return false,
            },
        }
        true
    }

    fn done(self) -> Lexeme {
        match self.bytes {
            Some(bytes) => Lexeme::Bytes(bytes),
            None => Lexeme::String(self.text),
        }
    }
}
