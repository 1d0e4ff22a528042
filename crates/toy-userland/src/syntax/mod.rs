//! The shell's grammar, POSIX.1-2024 XCU 2: parses a text into a tree of commands.
//!
//! Scripts are untrusted, so the parser has to bound its nesting and to run in time linear in
//! the text. The maintained crate for this grammar bounds neither: a few malformed bytes can
//! make its tokenizer allocate without end, and deep nesting overflows its stack. It also
//! accepts more of Bash than a container's `sh`.

mod ast;
mod lexer;
mod parser;
mod word;

#[cfg(test)]
mod tests;

pub(super) use ast::{
    AndOr, Command, CommandKind, Connector, List, Part, Pipeline, Redirect, RedirectKind,
    Substitution, Word,
};
pub(super) use parser::parse;

/// Bounds of a script.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Most bytes.
    pub(super) bytes: usize,
    /// Most words and operators.
    pub(super) words: usize,
    /// Number of constructs around the script.
    pub(super) depth: u32,
    /// Deepest nesting, which includes these constructs.
    pub(super) max_depth: u32,
}

/// Syntax error in a script, with the message of a shell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum SyntaxError {
    #[error("syntax error: unexpected {0}")]
    Unexpected(String),
    #[error("syntax error: unexpected {found} (expecting \"{wanted}\")")]
    Expected { found: String, wanted: &'static str },
    #[error("syntax error: unterminated quoted string")]
    Quote,
    #[error("syntax error: bad substitution")]
    Substitution,
    #[error("syntax error: bad for loop variable")]
    LoopVariable,
    #[error("syntax error: bad function name")]
    FunctionName,
    #[error("syntax error: nested more than {0} deep")]
    Depth(u32),
    #[error("syntax error: a script of more than {0} bytes")]
    Length(usize),
    #[error("syntax error: a script of more than {0} words")]
    Words(usize),
}

impl SyntaxError {
    /// Returns whether more text could complete the script.
    pub(super) fn wants_more(&self) -> bool {
        match self {
            Self::Unexpected(found) | Self::Expected { found, .. } => found == "end of file",
            Self::Quote => true,
            Self::Substitution
            | Self::LoopVariable
            | Self::FunctionName
            | Self::Depth(_)
            | Self::Length(_)
            | Self::Words(_) => false,
        }
    }
}

/// Returns whether a text is a valid name of a variable or function.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
