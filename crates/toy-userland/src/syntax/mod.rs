//! The shell's grammar, POSIX.1-2024 XCU 2: from text to a tree of commands.
//!
//! It is our own because the text comes from outside. A parser here has to
//! bound its nesting and end in time that is linear in the text, and the kept
//! crate for this grammar bounds neither: a few malformed bytes can make its
//! tokenizer allocate without end, deep nesting overflows its stack, and it
//! reads more of Bash than a container's `sh` has.

mod ast;
mod lexer;
mod parser;
mod word;

#[cfg(test)]
mod tests;

pub(super) use ast::{
    AndOr, Command, Connector, List, Part, Pipeline, Redirect, RedirectKind, Shape, Substitution,
    Word,
};
pub(super) use parser::parse;

/// What is wrong with a script, in the words of a shell.
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
}

impl SyntaxError {
    /// Whether more text could make it right.
    pub(super) fn wants_more(&self) -> bool {
        match self {
            Self::Unexpected(found) | Self::Expected { found, .. } => found == "end of file",
            Self::Quote => true,
            Self::Substitution
            | Self::LoopVariable
            | Self::FunctionName
            | Self::Depth(_)
            | Self::Length(_) => false,
        }
    }
}

/// Whether a text can name a variable or function.
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
