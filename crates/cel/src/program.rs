//! Expressions that are ready to be evaluated.

use regex::Regex;
use std::sync::Arc;

use crate::ast::Over;
use crate::budget::Budget;
use crate::error::Evaluated;
use crate::library::{Function, Style};
use crate::types::Type;
use crate::value::Value;

/// Values of the names that an expression uses.
pub trait Bindings {
    /// Returns the value of a name that [`Environment::declare`](crate::Environment::declare)
    /// numbered.
    fn global(&self, place: usize) -> Value;

    /// Returns the value of a variable that
    /// [`Environment::declare_variable`](crate::Environment::declare_variable) numbered.
    ///
    /// # Errors
    /// The error of the variable's expression.
    fn variable(&self, place: usize, budget: &mut Budget) -> Evaluated<Value>;
}

/// Compiled expression.
#[derive(Debug, Clone)]
pub struct Program {
    pub(crate) node: Node,
    pub(crate) output: Type,
}

impl Program {
    /// Returns the type of the expression's values.
    pub fn output(&self) -> &Type {
        &self.output
    }
}

/// Node of a compiled expression.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Const(Value),
    Global(usize),
    Variable(usize),
    /// Variable of a macro, by its place on the stack.
    Local(usize),
    Select {
        operand: Box<Node>,
        field: Arc<str>,
        mode: Mode,
    },
    Index {
        operand: Box<Node>,
        index: Box<Node>,
        is_optional: bool,
    },
    Not(Box<Node>),
    Negate(Box<Node>),
    Logic {
        is_or: bool,
        terms: Vec<Node>,
    },
    Conditional(Box<[Node; 3]>),
    Binary {
        operator: Operator,
        operands: Box<[Node; 2]>,
    },
    /// `text.matches('literal')`.
    Matches {
        text: Box<Node>,
        regex: Regex,
        /// Length of the expression.
        length: u64,
    },
    Call {
        function: &'static Function,
        style: Style,
        args: Vec<Node>,
    },
    List(Vec<(Node, bool)>),
    Map(Vec<(Node, Node, bool)>),
    Loop(Box<Loop>),
    OptMap {
        target: Box<Node>,
        body: Box<Node>,
        is_flat: bool,
    },
}

/// Macro over the elements of a list or the keys of a map.
#[derive(Debug, Clone)]
pub(crate) struct Loop {
    pub(crate) kind: Over,
    pub(crate) range: Node,
    pub(crate) has_two: bool,
    pub(crate) filter: Option<Node>,
    pub(crate) body: Node,
}

/// Kind of a selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `a.b`.
    Value,
    /// `has(a.b)`.
    Test,
    /// `a.?b`.
    Optional,
}

/// Operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}
