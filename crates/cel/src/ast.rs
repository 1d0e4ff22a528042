//! Syntax trees.

use crate::value::Value;

/// Expression as it was written, with macros expanded.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    /// Place in the text, in bytes.
    pub(crate) at: usize,
    /// Height of the tree.
    pub(crate) height: usize,
}

/// Kind of an expression.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Literal(Value),
    Ident(String),
    Select {
        operand: Box<Expr>,
        field: String,
        /// `has(a.b)`.
        is_test: bool,
        /// `a.?b`.
        is_optional: bool,
    },
    Call {
        target: Option<Box<Expr>>,
        name: String,
        args: Vec<Expr>,
    },
    /// `a || b || c` or `a && b && c`.
    Logic {
        is_or: bool,
        terms: Vec<Expr>,
    },
    List(Vec<Element>),
    Map(Vec<Entry>),
    /// `Name{field: value}`.
    Message(String),
    Comprehension(Box<Comprehension>),
    /// `a.optMap(v, e)` and `a.optFlatMap(v, e)`.
    OptMap {
        target: Box<Expr>,
        variable: String,
        body: Box<Expr>,
        is_flat: bool,
    },
}

/// Element of a list.
#[derive(Debug, Clone)]
pub(crate) struct Element {
    pub(crate) value: Expr,
    pub(crate) is_optional: bool,
}

/// Entry of a map.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: Expr,
    pub(crate) value: Expr,
    pub(crate) is_optional: bool,
}

/// Macro over the elements of a list or the keys of a map.
#[derive(Debug, Clone)]
pub(crate) struct Comprehension {
    pub(crate) kind: Over,
    pub(crate) range: Expr,
    pub(crate) variables: Vec<String>,
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Expr,
}

/// Result of a [`Comprehension`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    All,
    Exists,
    ExistsOne,
    /// List of bodies: `map`, `transformList`.
    List,
    /// List of elements: `filter`.
    Filter,
    /// Map of the same keys: `transformMap`.
    Map,
    /// Map of the entries that the bodies are: `transformMapEntry`.
    Entries,
    /// List of elements in the order of the bodies: `sortBy`.
    Sorted,
}
