//! Errors of compilation and of evaluation.

/// Reason why an expression does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ERROR: <input>:{line}:{column}: {message}")]
pub struct CompileError {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// Reason.
    pub message: String,
}

impl CompileError {
    /// Returns the error at a place of the text, in bytes.
    pub(crate) fn at(text: &str, place: usize, message: impl Into<String>) -> Self {
        let mut end = place.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            message: message.into(),
        }
    }
}

/// Reason why an evaluation has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A map has no such key, or an object no such field.
    #[error("no such key: {0}")]
    NoSuchKey(String),
    /// No function takes arguments of these types.
    #[error("no such overload: {0}")]
    NoSuchOverload(String),
    /// An index is outside of its list.
    #[error("index out of bounds: {0}")]
    OutOfBounds(String),
    /// Division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// Remainder of a division by zero.
    #[error("modulus by zero")]
    ModulusByZero,
    /// A number does not fit into its type.
    #[error("{0} overflow")]
    Overflow(&'static str),
    /// An argument has no meaning for a function.
    #[error("{0}")]
    Invalid(String),
    /// The evaluation costs more than it may.
    #[error("operation cancelled: actual cost limit exceeded")]
    OutOfBudget,
}

impl EvalError {
    /// Returns the error of a function that takes no arguments like these.
    pub(crate) fn overload(name: &str) -> Self {
        Self::NoSuchOverload(name.to_owned())
    }

    /// Returns the error of an argument without a meaning.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }
}

/// Result of an evaluation.
pub type Evaluated<T> = Result<T, EvalError>;
