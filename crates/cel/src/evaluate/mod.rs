//! Evaluation of programs.

mod loops;
mod operators;

use crate::budget::Budget;
use crate::error::{EvalError, Evaluated};
use crate::library::Style;
use crate::program::{Bindings, Mode, Node, Program};
use crate::value::{Map, Value};

impl Program {
    /// Evaluates the expression and takes the work from the budget.
    ///
    /// # Errors
    /// The error of an operation whose value the result needs, or that of an empty budget.
    pub fn evaluate(&self, bindings: &dyn Bindings, budget: &mut Budget) -> Evaluated<Value> {
        Machine::new(bindings, budget).evaluate(&self.node)
    }
}

/// State of one evaluation.
pub(crate) struct Machine<'a> {
    bindings: &'a dyn Bindings,
    budget: &'a mut Budget,
    /// Variables of macros.
    stack: Vec<Value>,
}

impl<'a> Machine<'a> {
    pub(crate) fn new(bindings: &'a dyn Bindings, budget: &'a mut Budget) -> Self {
        Self {
            bindings,
            budget,
            stack: Vec::new(),
        }
    }

    pub(crate) fn evaluate(&mut self, node: &Node) -> Evaluated<Value> {
        if let Node::Const(value) = node {
            return Ok(value.clone());
        }
        self.budget.charge(1)?;
        match node {
            Node::Const(value) => Ok(value.clone()),
            Node::Global(place) => Ok(self.bindings.global(*place)),
            Node::Variable(place) => self.bindings.variable(*place, self.budget),
            Node::Local(place) => {
                let value = self.stack.get(*place).cloned();
                value.ok_or_else(|| EvalError::invalid("no such variable"))
            }
            Node::Select {
                operand,
                field,
                mode,
            } => select(&self.evaluate(operand)?, field, *mode),
            Node::Index {
                operand,
                index,
                is_optional,
            } => self.index(operand, index, *is_optional),
            Node::Not(operand) => match self.evaluate(operand)? {
                Value::Bool(truth) => Ok(Value::Bool(!truth)),
                _ => Err(EvalError::overload("!_")),
            },
            Node::Negate(operand) => operators::negate(&self.evaluate(operand)?),
            Node::Logic { is_or, terms } => self.logic(*is_or, terms),
            Node::Conditional(nodes) => self.conditional(nodes),
            Node::Binary { operator, operands } => {
                let [left, right] = operands.as_ref();
                let left = self.evaluate(left)?;
                let right = self.evaluate(right)?;
                operators::binary(*operator, &left, &right, self.budget)
            }
            Node::Matches {
                text,
                regex,
                length,
            } => match self.evaluate(text)? {
                Value::String(text) => {
                    let work = text.len() as u64 * (1 + length / 4);
                    self.budget.charge_walk(work)?;
                    Ok(Value::Bool(regex.is_match(&text)))
                }
                _ => Err(EvalError::overload("matches")),
            },
            Node::Call {
                function,
                style,
                args,
            } => self.call(function, *style, args),
            Node::List(elements) => self.list(elements),
            Node::Map(entries) => self.map(entries),
            Node::Loop(of) => self.run(of),
            Node::OptMap {
                target,
                body,
                is_flat,
            } => self.opt_map(target, body, *is_flat),
        }
    }

    fn call(
        &mut self,
        function: &'static crate::library::Function,
        style: Style,
        args: &[Node],
    ) -> Evaluated<Value> {
        if let [arg] = args {
            let arg = self.evaluate(arg)?;
            return function.call(style, &[arg], self.budget);
        }
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            values.push(self.evaluate(arg)?);
        }
        function.call(style, &values, self.budget)
    }

    fn index(&mut self, operand: &Node, index: &Node, is_optional: bool) -> Evaluated<Value> {
        let operand = self.evaluate(operand)?;
        let index = self.evaluate(index)?;
        let (inner, is_optional) = match &operand {
            Value::Optional(None) => return Ok(Value::Optional(None)),
            Value::Optional(Some(inner)) => (inner.as_ref(), true),
            plain => (plain, is_optional),
        };
        match (operators::index(inner, &index), is_optional) {
            (Ok(value), true) => Ok(Value::optional(Some(value))),
            (Err(EvalError::NoSuchKey(_) | EvalError::OutOfBounds(_)), true) => {
                Ok(Value::Optional(None))
            }
            (result, _) => result,
        }
    }

    /// Evaluates `||` or `&&`: a term that decides makes the errors of others irrelevant.
    fn logic(&mut self, is_or: bool, terms: &[Node]) -> Evaluated<Value> {
        let mut failed = None;
        for term in terms {
            match self.evaluate(term) {
                Ok(Value::Bool(truth)) if truth == is_or => return Ok(Value::Bool(is_or)),
                Ok(Value::Bool(_)) => {}
                Err(EvalError::OutOfBudget) => return Err(EvalError::OutOfBudget),
                Err(error) => {
                    failed.get_or_insert(error);
                }
                Ok(_) => {
                    failed.get_or_insert(EvalError::overload("logical operator"));
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(Value::Bool(!is_or)),
        }
    }

    fn conditional(&mut self, nodes: &[Node; 3]) -> Evaluated<Value> {
        let [condition, yes, no] = nodes;
        match self.evaluate(condition)? {
            Value::Bool(true) => self.evaluate(yes),
            Value::Bool(false) => self.evaluate(no),
            _ => Err(EvalError::overload("_?_:_")),
        }
    }

    fn list(&mut self, elements: &[(Node, bool)]) -> Evaluated<Value> {
        self.budget.charge(10)?;
        let mut values = Vec::with_capacity(elements.len());
        for (node, is_optional) in elements {
            let value = self.evaluate(node)?;
            if !is_optional {
                values.push(value);
                continue;
            }
            match value {
                Value::Optional(Some(value)) => values.push(Value::clone(&value)),
                Value::Optional(None) => {}
                _ => return Err(EvalError::overload("optional element")),
            }
        }
        Ok(Value::list(values))
    }

    fn map(&mut self, entries: &[(Node, Node, bool)]) -> Evaluated<Value> {
        self.budget.charge(30)?;
        let mut map = Map::default();
        for (key, value, is_optional) in entries {
            let key = operators::key(self.evaluate(key)?)?;
            let value = match (self.evaluate(value)?, is_optional) {
                (Value::Optional(Some(value)), true) => Value::clone(&value),
                (Value::Optional(None), true) => continue,
                (_, true) => return Err(EvalError::overload("optional entry")),
                (value, false) => value,
            };
            // Of equal keys, the last one counts, as in cel-go.
            map.insert(key, value);
        }
        Ok(Value::Map(map.into()))
    }

    fn opt_map(&mut self, target: &Node, body: &Node, is_flat: bool) -> Evaluated<Value> {
        let value = match self.evaluate(target)? {
            Value::Optional(Some(value)) => Value::clone(&value),
            Value::Optional(None) => return Ok(Value::Optional(None)),
            _ => return Err(EvalError::overload("optMap")),
        };
        self.stack.push(value);
        let result = self.evaluate(body);
        self.stack.pop();
        match (result?, is_flat) {
            (result @ Value::Optional(_), true) => Ok(result),
            (_, true) => Err(EvalError::overload("optFlatMap")),
            (result, false) => Ok(Value::optional(Some(result))),
        }
    }
}

/// Reads a field of a map, or through an optional value.
fn select(operand: &Value, field: &str, mode: Mode) -> Evaluated<Value> {
    let (map, mode) = match operand {
        Value::Map(map) => (map, mode),
        Value::Optional(None) if mode == Mode::Test => return Ok(Value::Bool(false)),
        Value::Optional(None) => return Ok(Value::Optional(None)),
        Value::Optional(Some(inner)) => match inner.as_ref() {
            Value::Map(map) if mode == Mode::Test => (map, mode),
            Value::Map(map) => (map, Mode::Optional),
            _ => return Err(EvalError::NoSuchKey(field.to_owned())),
        },
        _ => return Err(EvalError::NoSuchKey(field.to_owned())),
    };
    let found = map.field(field);
    match mode {
        Mode::Test => Ok(Value::Bool(found.is_some())),
        Mode::Optional => Ok(Value::optional(found.cloned())),
        Mode::Value => match found {
            Some(value) => Ok(value.clone()),
            None => Err(EvalError::NoSuchKey(field.to_owned())),
        },
    }
}
