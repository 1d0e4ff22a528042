//! Tokens to a syntax tree.

use crate::ast::{Element, Entry, Expr, Kind, Maker, qualified};
use crate::error::CompileError;
use crate::lexer::{Lexeme, Token, tokens};
use crate::macros;
use crate::value::Value;

/// Longest text in characters (`expressionSizeCodePointLimit` of cel-go).
const MAX_LENGTH: usize = 100_000;

/// Deepest nesting of brackets and macros. cel-go allows 250.
const MAX_DEPTH: usize = 100;

/// Words that cannot be names.
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Reads an expression.
pub(crate) fn parse(text: &str) -> Result<Expr, CompileError> {
    if text.chars().nth(MAX_LENGTH).is_some() {
        let message = format!("expression code point size exceeds limit: limit: {MAX_LENGTH}");
        return Err(CompileError::at(text, 0, message));
    }
    let mut parser = Parser {
        maker: Maker { text },
        tokens: tokens(text)?,
        next: 0,
        depth: 0,
    };
    let expr = parser.expr()?;
    match parser.peek() {
        Lexeme::End => Ok(expr),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    maker: Maker<'a>,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

const END: Lexeme = Lexeme::End;

impl Parser<'_> {
    fn peek(&self) -> &Lexeme {
        self.tokens.get(self.next).map_or(&END, |token| &token.of)
    }

    fn place(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.maker.text.len(), |token| token.at)
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.peek(), Lexeme::Sign(other) if *other == sign)
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is = self.is(sign);
        self.next += usize::from(is);
        is
    }

    fn expect(&mut self, sign: &str) -> Result<(), CompileError> {
        if self.takes(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn unexpected(&self) -> CompileError {
        let found = match self.peek() {
            Lexeme::End => "<EOF>".to_owned(),
            Lexeme::Ident(name) => name.clone(),
            Lexeme::Sign(sign) => (*sign).to_owned(),
            _ => "literal".to_owned(),
        };
        self.maker.error(
            self.place(),
            format!("Syntax error: mismatched input '{found}'"),
        )
    }

    fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, CompileError>,
    ) -> Result<T, CompileError> {
        if self.depth >= MAX_DEPTH {
            let message = format!("expression recursion limit exceeded: {MAX_DEPTH}");
            return Err(self.maker.error(self.place(), message));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn expr(&mut self) -> Result<Expr, CompileError> {
        self.nested(|parser| {
            let condition = parser.logic(true)?;
            let at = parser.place();
            if !parser.takes("?") {
                return Ok(condition);
            }
            let yes = parser.logic(true)?;
            parser.expect(":")?;
            let no = parser.expr()?;
            parser.call(at, "_?_:_", None, vec![condition, yes, no])
        })
    }

    fn call(
        &self,
        at: usize,
        name: &str,
        target: Option<Expr>,
        args: Vec<Expr>,
    ) -> Result<Expr, CompileError> {
        let kind = Kind::Call {
            target: target.map(Box::new),
            name: name.to_owned(),
            args,
        };
        self.maker.node(kind, at)
    }

    fn logic(&mut self, is_or: bool) -> Result<Expr, CompileError> {
        let sign = if is_or { "||" } else { "&&" };
        let term = |parser: &mut Self| {
            if is_or {
                parser.logic(false)
            } else {
                parser.binary(0)
            }
        };
        let first = term(self)?;
        let at = self.place();
        if !self.is(sign) {
            return Ok(first);
        }
        let mut terms = vec![first];
        while self.takes(sign) {
            terms.push(term(self)?);
        }
        self.maker.node(Kind::Logic { is_or, terms }, at)
    }

    /// Returns the name and the precedence of the operator that comes next.
    fn operator(&self) -> Option<(&'static str, u8)> {
        let operator = match self.peek() {
            Lexeme::Ident(name) if name == "in" => ("@in", 1),
            Lexeme::Sign(sign) => match *sign {
                "==" => ("_==_", 1),
                "!=" => ("_!=_", 1),
                "<" => ("_<_", 1),
                "<=" => ("_<=_", 1),
                ">" => ("_>_", 1),
                ">=" => ("_>=_", 1),
                "+" => ("_+_", 2),
                "-" => ("_-_", 2),
                "*" => ("_*_", 3),
                "/" => ("_/_", 3),
                "%" => ("_%_", 3),
                _ => return None,
            },
            _ => return None,
        };
        Some(operator)
    }

    fn binary(&mut self, least: u8) -> Result<Expr, CompileError> {
        let mut left = self.unary()?;
        while let Some((name, precedence)) = self.operator().filter(|(_, own)| *own > least) {
            let at = self.place();
            self.next += 1;
            let right = self.binary(precedence)?;
            left = self.call(at, name, None, vec![left, right])?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, CompileError> {
        let at = self.place();
        let sign = match self.peek() {
            Lexeme::Sign(sign @ ("!" | "-")) => *sign,
            _ => return self.member(),
        };
        let mut count = 0_usize;
        while self.takes(sign) {
            count += 1;
        }
        if sign == "-" && matches!(self.peek(), Lexeme::Int(..) | Lexeme::Double(_)) {
            let literal = self.literal(true)?;
            let operand = self.postfix(literal)?;
            return match count % 2 {
                1 => Ok(operand),
                _ => self.call(at, "-_", None, vec![operand]),
            };
        }
        let operand = self.member()?;
        match (count % 2, sign) {
            (0, _) => Ok(operand),
            (_, "!") => self.call(at, "!_", None, vec![operand]),
            _ => self.call(at, "-_", None, vec![operand]),
        }
    }

    fn literal(&mut self, is_negative: bool) -> Result<Expr, CompileError> {
        let at = self.place();
        let token = self.peek().clone();
        let value = match &token {
            Lexeme::Int(digits, base) => {
                let signed = if is_negative {
                    format!("-{digits}")
                } else {
                    digits.clone()
                };
                i64::from_str_radix(&signed, *base)
                    .map(Value::Int)
                    .map_err(|_| self.maker.error(at, "invalid int literal"))?
            }
            Lexeme::Uint(digits, base) => u64::from_str_radix(digits, *base)
                .map(Value::Uint)
                .map_err(|_| self.maker.error(at, "invalid uint literal"))?,
            Lexeme::Double(number) if is_negative => Value::Double(-number),
            Lexeme::Double(number) => Value::Double(*number),
            Lexeme::String(text) => Value::string(text.as_str()),
            Lexeme::Bytes(bytes) => Value::Bytes(bytes.as_slice().into()),
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        self.maker.node(Kind::Literal(value), at)
    }

    fn member(&mut self) -> Result<Expr, CompileError> {
        let primary = self.primary()?;
        self.postfix(primary)
    }

    fn postfix(&mut self, primary: Expr) -> Result<Expr, CompileError> {
        let mut operand = primary;
        loop {
            let at = self.place();
            if self.takes(".") {
                let is_optional = self.takes("?");
                let field = self.name()?;
                operand = if !is_optional && self.is("(") {
                    let at = self.place();
                    let args = self.args()?;
                    macros::member_call(&self.maker, at, operand, field, args)?
                } else {
                    let kind = Kind::Select {
                        operand: Box::new(operand),
                        field,
                        is_test: false,
                        is_optional,
                    };
                    self.maker.node(kind, at)?
                };
            } else if self.takes("[") {
                let name = if self.takes("?") { "_[?_]" } else { "_[_]" };
                let index = self.expr()?;
                self.expect("]")?;
                operand = self.call(at, name, None, vec![operand, index])?;
            } else if self.is("{")
                && let Some(name) = qualified(&operand)
            {
                self.map_literal()?;
                operand = self.maker.node(Kind::Message(name), at)?;
            } else {
                return Ok(operand);
            }
        }
    }

    fn name(&mut self) -> Result<String, CompileError> {
        match self.peek() {
            Lexeme::Ident(name) if !matches!(name.as_str(), "in" | "true" | "false" | "null") => {
                let name = name.clone();
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn args(&mut self) -> Result<Vec<Expr>, CompileError> {
        self.expect("(")?;
        let mut args = Vec::new();
        if self.takes(")") {
            return Ok(args);
        }
        loop {
            args.push(self.expr()?);
            if self.takes(")") {
                return Ok(args);
            }
            self.expect(",")?;
        }
    }

    fn primary(&mut self) -> Result<Expr, CompileError> {
        let at = self.place();
        if self.takes("(") {
            let inner = self.expr()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.is("[") {
            return self.list_literal();
        }
        if self.is("{") {
            let entries = self.map_literal()?;
            return self.maker.node(Kind::Map(entries), at);
        }
        let keyword = match self.peek() {
            Lexeme::Ident(name) => match name.as_str() {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                "null" => Some(Value::Null),
                _ => None,
            },
            Lexeme::Sign(".") => None,
            _ => return self.literal(false),
        };
        if let Some(value) = keyword {
            self.next += 1;
            return self.maker.node(Kind::Literal(value), at);
        }
        self.takes(".");
        let name = self.name()?;
        if self.is("(") {
            let at = self.place();
            let args = self.args()?;
            return macros::global_call(&self.maker, at, name, args);
        }
        if RESERVED.contains(&name.as_str()) {
            let message = format!("reserved identifier: {name}");
            return Err(self.maker.error(at, message));
        }
        self.maker.node(Kind::Ident(name), at)
    }

    fn list_literal(&mut self) -> Result<Expr, CompileError> {
        let at = self.place();
        self.expect("[")?;
        let mut elements = Vec::new();
        while !self.takes("]") {
            let is_optional = self.takes("?");
            let value = self.expr()?;
            elements.push(Element { value, is_optional });
            if !self.takes(",") {
                self.expect("]")?;
                break;
            }
        }
        self.maker.node(Kind::List(elements), at)
    }

    fn map_literal(&mut self) -> Result<Vec<Entry>, CompileError> {
        self.expect("{")?;
        let mut entries = Vec::new();
        while !self.takes("}") {
            let is_optional = self.takes("?");
            let key = self.expr()?;
            self.expect(":")?;
            let value = self.expr()?;
            entries.push(Entry {
                key,
                value,
                is_optional,
            });
            if !self.takes(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(entries)
    }
}
