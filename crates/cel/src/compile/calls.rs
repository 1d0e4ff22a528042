//! Calls of functions and operators.

use std::collections::BTreeMap;

use super::{Checked, Checker};
use crate::ast::Expr;
use crate::budget::Budget;
use crate::calendar::{parse_duration, parse_timestamp};
use crate::error::CompileError;
use crate::library::{Style, compile_regex, function};
use crate::program::{Node, Operator};
use crate::types::Type;
use crate::value::Value;

/// Work of a call that is done once, at compilation.
const FOLDING: u64 = 10_000;

impl Checker<'_> {
    pub(super) fn call(
        &mut self,
        at: usize,
        target: Option<&Expr>,
        name: &str,
        args: &[Expr],
    ) -> Checked {
        let qualified = target
            .and_then(crate::ast::qualified)
            .map(|prefix| format!("{prefix}.{name}"))
            .filter(|qualified| function(qualified).is_some());
        let (style, name, target) = match (&qualified, target) {
            (Some(qualified), _) => (Style::Global, qualified.as_str(), None),
            (None, Some(target)) => (Style::Method, name, Some(target)),
            (None, None) => (Style::Global, name, None),
        };
        let (mut nodes, mut types) = (Vec::new(), Vec::new());
        for arg in target.into_iter().chain(args) {
            let (node, of) = self.check(arg)?;
            nodes.push(node);
            types.push(of);
        }
        let result = self.resolve(at, name, style, &types)?;
        let node = self.lower(at, name, style, nodes)?;
        Ok((node, result))
    }

    /// Returns the type of a call: that of the signatures that take the arguments, or `dyn` if
    /// they differ.
    fn resolve(
        &mut self,
        at: usize,
        name: &str,
        style: Style,
        types: &[Type],
    ) -> Result<Type, CompileError> {
        let Some(function) = function(name) else {
            let message = format!("undeclared reference to '{name}' (in container '')");
            return self.error(at, message);
        };
        let mut result: Option<Type> = None;
        for overload in &function.overloads {
            if overload.style != style || overload.args.len() != types.len() {
                continue;
            }
            let (mut unknowns, mut fresh) = (self.unknowns.clone(), BTreeMap::new());
            let accepted = overload.args.iter().zip(types).all(|(wanted, given)| {
                let wanted = unknowns.instantiate(wanted, &mut fresh);
                unknowns.accepts(&wanted, given)
            });
            if !accepted {
                continue;
            }
            let own = unknowns.instantiate(&overload.result, &mut fresh);
            let own = unknowns.resolve(&own, false);
            self.unknowns = unknowns;
            result = match result {
                None => Some(own),
                Some(before) if before == own => Some(before),
                Some(_) => Some(Type::Dyn),
            };
        }
        match result {
            Some(result) => Ok(result),
            None => {
                let (target, args) = match style {
                    Style::Method => (types.first(), types.get(1..).unwrap_or(&[])),
                    Style::Global => (None, types),
                };
                self.no_overload(at, name, target, args)
            }
        }
    }

    pub(super) fn no_overload<T>(
        &self,
        at: usize,
        name: &str,
        target: Option<&Type>,
        args: &[Type],
    ) -> Result<T, CompileError> {
        let show = |of: &Type| self.unknowns.resolve(of, true).to_string();
        let args: Vec<_> = args.iter().map(show).collect();
        let args = args.join(", ");
        let applied = match target {
            Some(target) => format!("{}.({args})", show(target)),
            None => format!("({args})"),
        };
        let message = format!("found no matching overload for '{name}' applied to '{applied}'");
        self.error(at, message)
    }

    fn lower(
        &self,
        at: usize,
        name: &str,
        style: Style,
        nodes: Vec<Node>,
    ) -> Result<Node, CompileError> {
        let mut rest = nodes.into_iter();
        if let Some(operator) = operator(name) {
            return Ok(Node::Binary {
                operator,
                operands: Box::new([next(&mut rest), next(&mut rest)]),
            });
        }
        match (name, rest.len()) {
            ("!_", 1) => Ok(Node::Not(Box::new(next(&mut rest)))),
            ("-_", 1) => Ok(Node::Negate(Box::new(next(&mut rest)))),
            ("_?_:_", 3) => {
                let nodes = [next(&mut rest), next(&mut rest), next(&mut rest)];
                Ok(Node::Conditional(Box::new(nodes)))
            }
            ("_[_]" | "_[?_]", 2) => Ok(Node::Index {
                operand: Box::new(next(&mut rest)),
                index: Box::new(next(&mut rest)),
                is_optional: name == "_[?_]",
            }),
            ("matches", 2) => self.matches(at, style, rest.collect()),
            _ => self.plain(at, name, style, rest.collect()),
        }
    }

    fn matches(&self, at: usize, style: Style, args: Vec<Node>) -> Result<Node, CompileError> {
        let Some(Node::Const(Value::String(pattern))) = args.get(1) else {
            return self.plain(at, "matches", style, args);
        };
        match compile_regex(pattern) {
            Ok(regex) => Ok(Node::Matches {
                regex,
                length: pattern.len() as u64,
                text: Box::new(next(&mut args.into_iter())),
            }),
            Err(error) => self.error(at, format!("invalid matches argument: {error}")),
        }
    }

    fn plain(
        &self,
        at: usize,
        name: &str,
        style: Style,
        args: Vec<Node>,
    ) -> Result<Node, CompileError> {
        let Some(function) = function(name) else {
            return self.error(at, format!("undeclared reference to '{name}'"));
        };
        let constants = args.iter().map(|arg| match arg {
            Node::Const(value) => Some(value.clone()),
            _ => None,
        });
        let constants = constants.collect::<Option<Vec<_>>>();
        if let Some([Value::String(literal)]) = constants.as_deref() {
            let is_wrong = match name {
                "duration" => parse_duration(literal).is_none(),
                "timestamp" => parse_timestamp(literal).is_none(),
                _ => false,
            };
            if is_wrong {
                return self.error(at, format!("invalid {name} argument"));
            }
        }
        // A call that fails must fail at evaluation, where another term can decide.
        let folded = constants.and_then(|values| {
            function
                .call(style, &values, &mut Budget::new(FOLDING))
                .ok()
        });
        Ok(match folded {
            Some(value) => Node::Const(value),
            None => Node::Call {
                function,
                style,
                args,
            },
        })
    }
}

/// Returns the next node; callers know the number of nodes.
fn next(nodes: &mut impl Iterator<Item = Node>) -> Node {
    nodes.next().unwrap_or(Node::Const(Value::Null))
}

fn operator(name: &str) -> Option<Operator> {
    let operator = match name {
        "_+_" => Operator::Add,
        "_-_" => Operator::Subtract,
        "_*_" => Operator::Multiply,
        "_/_" => Operator::Divide,
        "_%_" => Operator::Remainder,
        "_==_" => Operator::Equal,
        "_!=_" => Operator::NotEqual,
        "_<_" => Operator::Less,
        "_<=_" => Operator::LessOrEqual,
        "_>_" => Operator::Greater,
        "_>=_" => Operator::GreaterOrEqual,
        "@in" => Operator::In,
        _ => return None,
    };
    Some(operator)
}
