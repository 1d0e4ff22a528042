//! Syntax trees.

use crate::error::CompileError;
use crate::value::Value;

/// Highest tree: a chain of operators or of fields adds one for each.
const MAX_HEIGHT: usize = 250;

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

/// Maker of trees of bounded height.
pub(crate) struct Maker<'a> {
    /// Text of the expression.
    pub(crate) text: &'a str,
}

impl Maker<'_> {
    pub(crate) fn error(&self, at: usize, message: impl Into<String>) -> CompileError {
        CompileError::at(self.text, at, message)
    }

    /// Makes a node and refuses a tree that is too high.
    pub(crate) fn node(&self, kind: Kind, at: usize) -> Result<Expr, CompileError> {
        let height = 1 + height_below(&kind);
        if height > MAX_HEIGHT {
            return Err(self.error(at, "expression is too deep"));
        }
        Ok(Expr { kind, at, height })
    }
}

/// Returns the height of the highest tree below a node.
fn height_below(kind: &Kind) -> usize {
    let highest = |all: &mut dyn Iterator<Item = &Expr>| all.map(|e| e.height).max().unwrap_or(0);
    match kind {
        Kind::Literal(_) | Kind::Ident(_) | Kind::Message(_) => 0,
        Kind::Select { operand, .. } => operand.height,
        Kind::Call { target, args, .. } => highest(&mut target.iter().map(Box::as_ref).chain(args)),
        Kind::Logic { terms, .. } => highest(&mut terms.iter()),
        Kind::List(elements) => highest(&mut elements.iter().map(|element| &element.value)),
        Kind::Map(entries) => highest(&mut entries.iter().flat_map(|e| [&e.key, &e.value])),
        Kind::Comprehension(all) => {
            highest(&mut [&all.range, &all.body].into_iter().chain(&all.filter))
        }
        Kind::OptMap { target, body, .. } => highest(&mut [target.as_ref(), body].into_iter()),
    }
}

/// Returns the dotted name that a chain of fields is.
pub(crate) fn qualified(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Ident(name) => Some(name.clone()),
        Kind::Select {
            operand,
            field,
            is_test: false,
            is_optional: false,
        } => Some(format!("{}.{field}", qualified(operand)?)),
        _ => None,
    }
}
